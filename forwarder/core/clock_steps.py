"""Steps of the wall clock, and the steady time beside it that knows none. Pure.

Whatever waits is due by the steady time, and whatever grows old is as old as the steady time says. Both times are one until the
wall clock is set: from then on `wall = steady + offset`. Times that a person reads, and those that a receiver checks, are the wall clock's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

MOST_STEPS = 32
"""So many steps are kept one by one; older ones count as if they had come before all events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStep:
    """The wall clock was set, forward (`by` is positive) or back."""

    at: datetime
    """In steady time."""
    by: timedelta
    first_seq: int
    """The number of the first event that was accepted after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSteps:
    """All steps since the outbox was made, oldest first."""

    steps: Sequence[ClockStep] = ()
    older: timedelta = field(default=timedelta())
    """The sum of those that are not kept one by one."""

    @property
    def offset(self) -> timedelta:
        """What the wall clock is ahead of the steady time."""
        return sum((step.by for step in self.steps), self.older)

    def plus(self, step: ClockStep) -> "ClockSteps":
        """Return these and a newer one."""
        steps = [*self.steps, step]
        gone = max(len(steps) - MOST_STEPS, 0)
        return ClockSteps(steps=tuple(steps[gone:]), older=sum((each.by for each in steps[:gone]), self.older))

    def steady_of(self, wall: datetime, event_seq: int) -> datetime:
        """Return when an event was accepted, in steady time; `wall` is what the wall clock said then."""
        if not self.steps and not self.older:
            return wall
        return wall - self.offset_at(event_seq)

    def offset_at(self, event_seq: int) -> timedelta:
        """Return what the wall clock was ahead when that event was accepted."""
        return sum((step.by for step in self.steps if step.first_seq <= event_seq), self.older)

    def offsets_since(self, since: datetime, event_seq: int) -> list[timedelta]:
        """Return what the wall clock was ahead of the steady time at any moment since then, up to that event."""
        steps = [step for step in self.steps if step.first_seq <= event_seq and step.at >= since]
        before = [
            self.offset_at(event_seq) - sum((each.by for each in steps[at:]), timedelta()) for at in range(len(steps))
        ]
        return list(dict.fromkeys([*before, self.offset_at(event_seq)]))

    def forward_since(self, since: datetime) -> timedelta:
        """Return by how much the wall clock was set forward in all since then: what is older looks older than it is by that."""
        return sum((step.by for step in self.steps if step.at >= since and step.by > timedelta()), timedelta())
