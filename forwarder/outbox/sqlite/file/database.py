"""The outbox file over the whole run: one connection, which is reopened after a fault, and every access to the file."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeVar

import tenacity

from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite.batch import Batch
from forwarder.outbox.sqlite.file.connection import PAGE_SIZE, FileSettings, OutboxConnection, connection_to
from forwarder.outbox.sqlite.file.disk_space import (
    PLENTY_BYTES,
    RESERVE_BYTES,
    Made,
    Reserve,
    free_bytes,
    free_usual_reserve,
    make_room,
    move_unread_wal,
    move_whole_wal,
    require_movable,
    require_room,
)
from forwarder.outbox.sqlite.file.integrity import Check, damaged_in_use
from forwarder.outbox.sqlite.file.names import WAL, beside
from forwarder.outbox.sqlite.file.problems import DAMAGE, error_code
from forwarder.outbox.sqlite.pages import page_count, page_size
from forwarder.outbox.sqlite.prune_slices import ANY_DELIVERED, Cutoff
from forwarder.outbox.sqlite.statements import SQL

_T = TypeVar("_T")

STUCK_S = 5.0
"""When a call that the disk has not answered counts as a trouble; claims then go on from memory alone."""
_READ_AGAIN_S = 1.0
_ASK_DISK_EVERY_S = 1.0
"""How often the disk is asked for its room while it has plenty; otherwise it is asked before each batch."""
_ANY_NUMBER_OF_PAGES = 0xFFFF_FFFE
"""The most that SQLite knows."""


class Database:
    """Owns the connection to one file. Everything that touches the file runs in the thread of that connection."""

    def __init__(self, settings: FileSettings) -> None:
        self.settings = settings
        self.path = settings.path
        self.reserve = Reserve(settings.path)
        self._connection: OutboxConnection | None = None
        self.inodes: tuple[int | None, int | None] = (None, None)
        """Of the file and of its WAL, as they were opened."""
        self.page_size = PAGE_SIZE
        self.wal_pages = 0.0
        """About how many pages the WAL holds that are not in the file."""
        self.free_bytes = 0
        """How many bytes the disk had free when it was asked last."""
        self._asked_disk_at = 0.0
        self.delivered_may_go = ANY_DELIVERED
        """Which history may be deleted to make room."""
        self.beats = 0
        """Grows during one long operation, so that a watchdog sees progress."""
        self._pages_at_first: int | None = None
        """How many pages the file had when it was opened; more than `max_size` allows where that is smaller now."""
        self._calls: dict[int, float] = {}
        """When each call that has not returned began, by number, oldest first; by the monotonic clock."""
        self._number = 0

    async def open(self, *, check: Check = Check.ALL) -> None:
        """Open the file; see `connection_to`. Where the disk is too full for that, the usual reserve goes."""
        connection = connection_to(self.settings, check=check)
        try:
            await connection.open()
        except OutboxUnusableError as error:
            is_full = error.problem is OutboxProblem.UNWRITABLE and free_bytes(self.path.parent) < RESERVE_BYTES
            if not (is_full and self.reserve.size):
                raise
            self.reserve.cut(self.reserve.size - RESERVE_BYTES)
            connection = connection_to(self.settings, check=check)
            await connection.open()
        self._connection = connection
        self.inodes = await self.run(lambda _connection: self.inodes_now())
        self.page_size = self.reserve.page_size = await self.run(page_size)
        if self._pages_at_first is None:
            self._pages_at_first = await self.run(page_count)
        self.wal_pages = self.wal_size / self.page_size
        if check is not Check.NOTHING and self.wal_pages:
            with suppress(sqlite3.Error):  # a full disk, or a reader: what is in the WAL is read from there
                await self.move_whole_wal()

    @property
    def is_open(self) -> bool:
        """Whether it has a connection."""
        return self._connection is not None

    def inodes_now(self) -> tuple[int | None, int | None]:
        """Return the inodes of what is at the paths of the file and of its WAL."""
        return _inode(self.path), _inode(self.wal_path)

    @property
    def wal_path(self) -> Path:
        """SQLite's write-ahead log beside the file."""
        return beside(self.path, WAL)

    @property
    def wal_size(self) -> int:
        """Bytes of the WAL file; it is used again from its start, so it may hold less."""
        with suppress(OSError):
            return self.wal_path.stat().st_size
        return 0

    async def run(self, function: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return what `function` returns, called in the connection's thread. Raises `OutboxFailedError` where it meets damage."""
        if self._connection is None:
            raise sqlite3.OperationalError("the outbox file is not open")
        self._number += 1
        number, self._calls[self._number] = self._number, monotonic()

        def call(connection: sqlite3.Connection) -> _T:
            try:
                return function(connection)
            finally:
                self._calls.pop(number, None)

        try:
            return await self._connection.run(call)
        except sqlite3.Error as error:
            if error_code(error) in DAMAGE:
                raise damaged_in_use(self.path, str(error)) from error
            raise
        except ValueError:  # it was closed at the same moment
            self._calls.pop(number, None)
            raise

    async def read(self, look: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return what is read, once the file can be read. Damage raises.

        The caller may be cancelled at any moment: a read has no effect.
        """
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(sqlite3.Error), wait=tenacity.wait_fixed(_READ_AGAIN_S)
        )
        found: _T = await retrying(self.run, look)
        return found

    async def run_briefly(self, function: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do the same as `run`, but wait `STUCK_S` at most. Raises `TimeoutError` then, and what `run` raises."""
        async with asyncio.timeout(STUCK_S):
            return await self.run(function)

    @property
    def is_stuck(self) -> bool:
        """Whether the disk has not answered for `STUCK_S`, so that the file can neither be written nor read."""
        return self.stands_for_s > STUCK_S

    @property
    def stands_for_s(self) -> float:
        """How many seconds the disk has not answered the oldest call; 0.0 where there is none."""
        began = next(iter(tuple(self._calls.values())), None)
        return 0.0 if began is None else monotonic() - began

    async def write(self, batch: Batch) -> None:
        """Write a batch, where it can be moved out of the WAL later. Raises what SQLite raises."""

        def write(connection: sqlite3.Connection) -> None:
            if self._may_lack_room() and batch.events:
                require_room(connection, self.reserve, size=batch.size)
            keep = RESERVE_BYTES if self.reserve.is_there else 0
            batch.write(connection, partial(require_movable, reserve=self.reserve, keep=keep))

        await self.run(write)

    def _may_lack_room(self) -> bool:
        """Return whether the disk has less than plenty of room, as it said at most a second ago."""
        now = monotonic()
        if self.free_bytes <= PLENTY_BYTES or now - self._asked_disk_at > _ASK_DISK_EVERY_S:
            try:
                self.free_bytes, self._asked_disk_at = free_bytes(self.path.parent), now
            except OSError:  # the folder was deleted; the open file can be written until it is restored
                return False
        return self.free_bytes <= PLENTY_BYTES

    async def write_in_excess(self, batch: Batch, *, is_last: bool = False) -> None:
        """Write a batch as `run_in_excess` runs it."""
        await self.run_in_excess(lambda connection: batch.write(connection, self.require_movable), is_last=is_last)

    async def run_in_excess(self, function: Callable[[sqlite3.Connection], _T], *, is_last: bool = False) -> _T:
        """Run it without the usual reserve, and allow a little more than `max_size`: what makes room later may need some first.

        Its transactions must be committed with `require_movable`.

        With `is_last` there is no limit: at the end of the process what is in memory is worth more than the limit.
        """
        limits = self._limits(is_last=is_last)

        def run(connection: sqlite3.Connection) -> _T:
            free_usual_reserve(connection, self.reserve)
            if limits is None:
                return function(connection)
            usual, most = limits
            connection.execute(f"PRAGMA max_page_count = {most}").fetchall()
            try:
                return function(connection)
            finally:  # SQLite keeps what is there meanwhile
                connection.execute(f"PRAGMA max_page_count = {usual}").fetchall()

        return await self.run(run)

    def _limits(self, *, is_last: bool) -> tuple[int, int] | None:
        """Return how many pages the file may have usually, and how many in excess."""
        usual = self.settings.max_pages(self.page_size)
        if usual is None:
            return None
        if is_last:
            return usual, _ANY_NUMBER_OF_PAGES
        return usual, max(usual, self._pages_at_first or 0) + RESERVE_BYTES // self.page_size

    def require_movable(self, connection: sqlite3.Connection) -> None:
        """See `disk_space.require_movable`, for transactions that may have the usual reserve."""
        require_movable(connection, self.reserve)

    async def move_whole_wal(self) -> None:
        """See `disk_space.move_whole_wal`."""
        await self.run(lambda connection: move_whole_wal(connection, self.reserve))

    async def move_unread_wal(self) -> tuple[int, int]:
        """See `disk_space.move_unread_wal`."""
        return await self.run(lambda connection: move_unread_wal(connection, self.reserve))

    async def close(self) -> None:
        """Close it; the last connection moves the WAL into the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def reopen(self) -> None:
        """Reopen it after a fault that leaves unknown what is on disk. Raises `OutboxUnusableError`, `sqlite3.Error`.

        What the WAL then holds may be in the kernel's page cache alone, and after a failed sync a second one reports success
        without having written those pages (LWN 752063). Moved into the file, they are written and synced again.
        """
        with suppress(sqlite3.Error):
            await self.close()
        await self.open(check=Check.NOTHING)
        await self.move_whole_wal()

    async def last_batch(self) -> int:
        """Return the number of the last batch that is on disk."""
        return await self.run(lambda connection: int(connection.execute(SQL["last_batch"]).fetchone()[0]))

    async def make_room(self, *, size: int, after_seq: int = 0, cutoff: Cutoff | None = None) -> Made:
        """See `disk_space.make_room`; without a cutoff the delivered history goes that may go."""
        goes = self.delivered_may_go if cutoff is None else cutoff
        return await self.run(
            lambda connection: make_room(connection, self.reserve, size=size, after_seq=after_seq, cutoff=goes)
        )


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
