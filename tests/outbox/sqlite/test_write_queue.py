"""What waits to be written: when a batch is full, when the streams have to stop, and who is answered when."""

import asyncio
import sqlite3
from pathlib import Path
from time import monotonic

import pytest
from structlog.typing import EventDict

from forwarder.core.delivery import DeliveryStatus, new_delivery
from forwarder.outbox.sqlite import write_queue
from forwarder.outbox.sqlite.delivery_row import new_row
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.file.database import Database
from forwarder.outbox.sqlite.file.file_guard import FileGuard
from forwarder.outbox.sqlite.file.problems import WriteFault
from forwarder.outbox.sqlite.pace import FEW_GATHER_S, MANY_GATHER_S
from forwarder.outbox.sqlite.row_cache import RowCache
from forwarder.outbox.sqlite.write_outage import WriteOutage
from forwarder.outbox.sqlite.write_queue import MAX_BATCH_BYTES, WriteQueue
from tests.support.loops import pytest_asyncio_loop_factories
from tests.support.outbox import BOT, EVENTS, NOW

LOOPS = pytest_asyncio_loop_factories()
KIB = 1024


class Queue:
    """A queue with the parts that it works with."""

    def __init__(self, path: Path, *, max_size: int | None = None) -> None:
        database = Database(FileSettings(path=path))
        self.rows = RowCache()
        self.outage = WriteOutage(database, FileGuard(database))
        self.queue = WriteQueue(self.rows, self.outage, max_size)

    def add(self, seq: int, *, size: int = 100) -> None:
        """Queue an event with one delivery."""
        delivery = new_delivery(EVENTS[0], BOT, ("r",), event_seq=seq, accepted_at=NOW)
        self.rows.add(new_row(delivery, DeliveryStatus.PENDING, now_ms=0))
        self.queue.add_event((seq, "id"), size=size, planned=1, read_at=0)

    def write(self, connection: sqlite3.Connection) -> None:
        """Carry out the steps of the next batch, as the writer does."""
        taken = self.queue.take()
        taken.batch.results = [step(connection) for step in taken.batch.steps]
        taken.batch.results_apart = [step(connection) for step in taken.batch.steps_apart]
        self.queue.note_written(taken)


@pytest.mark.parametrize(("max_size", "size"), [(None, MAX_BATCH_BYTES), (1024 * KIB, 64 * KIB)])
async def test_a_batch_is_full_at_1_mib_or_at_a_sixteenth_of_the_file(
    path: Path, max_size: int | None, size: int
) -> None:
    parts = Queue(path, max_size=max_size)
    parts.add(1, size=size - 4 * KIB)
    before = parts.queue.due.is_set()
    parts.add(2, size=4 * KIB)
    assert (before, parts.queue.due.is_set()) == (False, True)
    parts.add(3)
    assert parts.queue.waiting_events == 3
    first = parts.queue.take()
    assert [values[0] for values in first.batch.events] == [1, 2]
    assert {seq for seq, _ in first.batch.rows} == {1, 2}  # a delivery is never written before its event
    parts.queue.note_written(first)
    second = parts.queue.take()
    assert ([values[0] for values in second.batch.events], {seq for seq, _ in second.batch.rows}) == ([3], {3})
    assert dict(parts.queue.unwritten_events()) == {3: (3, "id")}
    parts.queue.note_written(second)
    assert (parts.queue.waiting_events, parts.queue.has_work, dict(parts.queue.unwritten_events())) == (0, False, {})


