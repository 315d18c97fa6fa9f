"""Gaps and recovered events, over restarts, pruning and damage."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace as change

from forwarder.core.books import Entry
from forwarder.core.delivery import DeliveryStatus, Trigger
from forwarder.core.gaps import Gap, GapId, Repair
from forwarder.outbox.connection import FileSettings, open_connection
from forwarder.outbox.gaps import SqliteGapBook
from forwarder.outbox.inspection import Check
from forwarder.outbox.salvage import salvage
from forwarder.outbox.sqlite import SqliteOutbox, open_outbox
from tests.support.outbox import BOT, EVENTS, NOW, attempt, audit, keep
from tests.support.process import look

HOUR = timedelta(hours=1)
POSTS = [number for number, event in enumerate(EVENTS) if event.source == "x"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
async def outbox(path: Path) -> AsyncIterator[SqliteOutbox]:
    async with open_outbox(FileSettings(path=path)) as opened:
        yield opened


def gap(book: SqliteGapBook, *, hours: int = 0, lasts: bool = False, repair: Repair = Repair.OFF) -> Gap:
    began = NOW + hours * HOUR
    return Gap(
        id=book.new_gap_id(),
        stream="main",
        began=began,
        noticed=began + timedelta(seconds=2),
        ended=None if lasts else began + timedelta(seconds=3),
        reason="no sign of life \ud800",
        repair=repair,
    )


async def test_gaps_are_kept_whole_and_as_they_stand_over_restarts(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        book: SqliteGapBook = outbox.gaps
        first, second = gap(book, lasts=True), gap(book, hours=1, repair=Repair.PENDING)
        book.note_gap(first)
        book.note_gap(second)
        assert await book.gaps_to_repair() == [_stored(second)]
        assert await book.unended_gaps() == [_stored(first)]
        book.note_gap(second.with_repair(Repair.PARTIAL, found=5, recovered=3, note="one account is gone"))
        assert await book.gaps_to_repair() == []
    async with open_outbox(FileSettings(path=path)) as outbox:
        (left,) = await outbox.gaps.unended_gaps()
        assert left == _stored(first)
        assert left.length is None
        assert outbox.gaps.new_gap_id() == 3
    assert look(path, "SELECT id, is_covered, repair, found, recovered, note FROM gaps") == [
        (1, 0, "off", 0, 0, ""),
        (2, 0, "partial", 5, 3, "one account is gone"),
    ]


def _stored(of: Gap) -> Gap:
    """Return it with the text that a file can hold."""
    return Gap(**{name: getattr(of, name) for name in Gap.__slots__} | {"reason": "no sign of life ?"})


async def test_those_to_repair_come_oldest_first_and_not_before_their_end(outbox: SqliteOutbox) -> None:
    book = outbox.gaps
    late, lasts, early = (
        gap(book, hours=2, repair=Repair.PENDING),
        gap(book, lasts=True, repair=Repair.PENDING),
        gap(book, hours=1, repair=Repair.PENDING),
    )
    for each in (late, lasts, early):
        book.note_gap(each)
    assert [found.id for found in await book.gaps_to_repair()] == [early.id, late.id]


async def test_what_was_heard_last_is_that_of_the_process_before(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        assert await outbox.gaps.last_heard() is None
        outbox.gaps.note_heard(NOW)
        outbox.gaps.note_heard(NOW + HOUR)  # in the same commit
        await outbox.writer.settle()
        outbox.gaps.note_heard(NOW + 2 * HOUR)
        assert await outbox.gaps.last_heard() is None
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.gaps.note_heard(NOW + 3 * HOUR)
        await outbox.writer.settle()
        assert await outbox.gaps.last_heard() == NOW + 2 * HOUR


async def test_posts_of_x_are_known_on_disk_or_not(outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forwarder.outbox.gaps._SLICE", 2)
    old, *newer, last = POSTS[:8]
    keep(outbox, old, at=NOW - HOUR)
    for number in (*newer, *(number for number in range(len(EVENTS)) if number not in POSTS)):
        keep(outbox, number)
    await outbox.writer.settle()
    keep(outbox, last, at=NOW + HOUR)
    assert outbox.writer.waiting_events == 1
    assert await outbox.gaps.posts_since(NOW) == {EVENTS[number].mid for number in (*newer, last)}
    assert await outbox.gaps.posts_since(NOW + 2 * HOUR) == set()


async def test_a_file_that_cannot_be_read_for_a_moment_is_asked_again(outbox: SqliteOutbox) -> None:
    keep(outbox, POSTS[0])
    await outbox.writer.settle()
    await outbox._database.close()
    asked = asyncio.ensure_future(outbox.gaps.posts_since(NOW))
    await asyncio.sleep(0)
    await outbox._database.reopen()
    assert await asked == {EVENTS[POSTS[0]].mid}


async def test_posts_are_known_of_a_time_and_of_its_repair_whenever_that_was(outbox: SqliteOutbox) -> None:
    within, after, recovered, long_after = POSTS[:4]
    (fast, *_) = [number for number, event in enumerate(EVENTS) if event.source == "fast-x"]
    keep(outbox, within)
    keep(outbox, fast)
    await outbox.writer.settle()
    for number in (after, long_after):
        keep(outbox, number, at=NOW + 2 * HOUR)
    keep(outbox, recovered, at=NOW + 3 * HOUR, gap=GapId(1))
    await outbox.writer.settle()
    known = await outbox.gaps.posts_since(NOW, until=NOW + HOUR)
    assert known >= {EVENTS[within].mid, EVENTS[recovered].mid}
    assert EVENTS[fast].mid in await outbox.gaps.posts_since(NOW, until=NOW + HOUR, sources=("x", "fast-x"))


async def test_a_recovered_event_is_marked_in_every_claim_and_replay_and_the_books_balance(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        brought = keep(outbox, 0, gap=GapId(7))
        live = keep(outbox, 1)
        assert (brought.is_recovered, brought.trigger) == (True, Trigger.RECOVERED)
        assert (live.is_recovered, live.trigger) == (False, Trigger.FIRST)
        keep(outbox, 2, DeliveryStatus.PENDING, gap=GapId(7), order_key="7")
        outbox.enqueue(EVENTS[3], outbox.new_seq(), {}, entry=Entry.UNMATCHED, now=NOW, read_at=0, gap=GapId(7))
        outbox.reschedule(brought, attempt(503), at=NOW + HOUR, keep=False)
        (ordered,) = (await outbox.claim_in_order(BOT, "7", now=NOW, limit=10)).deliveries
        assert ordered.is_recovered
        outbox.complete(ordered, attempt(200))
        (again,) = (await outbox.claim(BOT, now=NOW + HOUR, limit=10)).deliveries
        assert again == change(brought, attempts=1)
        assert outbox.gaps.new_gap_id() == 1
        outbox.reschedule(again, attempt(503, 2), at=NOW + HOUR, keep=False)
        outbox.complete(live, attempt(200))
    assert look(path, "SELECT event_seq, gap_id FROM recovered_events") == [(1, 7), (3, 7), (4, 7)]
    books = audit(path)
    assert books.is_balanced
    assert (books.entry(Entry.SEEN), books.entry(Entry.MATCHED), books.entry(Entry.UNMATCHED)) == (4, 3, 1)
    async with open_outbox(FileSettings(path=path)) as outbox:
        assert outbox.gaps.new_gap_id() == 8  # the rows of the gap may be gone
        await outbox.recover()
        (after_restart,) = (await outbox.claim(BOT, now=NOW + HOUR, limit=10)).deliveries
        assert (after_restart.is_recovered, after_restart.event_seq) == (True, 1)


async def test_recovered_events_are_known_after_a_restart(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        for number in range(3):
            keep(outbox, number, at=NOW + number * HOUR, gap=GapId(1))
        keep(outbox, 3, at=NOW + HOUR)
    async with open_outbox(FileSettings(path=path)) as outbox:
        _, second, third = [((event.mid, event.sid), NOW + n * HOUR) for n, event in enumerate(EVENTS[:3])]
        assert await outbox.gaps.recovered_events(since=NOW + HOUR, limit=9) == dict([second, third])
        assert await outbox.gaps.recovered_events(since=NOW, limit=1) == dict([third])


async def test_an_event_that_cannot_be_written_yet_is_marked_as_well(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        await outbox.writer.settle()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        keep(outbox, 0, DeliveryStatus.PENDING, gap=GapId(7))
        async with asyncio.timeout(90):
            while not (claim := await outbox.claim(BOT, now=NOW, limit=10)).deliveries:  # noqa: ASYNC110 - only a claim tells
                await asyncio.sleep(0.1)
        assert claim.deliveries[0].is_recovered
        other.execute("ROLLBACK")
        other.close()
    assert look(path, "SELECT gap_id FROM recovered_events") == [(7,)]


async def test_marks_go_with_their_events_and_gaps_that_are_over_with_their_time(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        for number in range(3):
            delivery = keep(outbox, number, gap=GapId(1))
            if number:
                outbox.complete(delivery, attempt(200))
        for each in (gap(outbox.gaps), gap(outbox.gaps, lasts=True), gap(outbox.gaps, repair=Repair.PENDING)):
            outbox.gaps.note_gap(each)
        outbox.gaps.note_gap(gap(outbox.gaps, hours=2))
        await outbox.writer.settle()
        await outbox.pruner.prune(delivered_before=NOW + HOUR, dead_before=NOW + HOUR)
    assert look(path, "SELECT event_seq FROM recovered_events") == [(1,)]  # it waits
    assert look(path, "SELECT id FROM gaps") == [(2,), (3,), (4,)]
    assert look(path, "PRAGMA foreign_key_check") == []
    assert audit(path).is_balanced


async def test_gaps_marks_and_what_was_heard_last_are_salvaged_and_what_cannot_be_right_is_not(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0, gap=GapId(1))
        keep(outbox, 1, gap=GapId(1))
        whole = gap(outbox.gaps, repair=Repair.DONE)
        for each in (whole, gap(outbox.gaps, hours=1), gap(outbox.gaps, hours=2)):
            outbox.gaps.note_gap(each)
        outbox.gaps.note_heard(NOW)
    with closing(sqlite3.connect(path)) as plain, plain:
        plain.execute("UPDATE gaps SET repair = 'x' WHERE id = 2")
        plain.execute("UPDATE gaps SET began_ms = 1 << 62 WHERE id = 3")
        plain.execute("UPDATE events SET body = x'00' WHERE seq = 2")
    saved = path.with_name("saved.db")
    with closing(open_connection(FileSettings(path=saved), Check.NOTHING)) as fresh:
        assert salvage(path, fresh).events == 1
    assert look(saved, "SELECT id, repair FROM gaps") == [(whole.id, "done")]
    assert look(saved, "SELECT event_seq, gap_id FROM recovered_events") == [(1, 1)]
    assert look(saved, "PRAGMA foreign_key_check") == []
    async with open_outbox(FileSettings(path=saved)) as outbox:
        assert await outbox.gaps.last_heard() == NOW
        await outbox.recover()
        (delivery,) = (await outbox.claim(BOT, now=NOW, limit=10)).deliveries
        assert delivery.is_recovered
