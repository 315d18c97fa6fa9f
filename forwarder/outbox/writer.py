"""Group commits: one task takes whatever has queued up and writes it in one transaction, again and again.

While one commit waits for the disk the next batch gathers, so the cost of a sync is shared by as many events as arrive
during it and in the two milliseconds after.

What may wait for what, where there is no room for a batch:

- New events wait for room, and with them whatever was queued after them. Reading waits for them (`wait_for_room`).
- Room comes from events that are through, and so from outcomes of events on disk. Neither these (`way_out`) nor the steps that
  are asked for `apart` wait for new events: they are written before them, and need no room of their own.
- Outcomes come from lanes, and a lane waits for nothing that is written: it claims from memory and from the file as it is
  (`claims`). Where many outcomes are in memory that cannot be written, because others of their events wait, lanes claim the
  oldest events alone, and all of them the same, so that these are through first.

So there is no circle, and nothing but a receiver that takes nothing, or a person's pause, keeps a full outbox full.
"""

import asyncio
import errno
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import TypeVar

import structlog

from forwarder.core.books import Minute
from forwarder.core.histogram import Histogram
from forwarder.outbox.batch import Batch, Step, Waiting, answer
from forwarder.outbox.database import Database
from forwarder.outbox.problems import OutboxFailedError, OutboxUnusableError, WriteFault, classify
from forwarder.outbox.room import RESERVE_BYTES, free_bytes
from forwarder.outbox.rows import Hand, Values
from forwarder.outbox.trouble import Trouble
from forwarder.outbox.way_out import WayOut

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
_FIRST_REST_S, _LONGEST_REST_S = 0.1, 2.0
"""Between two tries to write a batch: doubled each time, until something could be written."""
_SHORT_REST_S = 0.03
"""While it goes on: what comes meanwhile goes together."""
STUCK_S = 5.0
"""A call that the disk has not answered for so long is a trouble: claims go on from memory alone."""
CLOSING_S = 5.0
"""How long a disk that takes nothing is tried at the end; the process then ends with an error."""
_TICK_S = 2.0

log = structlog.get_logger(__name__)


