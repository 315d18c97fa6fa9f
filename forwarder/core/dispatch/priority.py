"""Which of the deliveries that wait for a destination go first. Pure."""

from enum import StrEnum

MOST_IN_A_ROW = 20
"""After so many deliveries with a high priority, one normal delivery goes, if one waits."""


class Priority(StrEnum):
    """How soon the deliveries of a route go, of those that wait for the same destination."""

    NORMAL = "normal"
    HIGH = "high"


class PriorityTurns:
    """Counts the deliveries with a high priority in a row, so that normal ones have their turn."""

    def __init__(self) -> None:
        self._in_a_row = 0

    @property
    def is_high_first(self) -> bool:
        """Whether the next one is to be of a high priority, if one waits."""
        return self._in_a_row < MOST_IN_A_ROW

    def note(self, *, is_high: bool) -> None:
        """Count one that goes now."""
        self._in_a_row = self._in_a_row + 1 if is_high else 0
