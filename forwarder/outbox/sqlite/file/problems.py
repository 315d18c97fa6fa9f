"""Errors of SQLite as sentences for a person, and what a failed write means for its batch."""

import pwd
import sqlite3
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError


class WriteFault(Enum):
    """What a failed write means for its batch."""

    BUSY = auto()
    """Another program holds the file for a moment: try again."""
    FULL = auto()
    """No room: make some, and try again."""
    READ_ONLY = auto()
    """The file system takes no writes now: reopen the file and try again, as long as that lasts."""
    UNKNOWN = auto()
    """The disk failed, and may have the batch or not: reopen the file, look, and write the batch again where it is missing."""
    FATAL = auto()
    """Damage or a bug: end the process, so that a restart checks the file."""


_FAULTS = {
    sqlite3.SQLITE_BUSY: WriteFault.BUSY,
    sqlite3.SQLITE_LOCKED: WriteFault.BUSY,
    sqlite3.SQLITE_FULL: WriteFault.FULL,
    sqlite3.SQLITE_READONLY: WriteFault.READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: WriteFault.READ_ONLY,
    sqlite3.SQLITE_IOERR: WriteFault.UNKNOWN,
}
DAMAGE = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})


def error_code(error: BaseException) -> int | None:
    """Return SQLite's primary result code, or `None` where the error is not SQLite's."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(error, sqlite3.Error) and code is not None else None


def classify(error: BaseException) -> WriteFault:
    """Return what the error of a transaction means for its batch."""
    if isinstance(error, OutboxUnusableError) and error.problem is OutboxProblem.UNWRITABLE:
        return WriteFault.UNKNOWN
    code = error_code(error)
    return WriteFault.FATAL if code is None else _FAULTS.get(code, WriteFault.FATAL)


def unusable(path: Path, error: Exception) -> OutboxUnusableError:
    """Return the error for one that came while opening."""
    return corrupt(path, str(error)) if error_code(error) in DAMAGE else unwritable(path, error)


class DamagedRowError(Exception):
    """A row holds what was never written there; the text says which row, and what is wrong with it."""


def damaged_row(path: Path, error: Exception) -> OutboxUnusableError:
    """Return the error for a file that can be opened, with a row that cannot be read."""
    return OutboxUnusableError(
        OutboxProblem.CORRUPT,
        path,
        f"the file is damaged ({error})",
        "Other rows can still be read: narrow the command with --since, --until or an id.",
    )


def corrupt(path: Path, detail: str) -> OutboxUnusableError:
    """Return the error for a damaged file."""
    return OutboxUnusableError(
        OutboxProblem.CORRUPT,
        path,
        f"the file is damaged ({detail})",
        "`forwarder run` sets it aside and salvages what it can.",
    )


def unwritable(path: Path, error: Exception) -> OutboxUnusableError:
    """Return the error for a file or folder that cannot be written."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    needed = f"The user that runs forwarder must be able to create and write files in {path.parent}, and the disk must have room; or set outbox.url."
    if isinstance(error, PermissionError):
        needed = (
            f"Run a command as the user that runs forwarder{_owner(path)}, or as root (sudo forwarder …). `forwarder run` itself needs "
            f"the right to create and write files in {path.parent}; or set outbox.url."
        )
    return OutboxUnusableError(OutboxProblem.UNWRITABLE, path, f"it cannot be written ({reason})", needed)


def _owner(path: Path) -> str:
    """Return the name of the user that a file belongs to, or that its folder belongs to; nothing if this user may see neither."""
    for each in (path, path.parent):
        with suppress(OSError, KeyError):
            name = pwd.getpwuid(each.stat().st_uid).pw_name
            return "" if name == "root" else f" (sudo -u {name} forwarder …)"
    return ""


def silent(path: Path) -> OutboxUnusableError:
    """Return the error for a disk that does not answer in time."""
    return OutboxUnusableError(
        OutboxProblem.UNWRITABLE,
        path,
        "its disk does not answer",
        "Is its file system frozen (fsfreeze --unfreeze), its device gone, its network down?",
    )


def in_use(path: Path, holder: str, *, by_command: bool) -> OutboxUnusableError:
    """Return the error for a file that another process holds."""
    if by_command:
        return OutboxUnusableError(
            OutboxProblem.IN_USE_BY_COMMAND,
            path,
            f"a forwarder command (process {holder}) has it open",
            "Let that one end, and try again.",
        )
    return OutboxUnusableError(
        OutboxProblem.IN_USE,
        path,
        f"another forwarder (process {holder}) is using it",
        "Stop that one, or give this one an outbox of its own: outbox.url.",
    )
