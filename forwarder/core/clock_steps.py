"""Converts between the wall clock, which may be set, and the steady time, which never jumps.

Due times and ages are in steady time. Both times are equal until the wall clock is set; from then on `wall = steady + offset`. Times that a
person reads or a receiver checks are wall-clock times.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

MOST_STEPS = 32
"""How many steps are kept separately. Older ones count as if they had happened before all events."""


class ClockStep(msgspec.Struct, frozen=True, kw_only=True):
    """One change of the wall clock: it was set forward (`by` is positive) or back."""

    at: datetime
    """When it was set, in steady time."""
    by: timedelta
    first_seq: int
    """The number of the first event that was accepted after the step."""


class ClockSteps(msgspec.Struct, frozen=True, kw_only=True):
    """All steps of the wall clock since the outbox was created, oldest first."""

    steps: Sequence[ClockStep] = ()
    older: timedelta = msgspec.field(default=timedelta())
    """The sum of the steps that are no longer kept separately."""

    @property
    def offset(self) -> timedelta:
        """How far the wall clock is ahead of the steady time."""
        return sum((step.by for step in self.steps), self.older)

    def plus(self, step: ClockStep) -> "ClockSteps":
        """Return these steps and a newer one."""
        steps = [*self.steps, step]
        gone = max(len(steps) - MOST_STEPS, 0)
        return ClockSteps(steps=tuple(steps[gone:]), older=sum((each.by for each in steps[:gone]), self.older))

    def steady_of(self, wall: datetime, event_seq: int) -> datetime:
        """Return when an event was accepted, in steady time; `wall` is the wall-clock time of that moment."""
        if not self.steps and not self.older:
            return wall
        return wall - self.offset_at(event_seq)

    def offset_at(self, event_seq: int) -> timedelta:
        """Return how far the wall clock was ahead when that event was accepted."""
        return sum((step.by for step in self.steps if step.first_seq <= event_seq), self.older)

    def offsets_since(self, since: datetime, event_seq: int) -> list[timedelta]:
        """Return each offset that the wall clock had at some moment since then, up to that event."""
        steps = [step for step in self.steps if step.first_seq <= event_seq and step.at >= since]
        before = [
            self.offset_at(event_seq) - sum((each.by for each in steps[at:]), timedelta()) for at in range(len(steps))
        ]
        return list(dict.fromkeys([*before, self.offset_at(event_seq)]))

    def forward_since(self, since: datetime) -> timedelta:
        """Return the total time by which the wall clock was set forward since then. Older events look older than they are by this much."""
        return sum((step.by for step in self.steps if step.at >= since and step.by > timedelta()), timedelta())
