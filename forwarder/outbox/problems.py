"""Why an outbox file cannot be used, as sentences, and what a failed write means for the batch."""

import sqlite3
from enum import Enum, StrEnum, auto
from pathlib import Path


class OutboxProblem(StrEnum):
    """Why an outbox file cannot be used."""

    IN_USE = "in_use"
    IN_USE_BY_COMMAND = "in_use_by_command"
    UNWRITABLE = "unwritable"
    CORRUPT = "corrupt"
    FOREIGN = "foreign"
    NEWER = "newer"
    MISSING = "missing"


class OutboxUnusableError(Exception):
    """The outbox file cannot be used; the text says why and what to do."""

    def __init__(self, problem: OutboxProblem, path: Path, detail: str, advice: str) -> None:
        self.problem = problem
        self.path = path
        self.detail = detail
        self.advice = advice
        super().__init__(f"outbox {path}: {detail}. {advice}")


class OutboxReplacedError(Exception):
    """Another file stands where the outbox was, while it was in use."""


class OutboxFailedError(Exception):
    """The disk failed again and again; the process ends, and a restart reads what the disk really has."""


class WriteFault(Enum):
    """What a failed write means for its batch."""

    BUSY = auto()
    """Another program holds the file for a moment: try again."""
    FULL = auto()
    """No room: make some, and try again."""
    READ_ONLY = auto()
    """The file system does not take writes now: open anew and try again, for as long as it takes."""
    UNKNOWN = auto()
    """The disk failed; whether the batch is on it is unknown: open anew, look, and write it again where it is not."""
    FATAL = auto()
    """Damage or a bug: end, so that a restart looks at the file."""


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
    """Return what an error of a transaction means for it."""
    if isinstance(error, OutboxUnusableError) and error.problem is OutboxProblem.UNWRITABLE:
        return WriteFault.UNKNOWN
    code = error_code(error)
    return WriteFault.FATAL if code is None else _FAULTS.get(code, WriteFault.FATAL)


def unusable(path: Path, error: Exception) -> OutboxUnusableError:
    """Return the sentence for an error that came while opening."""
    return corrupt(path, str(error)) if error_code(error) in DAMAGE else unwritable(path, error)


def corrupt(path: Path, detail: str) -> OutboxUnusableError:
    """Return the sentence for a damaged file."""
    return OutboxUnusableError(
        OutboxProblem.CORRUPT,
        path,
        f"the file is damaged ({detail})",
        "`forwarder run` sets it aside and salvages what it can.",
    )


def unwritable(path: Path, error: Exception) -> OutboxUnusableError:
    """Return the sentence for a file or folder that refuses us."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return OutboxUnusableError(
        OutboxProblem.UNWRITABLE,
        path,
        f"it cannot be written ({reason})",
        f"The user that runs forwarder must be able to create and write files in {path.parent}, and the disk must have "
        "room; or set outbox.url.",
    )


def in_use(path: Path, holder: str, *, by_command: bool) -> OutboxUnusableError:
    """Return the sentence for a file that another process holds."""
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
