"""What waits to be written: events, changed rows and steps, gathered into batches, with those who wait for them."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, TypeVar

import structlog

from forwarder.core.ledger import MinuteCounts
from forwarder.core.monitoring.status import MemoryBacklog, to_milliseconds
from forwarder.outbox.sqlite.batch import PendingBatch, answer
from forwarder.outbox.sqlite.delivery_row import Values
from forwarder.outbox.sqlite.pace import FEW_GATHER_S, MANY_GATHER_S, Pace
from forwarder.outbox.sqlite.row_cache import RowCache
from forwarder.outbox.sqlite.statements import time_of
from forwarder.outbox.sqlite.transactions import Step
from forwarder.outbox.sqlite.write_outage import WriteOutage

_T = TypeVar("_T")

_ACCEPTED_MS = 6
"""Where the row of an event has when it was accepted."""

MAX_WAITING_EVENTS = 10_000
MAX_WAITING_BYTES = 16 * 1024 * 1024
"""Of events that are not on disk yet. Beyond these limits the streams are not read; only a failing disk leads there."""
_LOOK_AT = MAX_WAITING_EVENTS // 20
"""A smaller batch alone cannot fill the memory, so that the limits need not be checked."""
MAX_BATCH_BYTES = 1024 * 1024
"""The bytes of events in one transaction, but at least one event: less than `disk_space.make_room` makes room for. What gathers
while nothing can be written is many batches."""
_BATCHES_OF_A_FILE = 16
"""A batch is at most this fraction of `max_size`."""

log = structlog.get_logger(__name__)


class WriteQueue:
    """Gathers what is to be written into batches, and answers those who asked for it."""

    def __init__(self, rows: RowCache, outage: WriteOutage, max_size: int | None) -> None:
        """`max_size` is the largest size of the file in bytes."""
        self._rows = rows
        self._outage = outage
        self._most_bytes = MAX_BATCH_BYTES if max_size is None else min(MAX_BATCH_BYTES, max_size // _BATCHES_OF_A_FILE)
        self._waiting = PendingBatch()
        """The batch that gathers now."""
        self._gathered: deque[PendingBatch] = deque()
        """Batches before it that are as large as one may be."""
        self._under_way: PendingBatch | None = None
        """The batch that is being written."""
        self._left_events = self._left_bytes = 0
        """Of the batches that gather no more and are not on disk."""
        self._events: dict[int, Values] = {}
        """The rows of events that are not on disk, by number."""
        self.has_room = asyncio.Event()
        """Set while less waits than the limits allow."""
        self.has_room.set()
        self._is_stop_of_reading_said = False
        self._timer: asyncio.Handle | None = None
        """Runs while a batch gathers, and is kept until the batch is taken."""
        self._timer_at = 0.0
        """When the timer runs, by the loop's clock. It is kept separately, because a handle of uvloop may not know when it is due."""
        self.pace = Pace()
        self.due = asyncio.Event()
        """Set while there is something for the writer to do: a batch has gathered for as long as it should."""
        self.stirred = asyncio.Event()
        """Set when something came that a batch which cannot be written should not hold up."""

    # What the verbs of the outbox call

    def add_event(self, values: Values, *, size: int, planned: int, read_at: float) -> None:
        """Queue a row of `events`; `size` is that of its body in bytes, `read_at` by the monotonic clock in seconds.

        The rows of its `planned` deliveries are in the cache already.
        """
        batch = self._waiting.batch
        if not batch.events:
            self._write_within(self.pace.gather_s(now=monotonic()))
        batch.add_event(values, size=size, planned=planned, read_at=read_at)
        self._events[values[0]] = values
        if batch.size >= self._most_bytes:
            self._gathered.append(self._turn_over())
            self.due.set()
        if self._gathered or len(batch.events) > _LOOK_AT:
            self.stop_reading_if_full()

    def counts_of(self, minute: int) -> MinuteCounts:
        """Return the ledger counts of a Unix minute, to be increased at once; call `wake` where no event is added then."""
        return self._waiting.batch.ledger[minute]

    def wake(self) -> None:
        """Have the changed rows of the cache written."""
        if self._timer is None:
            self._write_within(MANY_GATHER_S)

    async def ask(self, step: Step[_T], *, apart: bool = False) -> _T:
        """Queue a step, and return its result once its transaction is committed.

        `apart`: it may be carried out before what was queued earlier, where that cannot be written for want of room. This is for
        steps that make room, and for those that deliveries on disk wait for.
        """
        asked: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        if apart:
            self._waiting.batch.steps_apart.append(step)
            self._waiting.apart.append(asked)
            self.stirred.set()
        else:
            self._waiting.batch.steps.append(step)
            self._waiting.asked.append(asked)
        self._write_within(FEW_GATHER_S)
        return await asked

    def add_step(self, step: Step[object], *, when_written: Callable[[], object] = lambda: None) -> None:
        """Queue a step without waiting for its result. It is in one transaction with the event that is added next."""
        written: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        written.add_done_callback(lambda _: when_written())
        self._waiting.batch.steps.append(step)
        self._waiting.asked.append(written)
        self._write_within(FEW_GATHER_S)

    async def settle(self) -> bool:
        """Return `True` once everything queued so far is on disk, or `False` as soon as that is known to be impossible now."""
        if self.trouble is not None:
            return False
        behind = self._waiting if self.has_work else self._under_way
        if behind is None:
            return True
        settled: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        behind.settling.append(settled)
        if behind is self._waiting:
            self._write_within(FEW_GATHER_S)
        return await settled

    def unwritten_events(self) -> Mapping[int, Values]:
        """Return the rows of events that are not on disk, by number: a view that follows the queue."""
        return self._events

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written now; `None` while writing works."""
        return self._outage.trouble

    @property
    def waiting_events(self) -> int:
        """How many events are not on disk yet."""
        return self._left_events + len(self._waiting.batch.events)

    def waiting_in_memory(self) -> dict[str, MemoryBacklog]:
        """Return what waits and is not on disk, by destination, while nothing can be written; nothing while writing works."""
        if self.trouble is None:
            return {}
        return {
            name: MemoryBacklog(waiting=len(numbers), oldest=self._received_at(min(numbers)))
            for name, numbers in self._rows.waiting_unwritten().items()
        }

    def _received_at(self, seq: int) -> str:
        accepted_ms: Any = self._events[seq][_ACCEPTED_MS]
        return to_milliseconds(time_of(accepted_ms)) or ""

    # What the writer calls

    @property
    def has_work(self) -> bool:
        """Whether anything is to be written that is not under way."""
        batch = self._waiting.batch
        return bool(
            self._gathered or batch.events or batch.steps or batch.steps_apart or batch.ledger or self._rows.changed
        )

    @property
    def is_full(self) -> bool:
        """Whether more waits than the limits allow."""
        return (
            self.waiting_events >= MAX_WAITING_EVENTS
            or self._left_bytes + self._waiting.batch.size >= MAX_WAITING_BYTES
        )

    def take(self) -> PendingBatch:
        """Return the next batch to write, with the changed rows; it is under way until `note_written`."""
        if self._gathered:
            taken = self._gathered.popleft()
        else:
            taken = self._turn_over()
            self.rest()
        self._under_way = taken
        later = [behind.batch.events[0][0] for behind in (*self._gathered, self._waiting) if behind.batch.events]
        taken.batch.add_rows(self._rows.collect(before_seq=later[0] if later else None))
        return taken

    def rest(self) -> None:
        """Note that there is nothing to do for the writer until something comes."""
        self.due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def note_written(self, written: PendingBatch) -> None:
        """Note that a batch is on disk, and answer those who waited for it."""
        self._under_way = None
        batch = written.batch
        self._left_events -= len(batch.events)
        self._left_bytes -= batch.size
        for values in batch.events:
            del self._events[values[0]]
        self._rows.written(batch.rows.values())
        answer(written.asked, batch.results)
        answer(written.apart, batch.results_apart)
        _settle(written.settling, is_on_disk=True)
        if not self.has_work:  # after a fault the batch may have taken along what came later
            _settle(self._waiting.settling, is_on_disk=True)
        if not self.is_full:
            self.has_room.set()
            self._is_stop_of_reading_said = False

    def not_written(self) -> list[PendingBatch]:
        """Return all batches that are not on disk, the one under way first."""
        under_way = () if self._under_way is None else (self._under_way,)
        return [*under_way, *self._gathered, self._waiting]

    def give_up_settling(self) -> None:
        """End every `settle` that waits, with the answer that it is impossible now."""
        for waiting in self.not_written():
            _settle(waiting.settling, is_on_disk=False)

    def stop_reading_if_full(self) -> None:
        """Note that there is no room where more waits than the limits allow."""
        if not self.is_full:
            return
        if (trouble := self.trouble) is not None and not self._is_stop_of_reading_said:
            self._is_stop_of_reading_said = True
            log.error(
                "outbox.reading_stopped",
                reason=trouble,
                note="memory is full; reading continues when the disk can be written",
            )
        self.has_room.clear()

    def _write_within(self, gather_s: float) -> None:
        """Have what gathers now written when so much time has passed, or sooner where that was said before."""
        loop = asyncio.get_running_loop()
        at = loop.time() + gather_s
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer, self._timer_at = loop.call_at(at, self.due.set), at

    def _turn_over(self) -> PendingBatch:
        """Start to gather another batch; return the one that gathered until now."""
        gathered, self._waiting = self._waiting, PendingBatch()
        self._left_events += len(gathered.batch.events)
        self._left_bytes += gathered.batch.size
        return gathered


def _settle(settling: list[asyncio.Future[bool]], *, is_on_disk: bool) -> None:
    for settled in settling:
        if not settled.done():
            settled.set_result(is_on_disk)
    settling.clear()
