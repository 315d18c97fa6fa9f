"""What is done on a full disk. SQLite can then neither delete nor checkpoint, so a reserve file gives up its room first.

A commit is refused where the file would have no room to grow by what the WAL then holds. Otherwise a reader that keeps the WAL for
a while could leave a disk on which the WAL takes everything, and can never be moved into the file again.
"""

import errno
import os
import sqlite3
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from forwarder.outbox.sqlite.file.names import beside
from forwarder.outbox.sqlite.pages import free_pages, give_back, page_count, page_size
from forwarder.outbox.sqlite.prune_slices import ANY_CLOSED, ANY_DELIVERED, Cutoff, prune_slice
from forwarder.outbox.sqlite.transactions import transaction

RESERVE_BYTES = 1024 * 1024
_SLICE = 100
PLENTY_BYTES = 64 * 1024 * 1024
"""Bytes free on the disk that are more than twice what any batch needs."""
_MORE_PAGES = 16
"""Pages that a batch touches in addition to those of its events."""
_STEP_PAGES = 32
"""Pages that are given back at once: what moves for them has to fit into the WAL."""
_ENOUGH_BYTES = 8 * 1024 * 1024
"""The room that pruning aims at, on the disk and in the file together: a quarter of a disk that is smaller than four times that, but
always what the next batch needs."""
_LEAST_AIM_BYTES = 256 * 1024
"""The same where dead letters are deleted for it: no more of them than needed."""
_GROWTH_STEP_BYTES = 256 * 1024
_GROWTH_MARGIN_BYTES = 64 * 1024
"""For the bookkeeping of the file system, and for the -shm file, which grows with the WAL."""
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
"""The errors of a disk that is full, and of a quota that is used up."""


class DiskFullError(sqlite3.OperationalError):
    """The disk has no room for a transaction, or none to move it out of the WAL later."""

    def __init__(self) -> None:
        super().__init__("the disk is full")
        self.sqlite_errorcode = sqlite3.SQLITE_FULL


class Reserve:
    """A file beside the outbox that holds room on the disk: 1 MiB for outcomes on a full disk, and what moving the WAL needs."""

    def __init__(self, outbox: Path) -> None:
        self.outbox = outbox
        self.path = beside(outbox, ".reserve")
        self.page_size = 0
        """The size of the pages of the outbox, where it is known; otherwise it is asked for each time."""

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        with suppress(OSError):
            return self.path.stat().st_size
        return 0

    @property
    def is_there(self) -> bool:
        """Whether it holds the usual room, which can be given up."""
        return self.size >= RESERVE_BYTES

    def make(self) -> bool:
        """Make it where there is room for one and a half of it; return whether it exists now."""
        if self.is_there:
            return True
        try:
            if free_bytes(self.path.parent) < RESERVE_BYTES + RESERVE_BYTES // 2:
                return False
            return self.hold(RESERVE_BYTES) and self.is_there
        except OSError:
            return False

    def hold(self, size: int) -> bool:
        """Make it hold at least `size` bytes; return `False` where the disk has no room for that.

        Where it cannot be made for another reason, no room can be held, which is no reason to write nothing.
        """
        before = self.size
        try:
            if before < size:
                self._take(size)
        except OSError as error:
            self.cut(before)
            return error.errno not in NO_ROOM
        return True

    def cut(self, size: int) -> None:
        """Give back what it holds beyond `size` bytes."""
        with suppress(OSError):
            if size <= 0:
                self.path.unlink()
            elif self.size > size:
                os.truncate(self.path, size)

    def give_up(self) -> None:
        """Delete it."""
        self.cut(0)

    def _take(self, size: int) -> None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
        finally:
            os.close(descriptor)


def free_bytes(folder: Path) -> int:
    """Return how many bytes a user without privileges can write there."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def is_short_of_room(folder: Path) -> bool:
    """Return whether less than 64 MiB, or an eighth of a smaller disk, is left: history is deleted before the disk is full."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize < min(64 * 1024 * 1024, found.f_blocks * found.f_frsize // 8)


