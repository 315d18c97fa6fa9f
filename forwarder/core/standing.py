"""What of a destination outlasts a restart: that it is paused, since when it fails, and for how long it was seen to. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class PausedBy(StrEnum):
    """Who paused a destination. Only a person resumes it."""

    PERSON = "person"
    RECEIVER = "receiver"
    """It answered that it is gone."""
    FAILURES = "failures"
    """Nothing else came for days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Since when by the wall clock, by whom, and why."""

    since: datetime
    by: PausedBy
    why: str = ""


LEAST_FAILURES = 10
"""Fewer are no reason to pause a destination, over however long a time."""
HOLES = 4
"""Failures belong to one stretch while the time between two of them is no longer than this part of `pause_after`: nothing is known
of a destination that nothing was sent to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureStretch:
    """Attempts that failed one after the other, with no sign of life and no long time without an attempt between them. In steady time.

    A sign of life is a success, and an answer that refuses an event for itself or says that we come too often.
    """

    began: datetime
    """When the first of them was made."""
    last: datetime
    """When the last of them had failed."""
    attempts: int

    @property
    def length(self) -> timedelta:
        """From the first to the last."""
        return self.last - self.began

    def is_reason_to_pause(self, after: timedelta) -> bool:
        """Whether a destination that is to be paused after so long has failed for long enough, and often enough."""
        return self.length >= after and self.attempts >= LEAST_FAILURES


def with_failure(
    stretch: FailureStretch | None, *, began: datetime, ended: datetime, waited_until: datetime, pause_after: timedelta
) -> FailureStretch:
    """Return the stretch that a failed attempt from `began` to `ended` belongs to: the one before it, or one that it begins.

    `waited_until` is when the receiver of the one before wanted the next one: that was no time without an attempt.
    """
    if stretch is None or began - max(stretch.last, waited_until) > pause_after / HOLES:
        return FailureStretch(began=began, last=max(ended, began), attempts=1)
    return replace(stretch, last=max(ended, stretch.last), attempts=stretch.attempts + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a destination stands. Its times are in steady time, but for that of the pause."""

    pause: Pause | None = None
    failing_since: datetime | None = None
    """The first failure that no success has followed."""
    told_at: datetime | None = None
    """When another destination was told of it."""
    stretch: FailureStretch | None = None
    """For how long it has been seen to fail."""


NOTHING_KNOWN = Standing()
"""How one stands that works, or that was never tried."""
