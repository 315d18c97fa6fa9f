"""Writes of the outbox that fail, before or after they are committed."""

import sqlite3

from forwarder.outbox.sqlite.batch import Batch
from forwarder.outbox.sqlite.transactions import Step

BUSY, IOERR, IOERR_WRITE, FULL, READ_ONLY = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
)
_write = Batch.write


class WriteFaults:
    """Makes the next writes of batches with events fail, before or after they are committed."""

    def __init__(self) -> None:
        self.left: list[int] = []
        self.is_after = False
        self.is_for_all = False
        """Whether batches without events fail too."""
        self.tried = 0

    def write(self, batch: Batch, connection: sqlite3.Connection, before_commit: Step[None]) -> None:
        if not ((batch.events or self.is_for_all) and self.left):
            _write(batch, connection, before_commit)
            return
        self.tried += 1
        if self.is_after:
            _write(batch, connection, before_commit)
        code = self.left.pop(0)
        error = sqlite3.OperationalError(f"put there by a test: {code}")
        error.sqlite_errorcode = code
        raise error