async def test_streams_are_not_read_while_memory_is_full_and_that_is_logged_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[EventDict]
) -> None:
    monkeypatch.setattr(write_queue, "MAX_WAITING_EVENTS", 3)
    monkeypatch.setattr(write_queue, "_LOOK_AT", 0)
    parts = Queue(path)
    parts.outage.note_failure(WriteFault.FULL, "full", events_in_memory=0)
    for seq in range(1, 5):
        await parts.queue.has_room.wait() if seq < 4 else None
        parts.add(seq)
    assert parts.queue.is_full
    waiting = asyncio.ensure_future(parts.queue.has_room.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    parts.queue.note_written(parts.queue.take())
    await waiting
    assert [line["event"] for line in logged].count("outbox.reading_stopped") == 1


async def test_whoever_asks_gets_the_result_of_the_own_step(path: Path, connection: sqlite3.Connection) -> None:
    parts = Queue(path)
    written: list[str] = []
    asked = [
        asyncio.ensure_future(parts.queue.ask(lambda plain: plain.execute("SELECT 1").fetchone()[0])),
        asyncio.ensure_future(parts.queue.ask(lambda _: "two")),
        asyncio.ensure_future(parts.queue.ask(lambda _: "apart", apart=True)),
    ]
    parts.queue.add_step(lambda _: None, when_written=lambda: written.append("written"))
    await asyncio.sleep(0)
    await parts.queue.due.wait()
    assert parts.queue.stirred.is_set()
    parts.write(connection)
    assert await asyncio.gather(*asked) == [1, "two", "apart"]
    assert written == ["written"]


def left_s(queue: WriteQueue) -> float:
    """Return how long the batch that gathers still does so."""
    assert queue._timer is not None
    return queue._timer_at - asyncio.get_running_loop().time()


async def test_outcomes_gather_until_an_event_or_somebody_who_waits_comes(path: Path) -> None:
    parts = Queue(path)
    parts.queue.wake()
    assert FEW_GATHER_S < left_s(parts.queue) <= MANY_GATHER_S
    parts.add(1)
    assert left_s(parts.queue) <= FEW_GATHER_S
    assert not parts.queue.due.is_set()
    await parts.queue.due.wait()
    parts.queue.pace.note_commit(1_000, now=monotonic())
    parts.queue.note_written(parts.queue.take())
    assert not parts.queue.due.is_set()
    parts.add(2)
    assert FEW_GATHER_S < left_s(parts.queue) <= MANY_GATHER_S
    settling = asyncio.ensure_future(parts.queue.settle())
    await asyncio.sleep(0)
    assert left_s(parts.queue) <= FEW_GATHER_S
    await parts.queue.due.wait()
    parts.queue.note_written(parts.queue.take())
    assert await settling


@pytest.mark.parametrize("loop", list(LOOPS))
def test_more_may_come_when_the_time_to_gather_is_over_before_the_timer_is_set(
    path: Path, monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    """On a busy machine a thread may have to wait between two readings of the clock; uvloop then gives a handle that knows no time."""
    monkeypatch.setattr(write_queue, "FEW_GATHER_S", 0.0)

    async def queue_some() -> int:
        parts = Queue(path)
        parts.queue.add_step(lambda _: None)
        parts.queue.add_step(lambda _: None)
        parts.add(1)
        await parts.queue.due.wait()
        return len(parts.queue.take().batch.steps)

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        assert runner.run(queue_some()) == 2


async def test_settling_ends_with_the_commit_or_as_soon_as_it_is_impossible(
    path: Path, connection: sqlite3.Connection
) -> None:
    parts = Queue(path)
    assert await parts.queue.settle()  # nothing is queued
    parts.add(1)
    settling = asyncio.ensure_future(parts.queue.settle())
    await asyncio.sleep(0)
    taken = parts.queue.take()
    later = asyncio.ensure_future(parts.queue.settle())  # waits for the batch that is being written
    await asyncio.sleep(0)
    assert not settling.done()
    parts.queue.note_written(taken)
    assert (await settling, await later) == (True, True)
    parts.add(2)
    settling = asyncio.ensure_future(parts.queue.settle())
    await asyncio.sleep(0)
    parts.queue.give_up_settling()
    assert not await settling
    parts.outage.note_failure(WriteFault.FULL, "full", events_in_memory=1)
    assert not await parts.queue.settle()
    assert [len(each.batch.events) for each in parts.queue.not_written()] == [1]
