"""Gaps and recovered events, over restarts, pruning and damage."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.core.delivery import DeliveryStatus
from forwarder.core.gaps.gap import Gap, GapId, Repair
from forwarder.outbox.sqlite.file.connection import FileSettings, open_connection
from forwarder.outbox.sqlite.file.integrity import Check
from forwarder.outbox.sqlite.file.salvage import salvage
from forwarder.outbox.sqlite.gaps import SqliteGapBook
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
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


async def test_posts_of_x_are_known_on_disk_or_not(outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forwarder.outbox.sqlite.gaps._SLICE", 2)
    old, *newer, last = POSTS[:8]
    keep(outbox, old, at=NOW - HOUR)
    for number in (*newer, *(number for number in range(len(EVENTS)) if number not in POSTS)):
        keep(outbox, number)
    await outbox.settle()
    keep(outbox, last, at=NOW + HOUR)
    assert outbox._queue.waiting_events == 1
    assert await outbox.gaps.posts_since(NOW) == {EVENTS[number].mid for number in (*newer, last)}
    assert await outbox.gaps.posts_since(NOW + 2 * HOUR) == set()


async def test_a_file_that_cannot_be_read_for_a_moment_is_asked_again(outbox: SqliteOutbox) -> None:
    keep(outbox, POSTS[0])
    await outbox.settle()
    await outbox._database.close()
    asked = asyncio.ensure_future(outbox.gaps.posts_since(NOW))
    await asyncio.sleep(0)
    await outbox._database.reopen()
    assert await asked == {EVENTS[POSTS[0]].mid}


async def test_an_event_that_cannot_be_written_yet_is_marked_as_well(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        await outbox.settle()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        keep(outbox, 0, DeliveryStatus.PENDING, gap=GapId(7))
        async with asyncio.timeout(90):
            while not (claim := await outbox.claim(BOT, now=NOW, limit=10)).deliveries:  # noqa: ASYNC110 - only a claim shows it
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
        await outbox.settle()
        await outbox.prune(delivered_before=NOW + HOUR, dead_before=NOW + HOUR)
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
