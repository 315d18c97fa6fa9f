"""What is done when something deletes or replaces the outbox file while it is open."""

import os
import sqlite3
from pathlib import Path
from time import monotonic

import structlog

from forwarder.outbox.problems import OutboxReplacedError
from forwarder.outbox.sqlite.file import atomic_swap
from forwarder.outbox.sqlite.file.database import Database
from forwarder.outbox.sqlite.file.integrity import Check
from forwarder.outbox.sqlite.file.names import SHARED_MEMORY, WAL, beside

_SAY_AGAIN_S = 60.0

log = structlog.get_logger(__name__)


class FileGuard:
    """Restores an outbox file that was deleted while it was open, and refuses to go on with another file in its place."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._said_gone_at: float | None = None
        self.gone: str | None = None
        """Why a deleted file could not be written out again; `None` while the file is where it was."""

    async def mend_if_deleted(self) -> None:
        """Check that the file is where it was; where it was deleted, write it out again from the open connection.

        Where that fails `gone` says why, and the next call tries again. Raises `OutboxReplacedError` when another file is in its place.
        """
        if not self._database.is_open:
            return
        try:
            await self._mend_if_deleted()
        except (sqlite3.Error, OSError) as error:
            self.gone = f"the file was deleted while in use, and cannot be written out again ({error})"
            self._database.reserve.give_up()
            now = monotonic()
            if self._said_gone_at is None or now - self._said_gone_at >= _SAY_AGAIN_S:
                self._said_gone_at = now
                log.error(  # noqa: TRY400 - our own sentence
                    "outbox.deleted",
                    reason=str(error),
                    note="what it holds is in the open file alone: make room, and do not stop forwarder before it is restored",
                )
        else:
            self.gone = self._said_gone_at = None

    async def _mend_if_deleted(self) -> None:
        inode, wal_inode = self._database.inodes
        file, wal = self._database.inodes_now()
        if file is None:
            await self._write_out()
        elif file != inode:
            raise OutboxReplacedError(
                f"outbox {self._database.path}: another file was put in its place while it was in use; what is in memory now "
                "belongs to the one that is gone. Stop forwarder before you restore a file"
            )
        elif wal_inode is not None and wal != wal_inode:
            await self._database.move_whole_wal()
            await self._database.reopen()
            log.error("outbox.wal_deleted", note="something deleted the -wal file; its content was moved into the file")
        elif wal_inode is None:
            self._database.inodes = file, wal

    async def _write_out(self) -> None:
        copy = beside(self._database.path, ".restoring")

        def write(connection: sqlite3.Connection) -> None:
            copy.unlink(missing_ok=True)
            os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            connection.set_progress_handler(self._beat, 1_000_000)
            try:
                connection.execute("VACUUM INTO ?", (str(copy),))
                _make_private_and_sync(copy)
            except BaseException:
                copy.unlink(missing_ok=True)  # the room is needed
                raise
            finally:
                connection.set_progress_handler(None, 0)

        await self._database.run(write)
        atomic_swap.make_ready(self._database.path, copy)
        await self._database.close()
        for left in (WAL, SHARED_MEMORY):  # of the file that is gone: SQLite would read them into the new one
            beside(self._database.path, left).unlink(missing_ok=True)
        atomic_swap.finish(self._database.path)
        await self._database.open(check=Check.NOTHING)
        log.error(
            "outbox.restored",
            path=str(self._database.path),
            note="the file was deleted while in use; it was written out again",
        )

    def _beat(self) -> int:
        self._database.beats += 1
        return 0


def _make_private_and_sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o600)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
