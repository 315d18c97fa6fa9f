"""The outbox file over the whole run: its connection, opened anew after a fault, its checkpoints, and what if it disappears."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TypeVar

import structlog
import tenacity

from forwarder.outbox import swap
from forwarder.outbox.batch import Batch
from forwarder.outbox.connection import PAGE_SIZE, FileSettings, OutboxConnection, connection_to, page_size
from forwarder.outbox.inspection import Check, damaged_in_use
from forwarder.outbox.problems import DAMAGE, OutboxProblem, OutboxReplacedError, OutboxUnusableError, error_code
from forwarder.outbox.retention import ANY_DELIVERED, Cutoff, page_count
from forwarder.outbox.room import RESERVE_BYTES, Made, Reserve, free_bytes, make_room, move_whole_wal, require_room
from forwarder.outbox.statements import SQL

_T = TypeVar("_T")

CHECKPOINT_PAGES = 500
"""Of the WAL, before a quiet moment is used to move them into the file: 4 MB."""
MAX_WAL_PAGES = 8_000
"""Before it is done whatever else there is to do: 64 MB."""
_LEAST_CHECKPOINT_PAGES = 50
"""Less is not worth a checkpoint even on a disk that is nearly full; the reserve is larger."""
_WARN_WAL_PAGES = 12_000
_WARN_EVERY_S = 60.0
_READ_AGAIN_S = 1.0
_ANY_NUMBER_OF_PAGES = 0xFFFF_FFFE
"""The most that SQLite knows."""

log = structlog.get_logger(__name__)


class Database:
    """One file. Everything that touches it runs in the one thread of its connection."""

    def __init__(self, settings: FileSettings) -> None:
        self.settings = settings
        self.path = settings.path
        self.reserve = Reserve(settings.path)
        self._connection: OutboxConnection | None = None
        self._inodes: tuple[int | None, int | None] = (None, None)
        self._page_size = PAGE_SIZE
        self._wal_pages = 0.0
        self._warned_at: float | None = None
        self._said_gone_at: float | None = None
        self.gone: str | None = None
        """Why a deleted file could not be written out again; `None` while it is where it was."""
        self.delivered_may_go = ANY_DELIVERED
        """What history may be deleted to make room."""
        self.beats = 0
        """Grows while something long is done in one piece."""
        self._pages_at_first: int | None = None
        """That the file had when it was opened: it may be larger than it should be, where `max_size` is a smaller one now."""
        self._calls: dict[int, float] = {}
        """When each call that has not returned began, by the monotonic clock: by number, oldest first."""
        self._number = 0

    async def open(self, *, check: Check = Check.ALL) -> None:
        """Open the file; see `connection_to`. Where the disk is too full for that, the reserve goes."""
        connection = connection_to(self.settings, check=check)
        try:
            await connection.open()
        except OutboxUnusableError as error:
            is_full = error.problem is OutboxProblem.UNWRITABLE and free_bytes(self.path.parent) < RESERVE_BYTES
            if not (is_full and self.reserve.is_there):
                raise
            self.reserve.give_up()
            connection = connection_to(self.settings, check=check)
            await connection.open()
        self._connection = connection
        self._inodes = await self.run(lambda _connection: (_inode(self.path), _inode(self.wal_path)))
        self._page_size = await self.run(page_size)
        if self._pages_at_first is None:
            self._pages_at_first = await self.run(page_count)
        self._wal_pages = self.wal_size / self._page_size
        if check is not Check.NOTHING and self._wal_pages:
            with suppress(sqlite3.Error):  # a full disk, or a reader: what is in the WAL is read from there
                await self.run(move_whole_wal)

    @property
    def wal_path(self) -> Path:
        """SQLite's write-ahead log beside the file."""
        return self.path.with_name(self.path.name + "-wal")

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
        """Return what is read; while the file is being opened anew, or cannot be read, once it can. Damage raises.

        Whoever awaits it may be cancelled at any moment: nothing comes of a look that nobody waits for.
        """
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(sqlite3.Error), wait=tenacity.wait_fixed(_READ_AGAIN_S)
        )
        found: _T = await retrying(self.run, look)
        return found

    @property
    def stands_for_s(self) -> float:
        """For how long the disk has not answered the call that it is at; 0.0: it is at none."""
        began = next(iter(tuple(self._calls.values())), None)
        return 0.0 if began is None else monotonic() - began

    async def write(self, batch: Batch) -> None:
        """Write a batch, where it can also be moved out of the WAL later. Raises what SQLite raises."""

        def write(connection: sqlite3.Connection) -> None:
            if batch.events:
                require_room(connection, self.wal_path, size=batch.size)
            batch.write(connection)

        await self.run(write)

    async def run_in_excess(self, function: Callable[[sqlite3.Connection], _T], *, is_last: bool = False) -> _T:
        """Do so without the reserve, and a little beyond `max_size`: what makes room later may need some first.

        `is_last`: as far beyond as needed. At the end of the process what is in memory is worth more than the limit.
        """
        limits = self._limits(is_last=is_last)

        def run(connection: sqlite3.Connection) -> _T:
            self.reserve.give_up()
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
        """Return how many pages the file may have, and how many in excess."""
        usual = self.settings.max_pages(self._page_size)
        if usual is None:
            return None
        if is_last:
            return usual, _ANY_NUMBER_OF_PAGES
        return usual, max(usual, self._pages_at_first or 0) + RESERVE_BYTES // self._page_size

    async def close(self) -> None:
        """Close it; the last connection moves the WAL into the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def reopen(self) -> None:
        """Open it anew, after a fault that leaves unknown what is on disk. Raises `OutboxUnusableError`, `sqlite3.Error`.

        What the WAL then holds may be in the kernel's page cache alone, and after a failed sync a second one reports success
        without having written those pages (LWN 752063). Moved into the file, they are written and synced anew.
        """
        with suppress(sqlite3.Error):
            await self.close()
        await self.open(check=Check.NOTHING)
        await self.run(move_whole_wal)

    async def last_batch(self) -> int:
        """Return the number of the last batch that is on disk."""
        return await self.run(lambda connection: int(connection.execute(SQL["last_batch"]).fetchone()[0]))

    async def make_room(self, *, size: int, after_seq: int = 0, cutoff: Cutoff | None = None) -> Made:
        """See `room.make_room`; without a cutoff the delivered history goes that may go."""
        goes = self.delivered_may_go if cutoff is None else cutoff
        return await self.run(
            lambda connection: make_room(connection, self.reserve, size=size, after_seq=after_seq, cutoff=goes)
        )

    def note_written(self, *, size: int, rows: int) -> None:
        """Keep in mind how much a commit added to the WAL: `size` bytes of bodies, `rows` of all kinds."""
        self._wal_pages += 6 + size / self._page_size + rows / 4

    async def checkpoint(self, *, is_quiet: bool) -> None:
        """Move the WAL into the file when it has grown enough; sooner in a quiet moment, and where the disk is nearly full."""
        if self._wal_pages < (CHECKPOINT_PAGES if is_quiet else MAX_WAL_PAGES) and not self._is_disk_small_for_it():
            return
        try:
            _, total, moved = await self.run(_checkpoint)
        except sqlite3.Error as error:
            log.warning("outbox.checkpoint_failed", reason=str(error))
            total, moved = 0, 0
        self._wal_pages = 0.0
        if total - moved > _WARN_WAL_PAGES and not self._warned_lately():
            log.warning(
                "outbox.wal_growing",
                size=self.wal_size,
                note="another program keeps a read of the outbox open; close it, or the disk fills up",
            )

    def _is_disk_small_for_it(self) -> bool:
        """Whether the disk may be full before the WAL is moved: the file may grow by as much as it holds."""
        if self._wal_pages < _LEAST_CHECKPOINT_PAGES:
            return False
        with suppress(OSError):
            return self._wal_pages * self._page_size > free_bytes(self.path.parent) / 4
        return False

    async def shrink_wal(self) -> None:
        """Cut a WAL that a burst or a reader made large, once nothing keeps it."""
        if self.wal_size > MAX_WAL_PAGES * self._page_size * 5 // 4:
            with suppress(sqlite3.Error):
                await self.run(move_whole_wal)

    async def mend_if_deleted(self) -> None:
        """Look whether the file is still where it was; write it out again from the open connection where it was deleted.

        Where that fails `gone` says why; called again, it tries again. Raises `OutboxReplacedError` when another file is in its
        place.
        """
        if self._connection is None:
            return
        try:
            await self._mend_if_deleted()
        except (sqlite3.Error, OSError) as error:
            self.gone = f"the file was deleted while in use, and cannot be written out again ({error})"
            self.reserve.give_up()
            now = monotonic()
            if self._said_gone_at is None or now - self._said_gone_at >= _WARN_EVERY_S:
                self._said_gone_at = now
                log.error(  # noqa: TRY400 - our own sentence
                    "outbox.deleted",
                    reason=str(error),
                    note="what it holds is in the open file alone: make room, and do not stop forwarder before it is restored",
                )
        else:
            self.gone = self._said_gone_at = None

    async def _mend_if_deleted(self) -> None:
        inode, wal_inode = self._inodes
        file, wal = _inode(self.path), _inode(self.wal_path)
        if file is None:
            await self._write_out()
        elif file != inode:
            raise OutboxReplacedError(
                f"outbox {self.path}: another file was put in its place while it was in use; what is in memory now "
                "belongs to the one that is gone. Stop forwarder before you restore a file"
            )
        elif wal_inode is not None and wal != wal_inode:
            await self.run(move_whole_wal)
            await self.reopen()
            log.error("outbox.wal_deleted", note="something deleted the -wal file; its content was moved into the file")
        elif wal_inode is None:
            self._inodes = file, wal

    async def _write_out(self) -> None:
        copy = swap.beside(self.path, ".restoring")

        def write(connection: sqlite3.Connection) -> None:
            copy.unlink(missing_ok=True)
            connection.set_progress_handler(self._beat, 1_000_000)
            try:
                connection.execute("VACUUM INTO ?", (str(copy),))
                _make_private_and_sync(copy)
            except BaseException:
                copy.unlink(missing_ok=True)  # the room is needed
                raise
            finally:
                connection.set_progress_handler(None, 0)

        await self.run(write)
        swap.make_ready(self.path, copy)
        await self.close()
        for left in ("-wal", "-shm"):  # of the file that is gone: SQLite would read them into the new one
            swap.beside(self.path, left).unlink(missing_ok=True)
        swap.finish(self.path)
        await self.open(check=Check.NOTHING)
        log.error(
            "outbox.restored", path=str(self.path), note="the file was deleted while in use; it was written out again"
        )

    def _beat(self) -> int:
        self.beats += 1
        return 0

    def _warned_lately(self) -> bool:
        now = monotonic()
        if self._warned_at is not None and now - self._warned_at < _WARN_EVERY_S:
            return True
        self._warned_at = now
        return False


def _checkpoint(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Move what no reader needs; return (busy, pages in the WAL, pages moved)."""
    busy, total, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(busy), int(total), int(moved)


def _make_private_and_sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o600)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
