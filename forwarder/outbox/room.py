"""A full disk: SQLite can then neither delete nor checkpoint, so a file of our own is given up first."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from forwarder.outbox.retention import ANY_DELIVERED, give_back, prune_slice

RESERVE_BYTES = 1024 * 1024
_SLICE = 100
_ENOUGH = 1_000
"""Events that one call prunes at most, before the batch is tried again."""


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
        """Make it where there is room for it and four times as much again; return whether it is there now."""
        if self.is_there:
            return True
        try:
            if free_bytes(self.path.parent) < 5 * RESERVE_BYTES:
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
    """Whether less than 64 MiB, or a twentieth of a smaller disk, is left: history has to go before the disk is full."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize < min(64 * 1024 * 1024, found.f_blocks * found.f_frsize // 20)


def make_room(connection: sqlite3.Connection, reserve: Reserve) -> int:
    """Give up the reserve, prune the oldest delivered history, checkpoint; return how many events were pruned.

    Each step may fail for want of room and the others still help. Runs in the connection's thread, in no transaction.
    """
    reserve.give_up()
    after, pruned, is_last = 0, 0, False
    with suppress(sqlite3.Error):
        while not is_last and pruned < _ENOUGH:
            connection.execute("BEGIN IMMEDIATE")
            try:
                done = prune_slice(connection, ANY_DELIVERED, after_seq=after, limit=_SLICE)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            after, pruned, is_last = done.last_seq, pruned + done.pruned, done.is_last
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    if pruned:
        with suppress(sqlite3.Error):
            give_back(connection, RESERVE_BYTES // 4096)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return pruned
