"""What an operator does with the outbox file as a whole: check it, copy it, and make it smaller."""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from forwarder.outbox.sqlite.access import reading, require_file, writing
from forwarder.outbox.sqlite.file.lock import sync_folder
from forwarder.outbox.sqlite.file.names import WAL, beside
from forwarder.outbox.sqlite.file.problems import unwritable
from forwarder.outbox.sqlite.pages import free_pages, page_size
from forwarder.outbox.store import OnCopied, OnElapsed

_MAX_FINDINGS = 20
_PAGES_A_STEP = 1_000
_STEPS = 100_000
"""Steps of SQLite's virtual machine between two reports of the elapsed time."""


class SqliteMaintenance:
    """Works on the file as a whole; see `outbox.store.OutboxMaintenance`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self, on_elapsed: OnElapsed) -> list[str]:
        with reading(self._path) as connection, _reporting(connection, on_elapsed):
            findings = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_MAX_FINDINGS})")]
            findings = [] if findings == ["ok"] else findings
            return findings + [
                f"a row of {table} belongs to no row of {parent}"
                for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check")
            ]

    def size(self) -> int:
        require_file(self._path)
        wal = beside(self._path, WAL)
        return sum(path.stat().st_size for path in (self._path, wal) if path.exists())

    def free_bytes(self) -> int:
        with reading(self._path) as connection:
            return free_pages(connection) * page_size(connection)

    def vacuum(self, on_elapsed: OnElapsed) -> None:
        with writing(self._path) as connection:
            with _reporting(connection, on_elapsed):
                connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def back_up(self, copy: Path, on_copied: OnCopied) -> None:
        part = beside(copy, f".{secrets.token_hex(8)}.part")  # a name that nobody else can have taken
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            self._copy(part, on_copied)
            if not os.path.samestat(os.fstat(descriptor), part.lstat()):
                raise unwritable(copy, OSError("another program replaced it while it was being written"))
            os.fsync(descriptor)
            part.rename(copy)
        finally:
            os.close(descriptor)
            part.unlink(missing_ok=True)
        sync_folder(copy.parent)

    def _copy(self, part: Path, on_copied: OnCopied) -> None:
        with reading(self._path) as source:
            # One read transaction for the whole copy: what the daemon writes meanwhile is not in it, and does not restart it.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM state").fetchone()
            target = sqlite3.connect(part, isolation_level=None)
            try:
                source.backup(target, pages=_PAGES_A_STEP, progress=lambda _, left, total: on_copied(total - left))
                target.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
                if (found := target.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                    raise unwritable(part, OSError(f"the copy is not sound: {found}"))
            except sqlite3.Error as error:
                raise unwritable(part, error) from error
            finally:
                target.close()


@contextmanager
def _reporting(connection: sqlite3.Connection, on_elapsed: OnElapsed) -> Iterator[None]:
    """Report the elapsed seconds while a statement of the block runs."""
    began = monotonic()
    connection.set_progress_handler(lambda: on_elapsed(monotonic() - began), _STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)
