"""The outbox file for the commands: read beside a running daemon, or opened under its lock where none runs."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from forwarder.outbox.connection import FileSettings, check_header, open_connection
from forwarder.outbox.history import waiting
from forwarder.outbox.inspection import Check
from forwarder.outbox.lock import locked
from forwarder.outbox.migrations import SCHEMA_VERSION
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError, unusable, unwritable


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection that cannot write. Keep it short beside a daemon: it holds up checkpoints.

    Raises `OutboxUnusableError` where there is no outbox, or none of this version.
    """
    _require(path)
    with ExitStack() as held:
        mode = "ro"
        try:
            held.enter_context(locked(path, by_command=True))
            mode = "rw"  # no daemon: a WAL that one left behind is read too, and that takes the right to write
        except OutboxUnusableError as error:
            if error.problem not in {OutboxProblem.IN_USE, OutboxProblem.IN_USE_BY_COMMAND}:
                raise
        yield held.enter_context(_looking(path, mode))


@contextmanager
def _looking(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=2
        )
        connection.execute("PRAGMA query_only = ON")
        version = check_header(connection, path)
        if version != SCHEMA_VERSION:
            raise OutboxUnusableError(
                OutboxProblem.NEWER,
                path,
                f"it is of version {version}; this program reads {SCHEMA_VERSION}",
                "Start `forwarder run` of this version once; it brings the file forward.",
            )
        yield connection
    except sqlite3.Error as error:
        raise unusable(path, error) from error
    finally:
        if connection is not None:
            connection.close()


def require_openable(path: Path) -> None:
    """Raise `OutboxUnusableError` for a file that this program could not open: a newer one's, or another program's.

    Beside a daemon that runs; for a process that has no outbox open itself. A file of an earlier version is fine.
    """
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)) as connection:
            check_header(connection, path)
    except sqlite3.Error as error:
        raise unusable(path, error) from error


def require_unused(path: Path) -> None:
    """Raise `OutboxUnusableError` where a daemon uses this outbox."""
    try:
        with locked(path, by_command=True):
            pass
    except OutboxUnusableError as error:
        if error.problem is not OutboxProblem.IN_USE_BY_COMMAND:
            raise


def count_waiting(path: Path) -> dict[str, int]:
    """Return how many deliveries wait, by destination, for the daemon itself: in a thread, beside its own connection.

    None where it cannot be read. The file is left to SQLite alone: closing another descriptor of it would end the locks of this process.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)) as connection:
            return waiting(connection)
    except sqlite3.Error:
        return {}


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection of a command that changes the outbox. Raises `OutboxUnusableError`, as in use where a daemon runs."""
    _require(path)
    with locked(path, by_command=True):
        connection = open_connection(FileSettings(path=path), Check.NOTHING)
        try:
            yield connection
        except sqlite3.Error as error:
            raise unusable(path, error) from error
        finally:
            connection.close()


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _require(path: Path) -> None:
    try:
        is_there = path.exists()
    except OSError as error:  # a folder that is not ours to enter
        raise unwritable(path, error) from error
    if not is_there:
        raise OutboxUnusableError(
            OutboxProblem.MISSING,
            path,
            "there is no such file yet",
            "It is made by the first `forwarder run`; is this the config that one uses (-c)?",
        )
