"""The state of a destination that outlasts a restart: its pause, since when it fails, and how long it was seen to fail. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec.structs import replace


class PausedBy(StrEnum):
    """Who paused a destination. Only a person resumes it, or the end that a person gave the pause."""

    PERSON = "person"
    RECEIVER = "receiver"
    """The receiver answered that it is gone, or that it accepts nothing from us."""
    FAILURES = "failures"
    """There was nothing but failures for days."""


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """A pause: since when by the wall clock, by whom, and why."""

    since: datetime
    by: PausedBy
    why: str = ""
    until: datetime | None = None
    """When it ends by itself, by the wall clock; `None` if only a person ends it."""

    def is_over(self, now: datetime) -> bool:
        """Return whether it has ended by itself."""
        return self.until is not None and self.until <= now


LEAST_FAILURES = 10
"""How many failures at least are a reason to pause a destination, however long they go on."""
HOLES = 4
"""Failures belong to one stretch while the time between two of them is no longer than this part of `pause_after`: nothing is known
of a destination that nothing was sent to."""


class FailureStretch(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts that failed one after the other, with no sign that the receiver works and no long gap between them. In steady time.

    Such a sign is a success, and an answer that refuses one event or asks for a lower rate.
    """

    began: datetime
    """When the first of them was made."""
    last: datetime
    """When the last of them had failed."""
    attempts: int

    @property
    def length(self) -> timedelta:
        """The time from the first attempt to the last."""
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


class DestinationState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a destination. Its times are in steady time, except that of the pause."""

    pause: Pause | None = None
    failing_since: datetime | None = None
    """When the first failure was that no success has followed."""
    reported_at: datetime | None = None
    """When another destination was notified of the failure."""
    stretch: FailureStretch | None = None
    """The failures that have been seen without a sign that the receiver works."""
    dead_reported_at: datetime | None = None
    """When another destination was last notified of dead letters."""


UNKNOWN = DestinationState()
"""The state of a destination that works, or was never used."""
