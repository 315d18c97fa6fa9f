"""Group commits: one task takes whatever has queued up and writes it in one transaction, again and again.

While one commit waits for the disk the next batch gathers, so the cost of a sync is shared by as many events as arrive
during it and in the two milliseconds after.
"""

import asyncio
import errno
import os
import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar

import structlog
import tenacity

from forwarder.core.books import Minute
from forwarder.core.histogram import Histogram
from forwarder.outbox.batch import Batch, Step
from forwarder.outbox.database import Database
from forwarder.outbox.problems import OutboxFailedError, WriteFault, classify
from forwarder.outbox.rows import Hand, Values
from forwarder.outbox.trouble import Trouble

_T = TypeVar("_T")

GATHER_S = 0.002
"""How long a batch gathers before it is written. The POST that runs beside the commit then has the interpreter to itself, and
an outcome that comes back within it is written together with its event, once."""
BUSY_GATHER_S = 0.03
_BUSY_EVENTS = 64
"""After a batch of so many the next one gathers longer: thirty large transactions a second cost less than a hundred, and the
two threads hand the interpreter to each other less often."""
MAX_WAITING_EVENTS = 10_000
MAX_WAITING_BYTES = 16 * 1024 * 1024
"""Of events that are not on disk yet. Beyond, the streams are not read: only a disk that fails gets there."""
_LOOK_AT = MAX_WAITING_EVENTS // 20
"""A batch of less than this alone cannot fill the memory; to look is spared."""
MAX_BATCH_BYTES = 1024 * 1024
_BATCHES_OF_A_FILE = 16
"""Of events in one transaction, but at least one: less than `room.make_room` makes room for, and a sixteenth of `max_size`. What
gathers while nothing can be written is many batches."""
MAX_UNKNOWN_IN_A_ROW = 3
"""After so many failures of the disk the process ends: a restart reads the file as the disk has it."""
_NO_SEQ = 1 << 62
_PIECE = 500
"""Outcomes written at once where room is short: less than the reserve."""
CLOSING_S = 5.0
"""How long a disk that takes nothing is tried at the end; the process then ends with an error."""
_TICK_S = 2.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Waiting:
    """A batch that gathers, with those who wait for it."""

    batch: Batch = field(default_factory=Batch)
    asked: list[asyncio.Future[Any]] = field(default_factory=list)
    settling: list[asyncio.Future[bool]] = field(default_factory=list)


