"""Opens an outbox that an option names by its file, and says what is wrong with the file as the option's mistake."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forwarder.core.history import History
from forwarder.outbox.open import open_history
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError

_BEGINNING = b"SQLite format 3\0"


@contextmanager
def open_outbox_file(file: Path, *, option: str) -> Iterator[History]:
    """Open the outbox in a file to read it. Raises `OutboxUnusableError`, whose advice is about `option`."""
    _require_database(file, option)
    try:
        with open_history(file) as history:
            yield history
    except OutboxUnusableError as error:
        if error.problem is not OutboxProblem.FOREIGN:
            raise
        raise _wrong(file, option, error.detail) from error


def _require_database(file: Path, option: str) -> None:
    """Raise `OutboxUnusableError` for what is no file of SQLite. Only a regular file is opened: another one might wait for a writer."""
    try:
        mode = file.stat().st_mode
        beginning = b""
        if stat.S_ISREG(mode):
            with file.open("rb") as opened:
                beginning = opened.read(len(_BEGINNING))
    except FileNotFoundError:
        raise _wrong(file, option, "there is no such file", OutboxProblem.MISSING) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else "not the name of a file"
        raise _wrong(file, option, f"it cannot be read ({reason})", OutboxProblem.UNWRITABLE) from error
    if stat.S_ISDIR(mode):
        raise _wrong(file, option, "it is a folder")
    if not stat.S_ISREG(mode):
        raise _wrong(file, option, "it is not a regular file")
    if not beginning:
        raise _wrong(file, option, "the file is empty")
    if beginning != _BEGINNING:
        raise _wrong(file, option, "the file is not an outbox")


def _wrong(file: Path, option: str, detail: str, problem: OutboxProblem = OutboxProblem.FOREIGN) -> OutboxUnusableError:
    return OutboxUnusableError(problem, file, detail, f"{option} needs the file of an outbox, such as outbox.db.")
