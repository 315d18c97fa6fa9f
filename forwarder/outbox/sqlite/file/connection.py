"""The one writing connection to the outbox file. It is opened safely, set up and checked; otherwise the error says why.

SQLite up to 3.51.2 can corrupt a WAL database when two connections write or checkpoint at the same instant
(sqlite.org/wal.html#walresetbug). So this process has exactly one, a lock file excludes other daemons, and everything else
that reads the file opens it read-only.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import aiosqlite
import msgspec

from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite.file.disk_space import Reserve, require_movable
from forwarder.outbox.sqlite.file.integrity import Check, check_pages
from forwarder.outbox.sqlite.file.lock import leave_to_owner
from forwarder.outbox.sqlite.file.migrations import APPLICATION_ID, SCHEMA_VERSION, migrate
from forwarder.outbox.sqlite.file.ownership import require_own
from forwarder.outbox.sqlite.file.problems import unusable, unwritable
from forwarder.outbox.sqlite.pages import page_size, pragma

_T = TypeVar("_T")

SYNCHRONOUS = {"full": 2, "normal": 1}
"""`full` syncs the WAL at each commit and survives a power cut; `normal` only at checkpoints: survives a kill."""
PAGE_SIZE = 8192
"""Bytes, of a new file; a file of version 1 has kept its 4096. With these an event of 2 KB took a page of its own: twice the size, and
a third more time for a commit in a burst."""

_LOCK_MAY_TAKE_MS = 5_000
"""How long another program may hold the file at the start."""

_SETTINGS: dict[str, int | str] = {
    # Set, then read back: a build may have its own defaults or ignore a setting. Reasons in docs/outbox.md.
    "journal_mode": "wal",
    "journal_size_limit": 16 * 1024 * 1024,
    "wal_autocheckpoint": 0,
    "busy_timeout": 250,
    "mmap_size": 0,
    "cache_size": -1000,  # KiB; what is looked at again lies close together, and the kernel keeps the rest
    "temp_store": 2,
    "cell_size_check": 1,
    "trusted_schema": 0,
    "foreign_keys": 1,
    "secure_delete": 2,  # written as FAST
}


class FileSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the file."""

    path: Path
    durability: str = "full"
    max_size: int | None = None
    """The largest size of the file in bytes; `None` is no limit."""

    def max_pages(self, page_size: int) -> int | None:
        """Return `max_size` in pages."""
        return None if self.max_size is None else max(self.max_size // page_size, 64)


class OutboxConnection(aiosqlite.Connection):
    """aiosqlite's connection with one more verb: a whole transaction in one hop to its thread, instead of one hop for each statement."""

    async def open(self) -> None:
        """Open the file, in the connection's own thread. When that fails the thread has ended before this raises.

        aiosqlite leaves it behind, and it then stumbles over an event loop that is closed.
        """
        try:
            await self
        except BaseException:
            await asyncio.to_thread(self._thread.join)
            raise

    async def run(self, function: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return what `function` returns, called with the plain connection in the connection's own thread."""
        result: _T = await self._execute(function, self._conn)  # type: ignore[no-untyped-call] # aiosqlite's own
        return result


def connection_to(settings: FileSettings, *, check: Check = Check.ALL) -> OutboxConnection:
    """Return a connection whose `open` opens and sets up the outbox, and checks the pages that `check` names.

    It raises `OutboxUnusableError`. Hold `locked(path)` around its whole life.
    """
    return OutboxConnection(partial(open_connection, settings, check), iter_chunk_size=64)


def open_connection(settings: FileSettings, check: Check) -> sqlite3.Connection:
    """Return the plain connection, for a caller that holds `locked(path)`; see `connection_to`."""
    path = settings.path
    connection: sqlite3.Connection | None = None
    try:
        require_own(path)
        _make_private(path)
        connection = sqlite3.connect(path, isolation_level=None, cached_statements=128)
        version = check_header(connection, path)
        _set_up(connection, settings, is_new=version == 0)
        check_pages(connection, path, check)
        migrate(connection, version=version, before_commit=partial(_require_movable, path=path))
        require_own(path)  # SQLite has its files now: none that another user has put there meanwhile
        if check is not Check.NOTHING:  # reopened after a fault, or by a command, the writes themselves will show it
            _require_writable(connection)
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise unusable(path, error) from error
    except OSError as error:
        raise unwritable(path, error) from error
    except OutboxUnusableError:
        if connection is not None:
            connection.close()
        raise
    return connection


def _require_movable(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `DiskFullError` where a migration could not be moved out of the WAL. The room is not held: the WAL is moved next."""
    reserve = Reserve(path)
    before = reserve.size
    require_movable(connection, reserve)
    reserve.cut(before)


def _require_writable(connection: sqlite3.Connection) -> None:
    """Raise what prevents writing and does not show while reading: permissions of the WAL, or another program's lock."""
    connection.execute(f"PRAGMA busy_timeout = {_LOCK_MAY_TAKE_MS}")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("ROLLBACK")
    connection.execute(f"PRAGMA busy_timeout = {_SETTINGS['busy_timeout']}")


def _make_private(path: Path) -> None:
    """Make the file with mode 0600, or remove the permissions of others; the WAL inherits them. No connection is open yet.

    A file of another program is left as it is: opening it will say so.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        header = os.pread(descriptor, 100, 0)
        if not header:
            leave_to_owner(descriptor, path.parent)  # SQLite gives the WAL to the owner of this file
        application_id, version = (int.from_bytes(header[at : at + 4], "big") for at in (68, 60))
        is_ours = not header or (application_id == APPLICATION_ID and version <= SCHEMA_VERSION)
        if is_ours and os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def check_header(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the file, 0 for an empty one. Raises `OutboxUnusableError` for a file of another program or of a newer version."""
    application_id: int = pragma(connection, "application_id")
    version: int = pragma(connection, "user_version")
    is_empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if not is_empty and application_id != APPLICATION_ID:
        raise OutboxUnusableError(
            OutboxProblem.FOREIGN,
            path,
            "this is a database of another program",
            "Name another file under outbox.url; this one was left as it is.",
        )
    if version > SCHEMA_VERSION:
        raise OutboxUnusableError(
            OutboxProblem.NEWER,
            path,
            f"it was written by a newer forwarder (version {version} of the file; this program knows {SCHEMA_VERSION})",
            "Run that forwarder again, or give this one an outbox of its own: outbox.url.",
        )
    return version


def _set_up(connection: sqlite3.Connection, file: FileSettings, *, is_new: bool) -> None:
    if is_new:
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")  # before the first table, both, and in this order
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    settings = _SETTINGS | {"synchronous": SYNCHRONOUS[file.durability]}
    for name, value in settings.items():
        connection.execute(f"PRAGMA {name} = {'FAST' if name == 'secure_delete' else value}")
    for name, value in settings.items():
        found = pragma(connection, name)
        if found != value:
            raise OutboxUnusableError(
                OutboxProblem.UNWRITABLE,
                file.path,
                f"SQLite does not keep a setting there ({name} is {found}, not {value})",
                "Use a local disk, not a network file system: outbox.url.",
            )
    most = file.max_pages(page_size(connection))
    if most is not None:  # SQLite keeps what is there: a file that is larger already cannot be cut by this
        connection.execute(f"PRAGMA max_page_count = {most}")