class Writer:
    """Commits what the outbox's verbs bring.

    The task that does it is never cancelled: a cancelled await does not stop a statement that SQLite has begun.
    """

    def __init__(self, database: Database, hand: Hand) -> None:
        self._database = database
        self._hand = hand
        self._waiting = Waiting()
        self._gathered: deque[Waiting] = deque()
        """Batches before it that are as large as one may be."""
        self._under_way: Waiting | None = None
        self._left_events = self._left_bytes = 0
        """Of the batches that gather no more and are not on disk."""
        most = database.settings.max_size
        self._most_bytes = MAX_BATCH_BYTES if most is None else min(MAX_BATCH_BYTES, most // _BATCHES_OF_A_FILE)
        self._events: dict[int, Values] = {}
        """Those that are not on disk, by their number."""
        self._arrived = asyncio.Event()
        self._stirred = asyncio.Event()
        """Set when something came that a batch which cannot be written should not hold up."""
        self._is_stop_of_reading_told = False
        self._room = asyncio.Event()
        self._room.set()
        self._closing_since: float | None = None
        self._is_tick_due = False
        self._number = 0
        self._last_size = 0
        self._unknown_in_a_row = 0
        self._trouble = Trouble()
        self._way_out = WayOut(database, hand)
        self.commit_lag = Histogram()
        """Of each event, from being read to being on disk."""
        self.commits = 0
        self._turns = 0

    # What the verbs call

    def add_event(self, values: Values, *, size: int, planned: int, read_at: float) -> None:
        """Queue a row of `events`; `size` is that of its body in bytes, `read_at` by the monotonic clock in seconds.

        Of its `planned` deliveries the rows are in the hand already.
        """
        batch = self._waiting.batch
        batch.add_event(values, size=size, planned=planned, read_at=read_at)
        self._events[values[0]] = values
        self._arrived.set()
        if batch.size >= self._most_bytes:
            self._gathered.append(self._turn_over())
        if self._gathered or len(batch.events) > _LOOK_AT:
            self._stop_reading_if_full()

    def _turn_over(self) -> Waiting:
        """Have another batch gather; return the one that did."""
        gathered, self._waiting = self._waiting, Waiting()
        self._left_events += len(gathered.batch.events)
        self._left_bytes += gathered.batch.size
        return gathered

    def _stop_reading_if_full(self) -> None:
        if not self._is_full():
            return
        if self.trouble is not None and not self._is_stop_of_reading_told:
            self._is_stop_of_reading_told = True
            log.error("outbox.reading_stopped", reason=self.trouble, note="memory is full; goes on when the disk does")
        self._room.clear()

    def books_of(self, minute: int) -> Minute:
        """Return the books of a Unix minute, to be added to at once: they are written with the next batch."""
        self._arrived.set()
        return self._waiting.batch.books[minute]

    def wake(self) -> None:
        """Have the changed rows of the hand written."""
        self._arrived.set()

    async def ask(self, step: Step[_T], *, apart: bool = False) -> _T:
        """Queue a step and return its result once the transaction it was in is committed.

        `apart`: it may be carried out before what was queued earlier, where that cannot be written for want of room. To be used
        of what makes room, or of what deliveries on disk wait for.
        """
        asked: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        if apart:
            self._waiting.batch.steps_apart.append(step)
            self._waiting.apart.append(asked)
            self._stirred.set()
        else:
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
        if (stands_for_s := self._database.stands_for_s) > STUCK_S:
            return f"the disk has not answered for {stands_for_s:.0f} s"
        return self._database.gone or self._trouble.reason

    @property
    def is_stuck(self) -> bool:
        """Whether the file can neither be written nor read, because the disk does not answer."""
        return self._database.stands_for_s > STUCK_S

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
        self._stirred.set()

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
        for values in batch.events:
            del self._events[values[0]]
        now = monotonic()
        for read_at in batch.read_at:
            self.commit_lag.observe(now - read_at)
        self.commits += 1
        self._hand.written(batch.rows.values())
        answer(waiting.asked, batch.results)
        answer(waiting.apart, batch.results_apart)
        _tell(waiting.settling, is_on_disk=True)
        if not self._has_work():  # a fault may have had the batch take along what came after it
            _tell(self._waiting.settling, is_on_disk=True)
        if not self._is_full():
            self._room.set()
            self._is_stop_of_reading_told = False
        self._database.note_written(size=batch.size, rows=len(batch.events) + len(batch.deliveries))
        await self._database.checkpoint(is_quiet=not self._has_work())

    def _all_waiting(self) -> list[Waiting]:
        under_way = () if self._under_way is None else (self._under_way,)
        return [*under_way, *self._gathered, self._waiting]

    def unwritten_events(self) -> Mapping[int, Values]:
        """Return the rows of events that are not on disk, by their number: as they are now, and will be."""
        return self._events

    def _is_full(self) -> bool:
        return (
            self.waiting_events >= MAX_WAITING_EVENTS
            or self._left_bytes + self._waiting.batch.size >= MAX_WAITING_BYTES
        )

    def _has_work(self) -> bool:
        batch = self._waiting.batch
        return bool(
            self._gathered or batch.events or batch.steps or batch.steps_apart or batch.books or self._hand.changed
        )

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._is_tick_due = True
            self._arrived.set()
            if self.trouble is not None:
                self._tell_all_settling()

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
        """Write a batch, however long it takes. Raises what must end the process."""
        rest_s, is_full = _FIRST_REST_S, False
        while True:
            self._stirred.clear()
            try:
                await self._try(batch, is_full=is_full)
                break
            except (sqlite3.Error, OutboxUnusableError) as error:
                fault = classify(error)
                if fault is WriteFault.FATAL:
                    raise
                is_full = fault is WriteFault.FULL
                if await self._follow_failure(error, fault):
                    rest_s = _FIRST_REST_S
                    await asyncio.sleep(_SHORT_REST_S)
                else:
                    await self._rest(rest_s)
                    rest_s = min(2 * rest_s, _LONGEST_REST_S)
        self._unknown_in_a_row = 0
        self._way_out.forget()
        self._trouble.end()

    async def _rest(self, longest_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                await self._stirred.wait()

    async def _try(self, batch: Batch, *, is_full: bool) -> None:
        self._turns += 1
        if self._unknown_in_a_row:
            await self._database.reopen()
            if await self._database.last_batch() >= batch.number:
                return  # it was on disk after all
        if self._closing_since is not None:  # the last one may have the reserve, and all the room there is
            await self._database.run_in_excess(batch.write, is_last=True)
        elif is_full and not batch.events:
            await self._database.run_in_excess(batch.write)
        else:
            await self._database.write(batch)

    async def _follow_failure(self, error: Exception, fault: WriteFault) -> bool:
        """Do what can be done about a failure; return whether something could be, and it is worth to try again at once."""
        await self._database.mend_if_deleted()
        if fault is WriteFault.UNKNOWN and _is_read_only(self._database):
            fault = WriteFault.READ_ONLY
        goes_on, pruned, waiting = False, 0, ""
        match fault:
            case WriteFault.FULL:
                goes_on, pruned = await self._way_out.go(self._all_waiting(), is_memory_full=self._is_full())
                if pruned:
                    log.warning("outbox.pruned_for_room", reason=str(error), pruned=pruned)
                    return True
                waiting = f": {_what_is_full(self._database)}{await self._way_out.waiting_for()}"
            case WriteFault.UNKNOWN:
                self._unknown_in_a_row += 1
                if self._unknown_in_a_row >= MAX_UNKNOWN_IN_A_ROW:
                    raise OutboxFailedError(
                        f"the disk of outbox {self._database.path} failed {self._unknown_in_a_row} times in a row: {error}"
                    ) from error
            case _:
                pass
        self._trouble.note(fault, f"{error}{waiting}", events_in_memory=self.waiting_events)
        if self.trouble is not None:
            self._tell_all_settling()
            self._stop_reading_if_full()
        if self._closing_since is not None and monotonic() - self._closing_since > CLOSING_S:
            raise OutboxFailedError(
                f"outbox {self._database.path} could not be written before the end ({error}): "
                f"{self.waiting_events} events and {self._hand.unwritten} deliveries were in memory alone{self._lost()}"
            ) from error
        return goes_on

    def _tell_all_settling(self) -> None:
        for waiting in self._all_waiting():
            _tell(waiting.settling, is_on_disk=False)


def _tell(settling: list[asyncio.Future[bool]], *, is_on_disk: bool) -> None:
    for settled in settling:
        if not settled.done():
            settled.set_result(is_on_disk)
    settling.clear()


def _what_is_full(database: Database) -> str:
    """Return which of the two it is of which SQLite says the same."""
    most = database.settings.max_size
    if most is not None and free_bytes(database.path.parent) > RESERVE_BYTES:
        return f"outbox.max_size ({most / 1024**2:g} MiB) is reached"
    return "the disk has no room left"


def _is_read_only(database: Database) -> bool:
    """Whether the file system takes no writes at all; one that the kernel made so after an error does not say it in statvfs."""
    try:
        os.close(os.open(database.path.parent, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o600))
    except OSError as error:
        return error.errno == errno.EROFS
    return False
