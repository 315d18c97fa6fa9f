"""A full disk: SQLite can then neither delete nor checkpoint, so a file of our own is given up first."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from forwarder.outbox.batch import transaction
from forwarder.outbox.connection import page_size
from forwarder.outbox.retention import ANY_CLOSED, ANY_DELIVERED, Cutoff, free_pages, give_back, prune_slice

RESERVE_BYTES = 1024 * 1024
_SLICE = 100
_PLENTY_BYTES = 64 * 1024 * 1024
"""Free on the disk: more than any batch needs, twice."""
_PAGES_BESIDE = 16
"""That a batch touches beside those of its events."""
_STEP_PAGES = 32
"""Given back at once: what moves for them has to fit into the WAL."""
_ENOUGH_BYTES = 8 * 1024 * 1024
"""What pruning for room aims at, free on the disk and in the file together; a quarter of a disk that is smaller than four
times that, but what the next batch needs in any case."""
_LEAST_AIM_BYTES = 256 * 1024
"""The same where dead letters go for it: no more of them than needed."""


class Reserve:
    """A file of 1 MiB beside the outbox, there to be deleted when the disk is full."""

    def __init__(self, outbox: Path) -> None:
        self.path = outbox.with_name(outbox.name + ".reserve")

    @property
    def is_there(self) -> bool:
        """Whether it can be given up."""
        with suppress(OSError):
            return self.path.stat().st_size >= RESERVE_BYTES
        return False

    def make(self) -> bool:
        """Make it where there is room for it and half as much again; return whether it is there now."""
        if self.is_there:
            return True
        try:
            if free_bytes(self.path.parent) < RESERVE_BYTES + RESERVE_BYTES // 2:
                return False
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
            finally:
                os.close(descriptor)
        except OSError:
            self.give_up()
            return False
        return True

    def give_up(self) -> None:
        """Delete it."""
        with suppress(OSError):
            self.path.unlink()


def free_bytes(folder: Path) -> int:
    """Return how many bytes a user without privileges can still write there."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def is_short_of_room(folder: Path) -> bool:
    """Whether less than 64 MiB, or an eighth of a smaller disk, is left: history has to go before the disk is full."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize < min(64 * 1024 * 1024, found.f_blocks * found.f_frsize // 8)


def move_whole_wal(connection: sqlite3.Connection) -> None:
    """Move the WAL into the file and cut it to nothing. Raises `sqlite3.OperationalError`, as busy where a reader needs it."""
    (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise _error("another program keeps a read of the outbox open", sqlite3.SQLITE_BUSY)


def require_room(connection: sqlite3.Connection, wal: Path, *, size: int) -> None:
    """Raise `SQLITE_FULL` where the disk has no room for `size` bytes of new events in the WAL, and in the file after that.

    A commit that fits into the WAL alone could never be moved out of it again, nor could anything be pruned. The reserve is
    not counted.
    """
    folder = wal.parent
    if free_bytes(folder) > _PLENTY_BYTES:
        return
    for is_moved in (False, True):
        if is_moved:
            _try_to(move_whole_wal, connection)
        new = size + size // 4 + _PAGES_BESIDE * page_size(connection)  # rows, indexes, and pages that are not full
        in_wal = wal.stat().st_size if wal.exists() else 0
        growth = max(new + in_wal - free_pages(connection) * page_size(connection), 0)
        if free_bytes(folder) >= new + growth:
            return
    raise _error("the disk is full", sqlite3.SQLITE_FULL)


def move_wal_if_short(connection: sqlite3.Connection, folder: Path) -> None:
    """Move the WAL into the file where the disk has little left, so that the next transaction finds room in it."""
    if free_bytes(folder) < _PLENTY_BYTES:
        _try_to(move_whole_wal, connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What `make_room` did."""

    pruned: int
    last_seq: int
    """Up to this event nothing is left to prune."""


def make_room(
    connection: sqlite3.Connection, reserve: Reserve, *, size: int, after_seq: int = 0, cutoff: Cutoff = ANY_DELIVERED
) -> Made:
    """Give up the reserve, prune the oldest history, make it again; return how many events were pruned.

    `size` are the bytes of the new events that shall find room. Of events up to `after_seq` nothing is left to prune.

    The WAL is moved before anything is pruned, because pruning writes to it, and again after each slice. Each step may fail
    for want of room and the others still help. With nothing to prune the reserve is there again at the end: new events shall
    not have it, because the outcomes of those on disk will need it. Runs in the connection's thread, in no transaction.
    """
    folder = reserve.path.parent
    reserve.give_up()
    _try_to(move_whole_wal, connection)
    after, pruned, is_last = after_seq, 0, False
    aim = _LEAST_AIM_BYTES + 2 * size if cutoff == ANY_CLOSED else _aim(folder, size)
    with suppress(sqlite3.Error):
        while not is_last and not _is_enough(connection, folder, aim):
            with transaction(connection):
                done = prune_slice(connection, cutoff, after_seq=after, limit=_SLICE)
            after, pruned, is_last = done.last_seq, pruned + done.pruned, done.is_last
            if done.pruned:
                _try_to(move_whole_wal, connection)
    _give_back(connection, folder, size=size, is_pruned=pruned > 0)
    reserve.make()
    return Made(pruned=pruned, last_seq=after)


def _give_back(connection: sqlite3.Connection, folder: Path, *, size: int, is_pruned: bool) -> None:
    """Give free pages back to the disk, where the WAL needs room; new events find the rest in the file.

    What the WAL needs for the next batch, in any case, and half of them where something was pruned.
    """
    with suppress(sqlite3.Error):
        free = free_pages(connection)
        missing = max(3 * max(RESERVE_BYTES, size) - free_bytes(folder), 0) // page_size(connection)
        left, before = max(free - max(free // 2 if is_pruned else 0, missing), 0), None
        while free > left and free != before:  # in steps, because what moves is written to the WAL first
            before = free
            give_back(connection, _STEP_PAGES)
            move_whole_wal(connection)
            free = free_pages(connection)


def _aim(folder: Path, size: int) -> int:
    found = os.statvfs(folder)
    return max(min(_ENOUGH_BYTES, found.f_blocks * found.f_frsize // 4), 5 * max(RESERVE_BYTES, size))


def _is_enough(connection: sqlite3.Connection, folder: Path, aim: int) -> bool:
    """Whether there is room on the disk, for the WAL and the reserve, and in the file."""
    return min(free_bytes(folder), aim * 3 // 5) + free_pages(connection) * page_size(connection) >= aim


def _error(text: str, code: int) -> sqlite3.OperationalError:
    """Return an error such as SQLite raises."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


def _try_to(do: Callable[[sqlite3.Connection], None], connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):
        do(connection)
