"""What an error of SQLite means for a batch, and as a sentence."""

import sqlite3
from pathlib import Path

import pytest

from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite.file.problems import (
    WriteFault,
    classify,
    corrupt,
    error_code,
    in_use,
    unusable,
    unwritable,
)

PATH = Path("/var/lib/forwarder/outbox.db")


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("said by SQLite")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (sqlite3.SQLITE_BUSY, WriteFault.BUSY),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, WriteFault.BUSY),
        (sqlite3.SQLITE_LOCKED, WriteFault.BUSY),
        (sqlite3.SQLITE_FULL, WriteFault.FULL),
        (sqlite3.SQLITE_READONLY, WriteFault.READ_ONLY),
        (sqlite3.SQLITE_CANTOPEN, WriteFault.READ_ONLY),
        (sqlite3.SQLITE_IOERR, WriteFault.UNKNOWN),
        (sqlite3.SQLITE_IOERR_FSYNC, WriteFault.UNKNOWN),
        (sqlite3.SQLITE_CORRUPT, WriteFault.FATAL),
        (sqlite3.SQLITE_CONSTRAINT, WriteFault.FATAL),
    ],
)
def test_a_code_of_sqlite_says_what_to_do_with_the_batch(code: int, fault: WriteFault) -> None:
    assert classify(sqlite_error(code)) is fault


def test_errors_that_are_not_of_sqlite_end_the_process_but_for_a_file_that_cannot_be_opened_again() -> None:
    assert classify(ValueError("a bug")) is WriteFault.FATAL
    assert classify(sqlite3.ProgrammingError("a bug")) is WriteFault.FATAL
    assert classify(unwritable(PATH, OSError(5, "Input/output error"))) is WriteFault.UNKNOWN
    assert classify(corrupt(PATH, "row 7")) is WriteFault.FATAL
    assert error_code(ValueError()) is None


@pytest.mark.parametrize(
    ("error", "problem", "detail"),
    [
        (unusable(PATH, sqlite_error(sqlite3.SQLITE_NOTADB)), OutboxProblem.CORRUPT, "is damaged (said by SQLite)"),
        (unusable(PATH, sqlite_error(sqlite3.SQLITE_CORRUPT)), OutboxProblem.CORRUPT, "is damaged (said by SQLite)"),
        (
            unusable(PATH, sqlite_error(sqlite3.SQLITE_READONLY)),
            OutboxProblem.UNWRITABLE,
            "cannot be written (said by SQLite)",
        ),
        (
            unwritable(PATH, PermissionError(13, "Permission denied")),
            OutboxProblem.UNWRITABLE,
            "cannot be written (Permission denied)",
        ),
        (in_use(PATH, "77", by_command=False), OutboxProblem.IN_USE, "another forwarder (process 77)"),
        (in_use(PATH, "77", by_command=True), OutboxProblem.IN_USE_BY_COMMAND, "a forwarder command (process 77)"),
    ],
)
def test_a_person_reads_which_file_why_and_what_to_do(
    error: OutboxUnusableError, problem: OutboxProblem, detail: str
) -> None:
    assert error.problem is problem
    assert str(error).startswith(f"outbox {PATH}: ")
    assert detail in error.detail
    assert str(error).endswith(error.advice)
    assert error.advice.endswith(".")
