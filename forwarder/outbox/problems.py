"""Why an outbox cannot be used or cannot go on: the errors that every store raises and callers catch."""

from enum import StrEnum
from pathlib import Path


class OutboxProblem(StrEnum):
    """Why an outbox cannot be used."""

    IN_USE = "in_use"
    IN_USE_BY_COMMAND = "in_use_by_command"
    UNWRITABLE = "unwritable"
    CORRUPT = "corrupt"
    FOREIGN = "foreign"
    NEWER = "newer"
    MISSING = "missing"


class OutboxUnusableError(Exception):
    """The outbox cannot be used; the text says why and what to do."""

    def __init__(self, problem: OutboxProblem, location: Path | str, detail: str, advice: str) -> None:
        self.problem = problem
        self.location = location
        self.detail = detail
        self.advice = advice
        super().__init__(f"outbox {location}: {detail}. {advice}")


class OutboxUnreadableError(Exception):
    """The outbox of a running daemon cannot be read now; the text is that of the store."""


class ReadGivenUpError(Exception):
    """A read of the history was ended before it was done, because whoever asked for it does not wait any longer."""


class OutboxReplacedError(Exception):
    """Another outbox is where this one was while it was in use."""


class OutboxFailedError(Exception):
    """The disk failed again and again. The process ends, and the next start reads what is really on the disk."""
