"""Opens the outbox file for commands: to read it alongside a running daemon, or to change it where no daemon runs."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite.file.connection import FileSettings, check_header, open_connection
from forwarder.outbox.sqlite.file.integrity import Check
from forwarder.outbox.sqlite.file.lock import locked
from forwarder.outbox.sqlite.file.migrations import SCHEMA_VERSION
from forwarder.outbox.sqlite.file.ownership import require_own
from forwarder.outbox.sqlite.file.problems import DamagedRowError, damaged_row, error_code, unusable, unwritable
from forwarder.outbox.sqlite.file.read_connection import connect_to_read


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a connection that cannot write. Close it soon while a daemon runs: an open read holds up checkpoints.

    Raises `OutboxUnusableError` where there is no outbox, or none of this version.
    """
    require_file(path)
    path = Path(os.path.realpath(path))  # SQLite takes the files beside the one that a link names
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
        connection = connect_to_read(path, mode=mode)
        version = check_header(connection, path)
        require_own(path)  # SQLite has its files now
        if version != SCHEMA_VERSION:
            raise OutboxUnusableError(
                OutboxProblem.NEWER,
                path,
                f"it is of version {version}; this program reads {SCHEMA_VERSION}",
                "The daemon of this version migrates it: start `forwarder run`, or `forwarder upgrade` where one runs.",
            )
        yield connection
    except DamagedRowError as error:
        raise damaged_row(path, error) from error
    except sqlite3.OperationalError as error:
        # A text that is not UTF-8 has no code; the error of a function, as of JSON, is the row's: our statements are right.
        raise (damaged_row if error_code(error) in {None, sqlite3.SQLITE_ERROR} else unusable)(path, error) from error
    except sqlite3.Error as error:
        raise unusable(path, error) from error
    finally:
        if connection is not None:
            connection.close()


def require_openable(path: Path) -> None:
    """Raise `OutboxUnusableError` for a file that this program could not open: a newer one's, or another program's.

    A daemon may run meanwhile, but this process must not have the outbox open itself. A file of an earlier version is fine.
    """
    require_own(path)
    try:
        path.open("rb").close()
    except FileNotFoundError:
        return
    except OSError as error:  # a file, or its folder, that is not this user's to open
        raise unwritable(path, error) from error
    try:
        with closing(connect_to_read(path)) as connection:
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


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a connection that can write, and hold the lock. Raises `OutboxUnusableError`, as in use where a daemon runs."""
    require_file(path)
    with locked(path, by_command=True):
        connection = open_connection(FileSettings(path=path), Check.NOTHING)
        try:
            yield connection
        except sqlite3.Error as error:
            raise unusable(path, error) from error
        finally:
            connection.close()


def require_file(path: Path) -> None:
    """Raise `OutboxUnusableError` where there is no outbox, or where this user may not look."""
    try:
        is_there = path.exists()
    except OSError as error:  # a folder that is not ours to enter
        raise unwritable(path, error) from error
    if not is_there:
        raise OutboxUnusableError(
            OutboxProblem.MISSING,
            path,
            "there is no such file yet",
            "The first `forwarder run` makes it. Is this the config that `forwarder run` uses (-c)?",
        )