class Writer:
    """Commits what the outbox's verbs bring.

    The task that does it is never cancelled: a cancelled await does not stop a statement that SQLite has begun.
    """

    def __init__(self, database: Database, hand: Hand) -> None:
        self._database = database
        self._hand = hand
        self._waiting = _Waiting()
        self._gathered: deque[_Waiting] = deque()
        """Batches before it that are as large as one may be."""
        self._under_way: _Waiting | None = None
        self._left_events = self._left_bytes = 0
        """Of the batches that gather no more and are not on disk."""
        most = database.settings.max_size
        self._most_bytes = MAX_BATCH_BYTES if most is None else min(MAX_BATCH_BYTES, most // _BATCHES_OF_A_FILE)
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closing_since: float | None = None
        self._is_tick_due = False
        self._number = 0
        self._last_size = 0
        self._unknown_in_a_row = 0
        self._trouble = Trouble()
        self.commit_lag = Histogram()
        """Of each event, from being read to being on disk."""
        self.commits = 0
        self._turns = 0

    # What the verbs call

    def add_event(self, values: Values, *, size: int, read_at: float) -> None:
        """Queue a row of `events`; `size` is that of its body in bytes, `read_at` by the monotonic clock in seconds."""
        batch = self._waiting.batch
        batch.add_event(values, size=size, read_at=read_at)
        self._arrived.set()
        if batch.size >= self._most_bytes:
            self._gathered.append(self._turn_over())
        if self._gathered or len(batch.events) > _LOOK_AT:
            self._stop_reading_if_full()

    def _turn_over(self) -> _Waiting:
        """Have another batch gather; return the one that did."""
        gathered, self._waiting = self._waiting, _Waiting()
        self._left_events += len(gathered.batch.events)
        self._left_bytes += gathered.batch.size
        return gathered

    def _stop_reading_if_full(self) -> None:
        if self._is_full():
            if self.trouble is not None and self._room.is_set():
                log.error(
                    "outbox.reading_stopped", reason=self.trouble, note="memory is full; goes on when the disk does"
                )
            self._room.clear()

    def books_of(self, minute: int) -> Minute:
        """Return the books of a Unix minute, to be added to at once: they are written with the next batch."""
        self._arrived.set()
        return self._waiting.batch.books[minute]

    def wake(self) -> None:
        """Have the changed rows of the hand written."""
        self._arrived.set()

    async def ask(self, step: Step[_T]) -> _T:
        """Queue a step and return its result once the transaction it was in is committed."""
        asked: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._waiting.batch.steps.append(step)
        self._waiting.asked.append(asked)
        self._arrived.set()
        return await asked

    def add_step(self, step: Step[object], *, when_written: Callable[[], object] = lambda: None) -> None:
        """Queue a step whose result nobody waits for. It is in one transaction with the event that is added next."""
        written: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        written.add_done_callback(lambda _: when_written())
        self._waiting.batch.steps.append(step)
        self._waiting.asked.append(written)
        self._arrived.set()

    async def settle(self) -> bool:
        """Return `True` when everything queued so far is on disk, or `False` as soon as it is known that it cannot be now."""
        if self.trouble is not None:
            return False
        behind = self._waiting if self._has_work() else self._under_way
        if behind is None:
            return True
        settled: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        behind.settling.append(settled)
        return await settled

    async def wait_for_room(self) -> None:
        """Return when less is waiting than the limits."""
        await self._room.wait()

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written now, or not to where it belongs; `None` while all is well."""
        return self._database.gone or self._trouble.reason

    @property
    def beats(self) -> int:
        """Grows with every turn and every transaction tried, also with those that fail: a watchdog sees that it moves."""
        return self._turns + self._database.beats

    @property
    def waiting_events(self) -> int:
        """Events that are not on disk yet."""
        return self._left_events + len(self._waiting.batch.events)

    def close(self) -> None:
        """End `run` once everything that is queued has been written, or cannot be for five seconds more."""
        self._closing_since = monotonic()
        self._arrived.set()

    # What writes

    async def run(self) -> None:
        """Write until `close`. Raises when the file fails for good: the process must end, so that a restart looks at it."""
        self._number = await self._database.last_batch()
        ticking = asyncio.create_task(self._tick())
        try:
            while True:
                await self._arrived.wait()
                self._turns += 1
                if self._closing_since is None and not self._gathered:
                    await asyncio.sleep(GATHER_S if self._last_size < _BUSY_EVENTS else BUSY_GATHER_S)
                if self._is_tick_due:
                    await self._keep_house()
                if self._has_work():
                    await self._write_waiting()
                elif self._closing_since is not None:
                    return await self._take_leave()
                if not self._has_work() and not self._is_tick_due and self._closing_since is None:
                    self._arrived.clear()  # the time to gather begins with what comes next
        finally:
            ticking.cancel()

    async def _write_waiting(self) -> None:
        waiting = self._gathered.popleft() if self._gathered else self._turn_over()
        self._under_way = waiting
        batch = waiting.batch
        self._number += 1
        batch.number = self._number
        later = [behind.batch.events[0][0] for behind in (*self._gathered, self._waiting) if behind.batch.events]
        batch.add_rows(self._hand.collect(before_seq=later[0] if later else None))
        await self._commit(batch)
        self._under_way = None
        if self._closing_since is not None:  # it moves: patience begins anew
            self._closing_since = monotonic()
        self._left_events -= len(batch.events)
        self._left_bytes -= batch.size
        self._last_size = len(batch.events)
        now = monotonic()
        for read_at in batch.read_at:
            self.commit_lag.observe(now - read_at)
        self.commits += 1
        self._hand.written(batch.rows)
        for asked, result in zip(waiting.asked, batch.results, strict=True):
            if not asked.done():
                asked.set_result(result)
        _tell(waiting.settling, is_on_disk=True)
        if not self._has_work():  # a fault may have had the batch take along what came after it
            _tell(self._waiting.settling, is_on_disk=True)
        if not self._is_full():
            self._room.set()
        self._database.note_written(size=batch.size, rows=len(batch.events) + len(batch.deliveries))
        await self._database.checkpoint(is_quiet=not self._has_work())

    def _all_waiting(self) -> list[_Waiting]:
        under_way = () if self._under_way is None else (self._under_way,)
        return [*under_way, *self._gathered, self._waiting]

    def unwritten_events(self) -> dict[int, Values]:
        """Return the rows of events that are not on disk, by their number."""
        return {values[0]: values for waiting in self._all_waiting() for values in waiting.batch.events}

    def _is_full(self) -> bool:
        return (
            self.waiting_events >= MAX_WAITING_EVENTS
            or self._left_bytes + self._waiting.batch.size >= MAX_WAITING_BYTES
        )

    def _has_work(self) -> bool:
        batch = self._waiting.batch
        return bool(self._gathered or batch.events or batch.steps or batch.books or self._hand.changed)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._is_tick_due = True
            self._arrived.set()

    async def _take_leave(self) -> None:
        """See that what is written stays when the file is closed: of a deleted one nothing would."""
        await self._database.mend_if_deleted()
        if lost := self._lost():
            raise OutboxFailedError(f"outbox {self._database.path} is lost{lost}")

    def _lost(self) -> str:
        """Return what to add where the process ends, and a file that was deleted with it."""
        return "" if self._database.gone is None else f"; {self._database.gone}, so that what it held is lost"

    async def _keep_house(self) -> None:
        """Look now and then, between two transactions, after the file itself, the size of the WAL, and the reserve."""
        self._is_tick_due = False
        await self._database.mend_if_deleted()
        await self._database.shrink_wal()
        if not self._database.reserve.is_there:
            await self._database.run(lambda _connection: self._database.reserve.make())

    async def _commit(self, batch: Batch) -> None:
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda error: classify(error) is not WriteFault.FATAL),
            wait=tenacity.wait_exponential(multiplier=0.1, max=2),
            before_sleep=self._after_failure,
        )
        await retrying(self._try, batch)
        self._unknown_in_a_row = 0
        self._trouble.end()

    async def _try(self, batch: Batch) -> None:
        self._turns += 1
        if self._unknown_in_a_row:
            await self._database.reopen()
            if await self._database.last_batch() >= batch.number:
                return  # it was on disk after all
        if self._closing_since is None:
            await self._database.write(batch)
        else:  # the last one may have the reserve
            await self._database.run_in_excess(batch.write)

    async def _after_failure(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        fault = classify(error) if error is not None else WriteFault.FATAL
        await self._database.mend_if_deleted()
        if fault is WriteFault.UNKNOWN and _is_read_only(self._database):
            fault = WriteFault.READ_ONLY
        match fault:
            case WriteFault.FULL:
                if pruned := await self._make_room() or await self._close_what_is_on_disk():
                    log.warning("outbox.pruned_for_room", reason=str(error), pruned=pruned)
                    return
            case WriteFault.UNKNOWN:
                self._unknown_in_a_row += 1
                if self._unknown_in_a_row >= MAX_UNKNOWN_IN_A_ROW:
                    raise OutboxFailedError(
                        f"the disk of outbox {self._database.path} failed {self._unknown_in_a_row} times in a row: {error}"
                    ) from error
            case _:
                pass
        self._trouble.note(fault, str(error), events_in_memory=self.waiting_events)
        if self.trouble is not None:
            for waiting in self._all_waiting():
                _tell(waiting.settling, is_on_disk=False)
        if self._closing_since is not None and monotonic() - self._closing_since > CLOSING_S:
            raise OutboxFailedError(
                f"outbox {self._database.path} could not be written before the end ({error}): "
                f"{self.waiting_events} events and {self._hand.changed} deliveries were in memory alone{self._lost()}"
            ) from error

    async def _make_room(self) -> int:
        return await self._database.make_room(size=self._all_waiting()[0].batch.size)

    async def _close_what_is_on_disk(self) -> int:
        """Write, in small pieces, what ended of the events that are on disk: then there is something to prune.

        Without this an outbox that pending deliveries filled would stay full after all of them were delivered, because their
        outcomes are in one batch with new events, for which there is no room; and what is to be tried again could not be claimed.
        Returns how many events were pruned.
        """
        new = [waiting.batch.events[0][0] for waiting in self._all_waiting() if waiting.batch.events]
        before, batch, pruned = min(new, default=_NO_SEQ), self._all_waiting()[0].batch, 0
        batch.add_rows(self._hand.collect(before_seq=before))
        while (piece := batch.split(before_seq=before, limit=_PIECE)).deliveries:
            try:
                await self._database.run_in_excess(piece.write)
            except sqlite3.Error:
                batch.put_back(piece)
                break
            again = set(map(id, batch.rows))  # that changed once more and stand in it twice
            self._hand.written(row for row in piece.rows if id(row) not in again)
            pruned += await self._make_room()
        return pruned


def _tell(settling: list[asyncio.Future[bool]], *, is_on_disk: bool) -> None:
    for settled in settling:
        if not settled.done():
            settled.set_result(is_on_disk)
    settling.clear()


def _is_read_only(database: Database) -> bool:
    """Whether the file system takes no writes at all; one that the kernel made so after an error does not say it in statvfs."""
    try:
        os.close(os.open(database.path.parent, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o600))
    except OSError as error:
        return error.errno == errno.EROFS
    return False
