"""History that leaves the outbox: past its time, or where room is short."""

from datetime import timedelta
from pathlib import Path

from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.outbox import NOW, attempt, audit, keep
from tests.support.process import look


async def fill(outbox: SqliteOutbox, *, apart: timedelta = timedelta()) -> None:
    """Deliver events, accepted so far apart, until the outbox is nearly as large as it may be."""
    number = 0
    while not await outbox._pruner._is_over(0.92):
        at = NOW + number * apart
        outbox.complete(keep(outbox, number := number + 1, at=at), attempt(200))
        await outbox.settle()


async def test_pruning_to_size_takes_the_oldest_history_first(path: Path) -> None:
    async with open_outbox(FileSettings(path=path, max_size=1024 * 1024)) as outbox:
        await fill(outbox)
        pruned = await outbox.prune_to_size()
        assert pruned > 0
        assert await outbox.prune_to_size() == 0
    assert look(path, "SELECT min(seq) FROM events") == [(pruned + 1,)]
    assert look(path, "PRAGMA freelist_count") == [(0,)]
    assert audit(path).is_balanced


async def test_history_that_a_successor_needs_does_not_go_to_make_room(path: Path) -> None:
    async with open_outbox(FileSettings(path=path, max_size=1024 * 1024)) as outbox:
        await fill(outbox, apart=timedelta(seconds=1))
        outbox.need_history(NOW + timedelta(seconds=100))
        assert await outbox.prune_to_size() == 100
        assert await outbox.prune_to_size() == 0
        outbox.need_history(None)
        assert await outbox.prune_to_size() >= 0
    assert look(path, "SELECT min(seq) > 100 FROM events") == [(1,)]
    assert audit(path).is_balanced


async def test_for_a_process_that_is_about_to_read_them_the_last_events_stay_although_there_is_no_room(
    path: Path,
) -> None:
    async with open_outbox(FileSettings(path=path, max_size=1024 * 1024)) as outbox:
        await fill(outbox)
        outbox.need_history(NOW)  # all of them were accepted then
        assert await outbox.prune_to_size() == 0
        assert (await outbox._database.make_room(size=1024 * 1024)).pruned == 0
        outbox.need_history(NOW + timedelta(seconds=1))
        assert (await outbox._database.make_room(size=1024 * 1024)).pruned > 0
        outbox.need_history(None)
        assert await outbox.prune_to_size() >= 0
    assert audit(path).is_balanced


async def test_the_file_shrinks_with_its_history_although_nothing_more_is_written(path: Path) -> None:
    async with open_outbox(FileSettings(path=path, max_size=1024 * 1024)) as outbox:
        await fill(outbox)
        await outbox._database.move_whole_wal()
        before = path.stat().st_size
        assert await outbox.prune_to_size() > 0
        assert path.stat().st_size < before


async def test_a_file_that_is_larger_than_max_size_by_its_free_pages_alone_is_cut(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        for number in range(100):
            outbox.complete(keep(outbox, number), attempt(200))
        await outbox.settle()
        await outbox._database.run(
            lambda connection: connection.execute("CREATE TABLE more AS SELECT zeroblob(1048576) AS bytes")
        )
        await outbox._database.run(lambda connection: connection.execute("DROP TABLE more"))
    assert path.stat().st_size > 1024 * 1024
    async with open_outbox(FileSettings(path=path, max_size=1024 * 1024)) as outbox:
        assert await outbox.prune_to_size() == 0
        assert path.stat().st_size < 1024 * 1024
    assert look(path, "SELECT count(*) FROM events") == [(100,)]
