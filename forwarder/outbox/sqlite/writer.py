"""Group commits: one task takes what has gathered and writes it in one transaction, again and again.

While one commit waits for the disk the next batch gathers, so that its cost is shared by as many events as arrive meanwhile. How long a
batch gathers at least depends on the pace of the events (`pace`). The POST that runs at the same time then has the interpreter to itself.
Each batch is handed to SQLite's thread once, as a whole.

What may wait for what, where there is no room for a batch:

- New events wait for room, and everything that was queued after them waits too. Reading the streams waits for them (`wait_for_room`).
- Room comes from events that are finished, and so from outcomes of events on disk. Neither these (`make_room`) nor the steps that are
  asked for `apart` wait for new events: they are written before them, and need no room of their own.
- Outcomes come from lanes, and a lane waits for no write: it claims from memory and from the file as it is (`claims`). Where memory
  has many outcomes that cannot be written, because other deliveries of their events wait, all lanes claim the oldest events only, so
  that these are finished first.

So nothing waits in a circle. A full outbox stays full only while a receiver accepts nothing, or while a person has paused it.
"""

import asyncio
import errno
import os
import sqlite3
from contextlib import suppress
from datetime import timedelta
from time import monotonic

import structlog

from forwarder.clocks.periodic import periodic
from forwarder.core.counted import counted
from forwarder.core.histogram import Histogram
from forwarder.outbox.problems import OutboxFailedError, OutboxUnusableError
from forwarder.outbox.sqlite.batch import Batch
from forwarder.outbox.sqlite.file.checkpoints import Checkpointer
from forwarder.outbox.sqlite.file.database import Database
from forwarder.outbox.sqlite.file.disk_space import NO_ROOM, RESERVE_BYTES, DiskFullError, free_bytes
from forwarder.outbox.sqlite.file.file_guard import FileGuard
from forwarder.outbox.sqlite.file.problems import WriteFault, classify
from forwarder.outbox.sqlite.make_room import RoomMaker
from forwarder.outbox.sqlite.row_cache import RowCache
from forwarder.outbox.sqlite.write_outage import WriteOutage
from forwarder.outbox.sqlite.write_queue import WriteQueue
from forwarder.outbox.store import OnCommitted

MAX_UNKNOWN_IN_A_ROW = 3
"""After so many failures of the disk in a row the process ends: a restart reads the file as the disk has it."""
_FIRST_REST_S, _LONGEST_REST_S = 0.1, 2.0
"""The pause between two tries to write a batch: doubled each time, until something could be written."""
_SHORT_REST_S = 0.03
"""The pause where the last try helped: what comes meanwhile is written together."""
CLOSING_S = 5.0
"""How long a disk that takes nothing is tried when the process ends; then it ends with an error."""
_TICK = timedelta(seconds=2)
_NOT_WRITTEN = frozenset({sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})
"""Failures by which nothing was committed: SQLite reports a quota that is used up, or no room for the -shm file, in this way."""
_PROBE_BYTES = 64 * 1024

log = structlog.get_logger(__name__)


