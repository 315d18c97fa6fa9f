"""The health of a destination: since when it fails, when it has recovered, and when it is paused until a person resumes it."""

from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import replace

from forwarder.core.delivery import Answered, Attempt, Fault, Unanswered
from forwarder.core.dispatch.destination_state import DestinationState, FailureStretch, Pause, PausedBy, with_failure
from forwarder.core.dispatch.lane_events import (
    BreakerClosed,
    FailedForLonger,
    Failing,
    LaneEvent,
    Recovered,
    StretchEnded,
)
from forwarder.core.dispatch.retry import MAX_RETRY_AFTER, Dead, Decision, Done, RetryAt
from forwarder.core.durations import spell

_OUTAGE = timedelta(seconds=1)
"""Failures without a success in between, for so long, are an outage, also where the breaker had no time to open.

Shorter ones are left to the schedule, so that one bad event amid successes does not come back each time.
"""
LATE_FAILURE_WAIT = timedelta(seconds=1)
_KEPT_EVERY = 40
"""A stretch of failures is reported, to be stored, whenever it has grown by this part of `pause_after`."""


class HealthChange(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt changes for the destination."""

    events: tuple[LaneEvent, ...] = ()
    is_outage_over: bool = False
    """An outage has ended: everything that waits for the destination is due at once."""
    pause: Pause | None = None
    """The destination is to be paused, for this reason."""


NO_CHANGE = HealthChange()


class Health:
    """Decides from the attempts at one destination whether it fails, has recovered, or is to be paused. Times are in steady time."""

    def __init__(self, state: DestinationState, *, pause_after: timedelta | None) -> None:
        self._failing_since = state.failing_since
        self._pause_after = pause_after
        self._stretch: FailureStretch | None = state.stretch
        self._kept = state.stretch
        """The stretch when it was last reported."""
        self._waited_until = datetime.min.replace(tzinfo=UTC)
        """Until when the receiver last asked us to wait."""
        self._recovered_at: datetime | None = None
        self._was_resumed = False
        """A person resumed the destination, and no success has followed."""

    @property
    def is_well(self) -> bool:
        """Whether a success changes nothing."""
        return self._failing_since is None and not self._was_resumed

    def note_resumed(self) -> None:
        """Forget the days of failures: otherwise the next failure would pause the destination again.

        That it fails ends only with a success.
        """
        self._stretch = self._kept = None
        self._was_resumed = True

    def note(
        self,
        attempt: Attempt,
        decision: Decision,
        events: list[LaneEvent],
        *,
        began: datetime,
        now: datetime,
        wall: datetime,
    ) -> HealthChange:
        """Return what follows from an attempt that began at `began`; `events` are those of the admission, `wall` is now by the wall clock."""
        if isinstance(decision, Done):
            if not events and self.is_well:
                return NO_CHANGE
            return self._note_success(events, now)
        if _is_no_failure(attempt, decision):
            if self._stretch is not None and isinstance(attempt.outcome, Answered):
                self._stretch = self._kept = None
                events = [*events, StretchEnded()]
            return self._change(events, now)  # `_failing_since` stays: nothing was delivered
        if self._failing_since is None:
            self._failing_since = began
            events = [Failing(reason=attempt.outcome.reason), *events]
        if (stretch := self._grow(attempt, began, now)) is not None:
            events = [*events, FailedForLonger(stretch=stretch)]
        return replace(self._change(events, now), pause=self._pause(decision, attempt, wall))

    def _note_success(self, events: list[LaneEvent], now: datetime) -> HealthChange:
        is_over = self._failing_since is not None and now - self._failing_since >= _OUTAGE
        if self._failing_since is not None or self._was_resumed:
            events = [Recovered(), *events]
        self._failing_since = self._stretch = self._kept = None
        self._was_resumed = False
        return self._change(events, now, is_over=is_over)

    def _change(self, events: list[LaneEvent], now: datetime, *, is_over: bool = False) -> HealthChange:
        is_over = is_over or any(isinstance(event, BreakerClosed) for event in events)
        if is_over:
            self._recovered_at = now
        return HealthChange(events=tuple(events), is_outage_over=is_over)

    def _grow(self, attempt: Attempt, began: datetime, now: datetime) -> FailureStretch | None:
        """Extend the stretch of failures by an attempt; return it if it is to be stored now."""
        if self._pause_after is None:
            return None
        before = self._stretch
        stretch = self._stretch = with_failure(
            before, began=began, ended=now, waited_until=self._waited_until, pause_after=self._pause_after
        )
        outcome = attempt.outcome
        if isinstance(outcome, Answered) and outcome.retry_after is not None:
            self._waited_until = now + min(outcome.retry_after, MAX_RETRY_AFTER)
        kept = self._kept
        if kept is None or kept.began != stretch.began or stretch.last - kept.last >= self._pause_after / _KEPT_EVERY:
            self._kept = stretch
            return stretch
        return None

    def _pause(self, decision: Decision, attempt: Attempt, wall: datetime) -> Pause | None:
        if isinstance(decision, RetryAt) and decision.pauses:
            return Pause(since=wall, by=PausedBy.RECEIVER, why=attempt.outcome.reason)
        stretch = self._stretch
        if self._pause_after is not None and stretch is not None and stretch.is_reason_to_pause(self._pause_after):
            why = (
                f"nothing but failures for {spell(stretch.length)}, {stretch.attempts:,} attempts; "
                f"the last: {attempt.outcome.reason}"
            )
            return Pause(since=wall, by=PausedBy.FAILURES, why=why)
        return None

    def is_late(self, attempt: Attempt, began: datetime) -> bool:
        """Whether an attempt began in an outage that has ended meanwhile, and got no response."""
        is_late = self._recovered_at is not None and began <= self._recovered_at
        return is_late and isinstance(attempt.outcome, Unanswered)

    def no_later_than_needed(self, decision: RetryAt, attempt: Attempt, *, began: datetime, now: datetime) -> RetryAt:
        """Return an earlier retry for an attempt that began in an outage that has ended meanwhile: it need not wait for a long step."""
        if self.is_late(attempt, began):
            return replace(decision, at=min(decision.at, now + LATE_FAILURE_WAIT))
        return decision


def _is_no_failure(attempt: Attempt, decision: Decision) -> bool:
    """Whether a failure is none of the destination's: a local fault, a rate limit, or a refusal of this event alone."""
    outcome = attempt.outcome
    if isinstance(decision, RetryAt) and decision.pauses:  # the config may say so of any status
        return False
    if isinstance(outcome, Answered):
        return outcome.status == 429 or _refuses_the_event(outcome, decision)
    return outcome.is_local_fault or outcome.fault in {Fault.FORMAT, Fault.BLOCKED}


def _refuses_the_event(outcome: Answered, decision: Decision) -> bool:
    """Whether the receiver works, and refuses this event: its delivery is given up at the first attempt."""
    return isinstance(decision, Dead) and decision.is_of_event and 400 <= outcome.status < 500