def growth_bytes(connection: sqlite3.Connection, reserve: Reserve) -> int:
    """Return how many bytes the file needs to grow by what the WAL holds, with a margin; 0 where it is large enough already.

    In a transaction, what that adds is counted.
    """
    try:
        size = reserve.page_size or page_size(connection)
        missing = page_count(connection) * size - reserve.outbox.stat().st_size
    except OSError:  # it was deleted: there is nothing to move the WAL into
        return 0
    if missing <= 0:
        return 0
    return -(-(missing + _GROWTH_MARGIN_BYTES) // _GROWTH_STEP_BYTES) * _GROWTH_STEP_BYTES


def require_movable(connection: sqlite3.Connection, reserve: Reserve, *, keep: int = 0) -> None:
    """Have the reserve hold what the file needs for moving the WAL, with the transaction that is open, and `keep` bytes more.

    Raises `DiskFullError` where there is no room. Nothing else can take that room meanwhile: neither the WAL nor another program.
    """
    growth = growth_bytes(connection, reserve)
    if growth and not reserve.hold(growth + keep):
        raise DiskFullError


def free_usual_reserve(connection: sqlite3.Connection, reserve: Reserve) -> None:
    """Give up the reserve, except for what moving the WAL needs."""
    reserve.cut(growth_bytes(connection, reserve))


def move_whole_wal(connection: sqlite3.Connection, reserve: Reserve) -> None:
    """Move the WAL into the file and truncate it. Raises `sqlite3.OperationalError`, as busy where a reader needs it."""
    busy, _, _ = _checkpoint(connection, reserve, "TRUNCATE")
    if busy:
        error = sqlite3.OperationalError("another program keeps a read of the outbox open")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error


def move_unread_wal(connection: sqlite3.Connection, reserve: Reserve) -> tuple[int, int]:
    """Move what no reader needs from the WAL into the file; return how many pages the WAL held, and how many of them are moved.

    It waits for nobody. Where all of it is moved, SQLite cuts the file to its pages too.
    """
    _, total, moved = _checkpoint(connection, reserve, "PASSIVE")
    return total, moved


def _checkpoint(connection: sqlite3.Connection, reserve: Reserve, mode: str) -> tuple[int, int, int]:
    """Return SQLite's answer to a checkpoint; where the disk is full, the file grows by what the reserve holds for that.

    What the file does not need after all, because of a reader, is held again at once, before others take it.
    """
    try:
        found = _pragma_checkpoint(connection, mode)
    except sqlite3.OperationalError:
        growth = growth_bytes(connection, reserve)
        usual = min(max(reserve.size - growth, 0), RESERVE_BYTES)
        reserve.cut(usual)
        try:
            _pragma_checkpoint(connection, "PASSIVE")  # the others wait for readers
        finally:
            if growth := growth_bytes(connection, reserve):
                reserve.hold(growth + usual)
        found = _pragma_checkpoint(connection, mode)
    if not growth_bytes(connection, reserve):
        reserve.cut(min(reserve.size, RESERVE_BYTES))
    return found


def _pragma_checkpoint(connection: sqlite3.Connection, mode: str) -> tuple[int, int, int]:
    busy, total, moved = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    return busy, total, moved


def require_room(connection: sqlite3.Connection, reserve: Reserve, *, size: int) -> None:
    """Raise `DiskFullError` where the disk has no room for `size` bytes of new events in the WAL, and in the file after that.

    This is an estimate, so that no transaction begins that could not be committed. The reserve is not counted.
    """
    folder = reserve.path.parent
    if free_bytes(folder) > PLENTY_BYTES:
        return
    for is_moved in (False, True):
        if is_moved:
            _try_to_move(connection, reserve)
        new = size + size // 4 + _MORE_PAGES * page_size(connection)  # rows, indexes, and pages that are not full
        growth = max(new - free_pages(connection) * page_size(connection), 0)
        if free_bytes(folder) >= new + growth:
            return
    raise DiskFullError


def move_wal_if_short(connection: sqlite3.Connection, reserve: Reserve) -> None:
    """Move the WAL into the file where the disk has little left, so that the next transaction finds room in it."""
    if free_bytes(reserve.path.parent) < PLENTY_BYTES:
        _try_to_move(connection, reserve)


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `make_room`."""

    pruned: int
    """How many events were deleted."""
    last_seq: int
    """The event up to which nothing is left to prune."""


def make_room(
    connection: sqlite3.Connection, reserve: Reserve, *, size: int, after_seq: int = 0, cutoff: Cutoff = ANY_DELIVERED
) -> Made:
    """Give up the usual reserve, prune the oldest history, make it again; return how many events were pruned.

    `size` are the bytes of the new events that shall find room. Of events up to `after_seq` nothing is left to prune.

    The WAL is moved before anything is pruned, because pruning writes to it, and again after each slice. Each step may fail
    for want of room and the others still help. With nothing to prune the reserve is there again at the end: new events shall
    not have it, because the outcomes of those on disk will need it. Runs in the connection's thread, in no transaction.
    """
    folder = reserve.path.parent
    free_usual_reserve(connection, reserve)
    _try_to_move(connection, reserve)
    after, pruned, is_last = after_seq, 0, False
    aim = _LEAST_AIM_BYTES + 2 * size if cutoff == ANY_CLOSED else _aim(folder, size)
    with suppress(sqlite3.Error):
        while not is_last and not _is_enough(connection, folder, aim):
            with transaction(connection, before_commit=partial(require_movable, reserve=reserve)):
                done = prune_slice(connection, cutoff, after_seq=after, limit=_SLICE)
            after, pruned, is_last = done.last_seq, pruned + done.pruned, done.is_last
            if done.pruned:
                _try_to_move(connection, reserve)
    _give_back(connection, reserve, size=size, is_pruned=pruned > 0)
    reserve.make()
    return Made(pruned=pruned, last_seq=after)


def _give_back(connection: sqlite3.Connection, reserve: Reserve, *, size: int, is_pruned: bool) -> None:
    """Give free pages back to the disk, where the WAL needs room; new events find the rest in the file.

    What the WAL needs for the next batch, in any case, and half of them where something was pruned.
    """
    with suppress(sqlite3.Error):
        free = free_pages(connection)
        missing = max(3 * max(RESERVE_BYTES, size) - free_bytes(reserve.path.parent), 0) // page_size(connection)
        left, before = max(free - max(free // 2 if is_pruned else 0, missing), 0), None
        while free > left and free != before:  # in steps, because what moves is written to the WAL first
            before = free
            give_back(connection, _STEP_PAGES)
            move_whole_wal(connection, reserve)
            free = free_pages(connection)


def _aim(folder: Path, size: int) -> int:
    found = os.statvfs(folder)
    return max(min(_ENOUGH_BYTES, found.f_blocks * found.f_frsize // 4), 5 * max(RESERVE_BYTES, size))


def _is_enough(connection: sqlite3.Connection, folder: Path, aim: int) -> bool:
    """Return whether there is room on the disk, for the WAL and the reserve, and in the file."""
    return min(free_bytes(folder), aim * 3 // 5) + free_pages(connection) * page_size(connection) >= aim


def _try_to_move(connection: sqlite3.Connection, reserve: Reserve) -> None:
    with suppress(sqlite3.Error):
        move_whole_wal(connection, reserve)