class Writer:
    """Writes the batches of the queue, and does what can be done where a write fails.

    Its task is never cancelled: a cancelled await does not stop a statement that SQLite has begun.
    """

    def __init__(
        self, database: Database, guard: FileGuard, outage: WriteOutage, queue: WriteQueue, rows: RowCache
    ) -> None:
        self._database = database
        self._guard = guard
        self._outage = outage
        self._queue = queue
        self._rows = rows
        self._checkpointer = Checkpointer(database)
        self._room_maker = RoomMaker(database, rows)
        self._closing_since: float | None = None
        self._is_tick_due = False
        self._number = 0
        self._unknown_in_a_row = 0
        self._turns = 0
        self.commit_lag = Histogram()
        self._on_committed: OnCommitted | None = None
        """The time from reading an event to having it on disk, of each event."""
        self.commits = 0
        """How many batches were written."""

    @property
    def beats(self) -> int:
        """Grows with every turn and every transaction tried, also with those that fail: a watchdog sees that it moves."""
        return self._turns + self._database.beats

    def close(self) -> None:
        """End `run` once everything that is queued is written, or when nothing could be written for five seconds more."""
        self._closing_since = monotonic()
        self._queue.due.set()
        self._queue.stirred.set()

    async def run(self) -> None:
        """Write until `close`. Raises when the file fails for good: the process must end, so that a restart checks the file."""
        self._number = await self._database.last_batch()
        ticking = asyncio.create_task(periodic(_TICK, self._tick))
        try:
            while True:
                await self._queue.due.wait()
                self._turns += 1
                if self._is_tick_due:
                    await self._keep_house()
                if self._queue.has_work:
                    await self._write_waiting()
                elif self._closing_since is not None:
                    return await self._end()
                else:
                    self._queue.rest()
                if self._is_tick_due or self._closing_since is not None:
                    self._queue.due.set()
        finally:
            ticking.cancel()

    async def _write_waiting(self) -> None:
        waiting = self._queue.take()
        batch = waiting.batch
        self._number += 1
        batch.number = self._number
        await self._commit(batch)
        if self._closing_since is not None:  # it moves: patience begins again
            self._closing_since = monotonic()
        now = monotonic()
        self._queue.pace.note_commit(len(batch.events), now=now)
        lasted_s = [now - read_at for read_at in batch.read_at]
        self.commit_lag.observe(*lasted_s)
        if self._on_committed is not None and lasted_s:
            self._on_committed(batch.event_ids(), lasted_s)
        self.commits += 1
        self._queue.note_written(waiting)
        self._checkpointer.note_written(size=batch.size, rows=len(batch.events) + len(batch.deliveries))
        await self._checkpointer.checkpoint(is_quiet=not self._queue.has_work)

    def watch_commits(self, note: OnCommitted) -> None:
        """Have `note` called with the events of each commit, once they are on disk."""
        self._on_committed = note

    def _tick(self) -> None:
        self._is_tick_due = True
        self._queue.due.set()
        if self._outage.trouble is not None:
            self._queue.give_up_settling()

    async def _end(self) -> None:
        """Make sure that what is written outlasts the closing of the file: of a deleted file nothing would."""
        await self._guard.mend_if_deleted()
        if lost := self._lost():
            raise OutboxFailedError(f"outbox {self._database.path} is lost{lost}")

    def _lost(self) -> str:
        """Return what to add where the process ends, and a file that was deleted with it."""
        return "" if self._guard.gone is None else f"; {self._guard.gone}, so that what it held is lost"

    async def _keep_house(self) -> None:
        """Check between two transactions, now and then, the file itself, the size of the WAL, and the reserve."""
        self._is_tick_due = False
        await self._guard.mend_if_deleted()
        await self._checkpointer.shrink_wal()
        if not self._database.reserve.is_there:
            await self._database.run(lambda _connection: self._database.reserve.make())

    async def _commit(self, batch: Batch) -> None:
        """Write a batch, however long that takes. Raises what must end the process."""
        rest_s, is_full = _FIRST_REST_S, False
        while True:
            self._queue.stirred.clear()
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
        self._room_maker.forget()
        self._outage.note_success()

    async def _rest(self, longest_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                await self._queue.stirred.wait()

    async def _try(self, batch: Batch, *, is_full: bool) -> None:
        self._turns += 1
        if self._unknown_in_a_row:
            await self._database.reopen()
            if await self._database.run(batch.is_on_disk):
                return  # it was on disk after all
        if self._closing_since is not None:  # the last one may have the reserve, and all the room there is
            await self._database.write_in_excess(batch, is_last=True)
        elif is_full and not batch.events:
            await self._database.write_in_excess(batch)
        else:
            await self._database.write(batch)

    async def _follow_failure(self, error: Exception, fault: WriteFault) -> bool:
        """Do what can be done about a failed write; return whether that helped, so that it is worth to try again at once."""
        await self._guard.mend_if_deleted()
        if fault is WriteFault.UNKNOWN:
            fault = _cause_of_unknown(error, self._database)
        goes_on, pruned, waiting = False, 0, ""
        match fault:
            case WriteFault.FULL:
                goes_on, pruned = await self._room_maker.make_room(
                    self._queue.not_written(), is_memory_full=self._queue.is_full
                )
                if pruned:
                    log.warning("outbox.pruned_for_room", reason=str(error), pruned=pruned)
                    return True
                waiting = f": {_what_is_full(self._database, error)}{await self._room_maker.waiting_for()}"
            case WriteFault.UNKNOWN:
                self._unknown_in_a_row += 1
                if self._unknown_in_a_row >= MAX_UNKNOWN_IN_A_ROW:
                    raise OutboxFailedError(
                        f"the disk of outbox {self._database.path} failed {self._unknown_in_a_row} times in a row: {error}"
                    ) from error
            case _:
                pass
        self._outage.note_failure(fault, f"{error}{waiting}", events_in_memory=self._queue.waiting_events)
        if self._outage.trouble is not None:
            self._queue.give_up_settling()
            self._queue.stop_reading_if_full()
        if self._closing_since is not None and monotonic() - self._closing_since > CLOSING_S:
            raise OutboxFailedError(
                f"outbox {self._database.path} could not be written before the end ({error}): "
                f"{counted(self._queue.waiting_events, 'event')} and {counted(self._rows.unwritten, 'delivery', 'deliveries')} were in memory alone"
                f"{self._lost()}"
            ) from error
        return goes_on


def _what_is_full(database: Database, error: Exception) -> str:
    """Return whether the disk or `max_size` is full; SQLite reports both in the same way."""
    most = database.settings.max_size
    is_disk = isinstance(error, DiskFullError) or free_bytes(database.path.parent) <= 2 * RESERVE_BYTES
    if most is not None and not is_disk:
        return f"outbox.max_size ({most / 1024**2:g} MiB) is reached"
    return "the disk has no room left"


def _cause_of_unknown(error: Exception, database: Database) -> WriteFault:
    """Return what the file system says to a write of its own, where SQLite reports only that one failed.

    Statvfs shows neither a quota, nor that the kernel made a file system read-only after an error.
    """
    try:
        descriptor = os.open(database.path.parent, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, _PROBE_BYTES)
        finally:
            os.close(descriptor)
    except OSError as refused:
        if refused.errno == errno.EROFS:
            return WriteFault.READ_ONLY
        if refused.errno in NO_ROOM and getattr(error, "sqlite_errorcode", None) in _NOT_WRITTEN:
            return WriteFault.FULL
    return WriteFault.UNKNOWN
