"""A full disk: SQLite can then neither delete nor checkpoint, so a file of our own is given up first."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from forwarder.outbox.connection import page_size
from forwarder.outbox.retention import ANY_DELIVERED, free_pages, give_back, prune_slice

RESERVE_BYTES = 1024 * 1024
_SLICE = 100
_ENOUGH_BYTES = 8 * 1024 * 1024
"""What pruning for room aims at, free on the disk and in the file together; a quarter of a disk that is smaller than four
times that."""


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
        error = sqlite3.OperationalError("another program keeps a read of the outbox open")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error


def make_room(connection: sqlite3.Connection, reserve: Reserve) -> int:
    """Give up the reserve, prune the oldest delivered history, make it again; return how many events were pruned.

    The WAL is moved before anything is pruned, because pruning writes to it, and again after each slice. Each step may fail
    for want of room and the others still help. With nothing to prune the reserve is there again at the end: new events shall
    not have it, because the outcomes of those on disk will need it. Runs in the connection's thread, in no transaction.
    """
    reserve.give_up()
    _try_to(move_whole_wal, connection)
    after, pruned, is_last = 0, 0, False
    with suppress(sqlite3.Error):
        while not is_last and not _is_enough(connection, reserve.path.parent):
            connection.execute("BEGIN IMMEDIATE")
            try:
                done = prune_slice(connection, ANY_DELIVERED, after_seq=after, limit=_SLICE)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            after, pruned, is_last = done.last_seq, pruned + done.pruned, done.is_last
            _try_to(move_whole_wal, connection)
    if pruned:  # half goes back to the disk, where the WAL needs room; new events find the rest in the file
        missing = max(3 * RESERVE_BYTES - free_bytes(reserve.path.parent), 0) // page_size(connection)
        _try_to(partial(give_back, pages=max(free_pages(connection) // 2, missing)), connection)
        _try_to(move_whole_wal, connection)
    reserve.make()
    return pruned


def _is_enough(connection: sqlite3.Connection, folder: Path) -> bool:
    found = os.statvfs(folder)
    enough = min(_ENOUGH_BYTES, found.f_blocks * found.f_frsize // 4)
    return min(found.f_bavail * found.f_frsize, enough // 2) + free_pages(connection) * page_size(connection) >= enough


def _try_to(do: Callable[[sqlite3.Connection], None], connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):
        do(connection)
