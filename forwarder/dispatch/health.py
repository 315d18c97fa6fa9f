"""How a destination has been doing: since when it fails, when that is over, and when it is given up until a person comes."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from forwarder.core.delivery import Answered, Attempt, Fault, Unanswered
from forwarder.core.news import BreakerClosed, FailedForLonger, Failing, News, StretchEnded, Working
from forwarder.core.notices import spell
from forwarder.core.retry import MAX_RETRY_AFTER, Dead, Decision, Done, RetryAt
from forwarder.core.standing import FailureStretch, Pause, PausedBy, Standing, with_failure

_OUTAGE = timedelta(seconds=1)
"""Failures without a success in between, for so long, are an outage, also where the breaker had no time to open.

Shorter ones are left to the schedule, so that one bad event amid successes does not come back each time.
"""
LATE_FAILURE_WAIT = timedelta(seconds=1)
_KEPT_EVERY = 40
"""A stretch of failures is kept whenever it has grown by so small a part of `pause_after`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What follows from an attempt for the destination."""

    news: tuple[News, ...] = ()
    is_outage_over: bool = False
    """Everything that waited for it is due at once."""
    pause: Pause | None = None
    """It is to be paused."""


NOTHING = Course()


class Health:
    """Hears of each attempt of one destination. Times are in steady time."""

    def __init__(self, standing: Standing, *, pause_after: timedelta | None) -> None:
        self._failing_since = standing.failing_since
        self._pause_after = pause_after
        self._stretch: FailureStretch | None = standing.stretch
        self._kept = standing.stretch
        """As it was when it was last worth keeping."""
        self._waited_until = datetime.min.replace(tzinfo=UTC)
        """Until when the receiver last asked us to wait."""
        self._recovered_at: datetime | None = None
        self._was_resumed = False
        """A person resumed it, and no success has followed."""

    def note_resumed(self) -> None:
        """Forget the days of failures: the next one would pause it again."""
        self._failing_since = self._stretch = self._kept = None
        self._was_resumed = True

    def note(
        self, attempt: Attempt, decision: Decision, news: list[News], *, began: datetime, now: datetime, wall: datetime
    ) -> Course:
        """Return what follows from an attempt that began at `began`; `news` are those of the gate, `wall` is now by the wall clock."""
        if isinstance(decision, Done):
            if not news and self._failing_since is None and not self._was_resumed:
                return NOTHING
            return self._note_success(news, now)
        if _is_no_failure(attempt, decision):
            if self._stretch is not None and isinstance(attempt.outcome, Answered):
                self._stretch = self._kept = None
                news = [*news, StretchEnded()]
            return self._course(news, now)  # `_failing_since` stays: nothing was delivered
        if self._failing_since is None:
            self._failing_since = began
            news = [Failing(reason=attempt.outcome.reason), *news]
        if (stretch := self._grow(attempt, began, now)) is not None:
            news = [*news, FailedForLonger(stretch=stretch)]
        return replace(self._course(news, now), pause=self._pause(decision, attempt, wall))

    def _note_success(self, news: list[News], now: datetime) -> Course:
        is_over = self._failing_since is not None and now - self._failing_since >= _OUTAGE
        if self._failing_since is not None or self._was_resumed:
            news = [Working(), *news]
        self._failing_since = self._stretch = self._kept = None
        self._was_resumed = False
        return self._course(news, now, is_over=is_over)

    def _course(self, news: list[News], now: datetime, *, is_over: bool = False) -> Course:
        is_over = is_over or any(isinstance(told, BreakerClosed) for told in news)
        if is_over:
            self._recovered_at = now
        return Course(news=tuple(news), is_outage_over=is_over)

    def _grow(self, attempt: Attempt, began: datetime, now: datetime) -> FailureStretch | None:
        """Have the stretch of failures grow by an attempt; return it if it is worth keeping now."""
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
        """Whether an attempt is of the outage that ended meanwhile, and came to no answer."""
        is_late = self._recovered_at is not None and began <= self._recovered_at
        return is_late and isinstance(attempt.outcome, Unanswered)

    def no_later_than_needed(self, decision: RetryAt, attempt: Attempt, *, began: datetime, now: datetime) -> RetryAt:
        """Return an earlier retry for an attempt of the outage that ended meanwhile: it need not wait out a long step."""
        if self.is_late(attempt, began):
            return replace(decision, at=min(decision.at, now + LATE_FAILURE_WAIT))
        return decision


def _is_no_failure(attempt: Attempt, decision: Decision) -> bool:
    """Whether a failure is our own, says that we come too often, or speaks of the event alone: that is none of the destination."""
    outcome = attempt.outcome
    if isinstance(decision, RetryAt) and decision.pauses:  # the config may say so of any status
        return False
    if isinstance(outcome, Answered):
        return outcome.status == 429 or _speaks_of_the_event(outcome, decision)
    return outcome.is_ours or outcome.fault in {Fault.FORMAT, Fault.BLOCKED}


def _speaks_of_the_event(outcome: Answered, decision: Decision) -> bool:
    """Whether the receiver works, and refuses this event: its delivery is given up at once, at the first try of it."""
    return isinstance(decision, Dead) and decision.is_of_event and 400 <= outcome.status < 500
