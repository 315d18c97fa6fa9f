"""The one connection to the outbox file: opened safely, set up, checked, and refused with a sentence when it cannot be.

SQLite up to 3.51.2 can corrupt a WAL database when two connections write or checkpoint at the same instant
(sqlite.org/wal.html#walresetbug). So this process has exactly one, a lock file keeps other daemons off, and whatever else
looks at the file must open it read-only.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import aiosqlite

APPLICATION_ID = 0x46574452
"""`FWDR`, in the file's header: another program's database is never taken for an outbox."""
SCHEMA_VERSION = 1

_T = TypeVar("_T")

Durability = dict[str, int]
SYNCHRONOUS: Durability = {"full": 2, "normal": 1}
"""`full` syncs the WAL at each commit and survives a power cut; `normal` only at checkpoints: survives a kill."""

_SETTINGS: dict[str, int | str] = {
    # Set, then read back: a build may have its own defaults or ignore a setting. Reasons in docs/outbox.md.
    "journal_mode": "wal",
    "journal_size_limit": 16 * 1024 * 1024,
    "wal_autocheckpoint": 1000,
    "busy_timeout": 5000,
    "mmap_size": 0,
    "temp_store": 2,
    "cell_size_check": 1,
    "trusted_schema": 0,
    "foreign_keys": 1,
    "secure_delete": 2,  # written as FAST
}


class OutboxProblem(StrEnum):
    """Why an outbox file cannot be used."""

    IN_USE = "in_use"
    UNWRITABLE = "unwritable"
    CORRUPT = "corrupt"
    FOREIGN = "foreign"
    NEWER = "newer"


class OutboxUnusableError(Exception):
    """The outbox file cannot be used; the text says why and what to do."""

    def __init__(self, problem: OutboxProblem, path: Path, detail: str, advice: str) -> None:
        self.problem = problem
        self.path = path
        self.detail = detail
        self.advice = advice
        super().__init__(f"outbox {path}: {detail}. {advice}")


class OutboxConnection(aiosqlite.Connection):
    """aiosqlite's connection with one more verb: a whole transaction in one hop to its thread instead of one a statement."""

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


def connection_to(path: Path, *, durability: str) -> OutboxConnection:
    """Return a connection whose `open` opens, sets up and checks the outbox at `path`.

    It raises `OutboxUnusableError`. Hold `locked(path)` around its whole life.
    """
    return OutboxConnection(partial(_open, path, SYNCHRONOUS[durability]), iter_chunk_size=64)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file beside the outbox, with our process id in it. SQLite's own locks do not stop a second daemon.

    Makes the folder where it is missing. Raises `OutboxUnusableError`, naming the process that holds it.
    """
    lock_path = path.with_name(path.name + ".lock")
    try:
        _make_folder(path.parent)
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            raise OutboxUnusableError(
                OutboxProblem.IN_USE,
                path,
                f"another forwarder (process {holder}) is using it",
                "Stop that one, or give this one an outbox of its own: outbox.url.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> None:
    if folder.exists():  # a file of that name is told by opening the lock file
        return
    folder.mkdir(mode=0o700, parents=True)
    # SQLite syncs the folder of its files; the entry of the folder itself is ours to sync.
    descriptor = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path, synchronous: int) -> sqlite3.Connection:
    connection: sqlite3.Connection | None = None
    try:
        _make_private(path)
        connection = sqlite3.connect(path, isolation_level=None)
        _check_header(connection, path)
        _set_up(connection, path, synchronous)
        _check_pages(connection, path)
        _migrate(connection)
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise _explain(path, error) from error
    except OSError as error:
        raise _unwritable(path, error) from error
    except OutboxUnusableError:
        if connection is not None:
            connection.close()
        raise
    return connection


def _make_private(path: Path) -> None:
    """Make the file with mode 0600, or take the rights of others away; the WAL inherits them. No connection is open yet."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _check_header(connection: sqlite3.Connection, path: Path) -> None:
    application_id: int = _pragma(connection, "application_id")
    version: int = _pragma(connection, "user_version")
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


def _set_up(connection: sqlite3.Connection, path: Path, synchronous: int) -> None:
    if _pragma(connection, "user_version") == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only before the first table
    settings = _SETTINGS | {"synchronous": synchronous}
    for name, value in settings.items():
        connection.execute(f"PRAGMA {name} = {'FAST' if name == 'secure_delete' else value}")
    for name, value in settings.items():
        found = _pragma(connection, name)
        if found != value:
            raise OutboxUnusableError(
                OutboxProblem.UNWRITABLE,
                path,
                f"SQLite does not keep a setting there ({name} is {found}, not {value})",
                "Use a local disk, not a network file system: outbox.url.",
            )


def _check_pages(connection: sqlite3.Connection, path: Path) -> None:
    findings = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    if findings != ["ok"]:
        raise _corrupt(path, "; ".join(findings))


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to this version, all of it or nothing."""
    if _pragma(connection, "user_version") == SCHEMA_VERSION:
        return
    schema = files("forwarder.outbox").joinpath("schema.sql").read_text(encoding="utf-8")
    connection.executescript(
        f"BEGIN IMMEDIATE;\n{schema}\n"
        f"PRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {SCHEMA_VERSION};\nCOMMIT;"
    )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    """Return the value of a pragma that holds one."""
    row = connection.execute(f"PRAGMA {name}").fetchone()
    value: int = row[0] if row is not None else 0
    return value


def _explain(path: Path, error: sqlite3.Error) -> OutboxUnusableError:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return _corrupt(path, str(error))
    return _unwritable(path, error)


def _corrupt(path: Path, detail: str) -> OutboxUnusableError:
    return OutboxUnusableError(
        OutboxProblem.CORRUPT,
        path,
        f"the file is damaged ({detail})",
        f"Move {path.name} aside together with {path.name}-wal and {path.name}-shm, where they exist, and start again with "
        "an empty outbox; what was waiting may still be read from the file you moved.",
    )


def _unwritable(path: Path, error: Exception) -> OutboxUnusableError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return OutboxUnusableError(
        OutboxProblem.UNWRITABLE,
        path,
        f"it cannot be written ({reason})",
        f"The user that runs forwarder must be able to create and write files in {path.parent}; or set outbox.url.",
    )
