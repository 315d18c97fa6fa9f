"""How a destination has been doing: since when it fails, when that is over, and when it is given up until a person comes."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from forwarder.core.delivery import Answered, Attempt, Fault, Unanswered
from forwarder.core.news import BreakerClosed, Failing, News, Working
from forwarder.core.retry import Decision, Done, RetryAt
from forwarder.core.standing import Pause, PausedBy

_OUTAGE = timedelta(seconds=1)
"""Failures without a success in between, for so long, are an outage, also where the breaker had no time to open.

Shorter ones are left to the schedule, so that one bad event amid successes does not come back each time.
"""
_LATE_FAILURE_WAIT = timedelta(seconds=1)


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
    """Hears of each attempt of one destination."""

    def __init__(self, *, failing_since: datetime | None, pause_after: timedelta | None) -> None:
        self._failing_since = failing_since
        self._pause_after = pause_after
        self._recovered_at: datetime | None = None
        self._was_resumed = False
        """A person resumed it, and no success has followed."""

    def note_resumed(self) -> None:
        """Forget the days of failures: the next one would pause it again."""
        self._failing_since = None
        self._was_resumed = True

    def note(self, attempt: Attempt, decision: Decision, news: list[News], now: datetime) -> Course:
        """Return what follows from an attempt; `news` are those of the gate."""
        if isinstance(decision, Done):
            if not news and self._failing_since is None and not self._was_resumed:
                return NOTHING
            return self._note_success(news, now)
        if _tells_nothing(attempt):
            return self._course(news, now)
        if self._failing_since is None:
            self._failing_since = attempt.started_at
            news = [Failing(reason=attempt.outcome.reason), *news]
        return replace(self._course(news, now), pause=self._pause(decision, attempt, now))

    def _note_success(self, news: list[News], now: datetime) -> Course:
        is_over = self._failing_since is not None and now - self._failing_since >= _OUTAGE
        if self._failing_since is not None or self._was_resumed:
            news = [Working(), *news]
        self._failing_since, self._was_resumed = None, False
        return self._course(news, now, is_over=is_over)

    def _course(self, news: list[News], now: datetime, *, is_over: bool = False) -> Course:
        is_over = is_over or any(isinstance(told, BreakerClosed) for told in news)
        if is_over:
            self._recovered_at = now
        return Course(news=tuple(news), is_outage_over=is_over)

    def _pause(self, decision: Decision, attempt: Attempt, now: datetime) -> Pause | None:
        since = self._failing_since
        if isinstance(decision, RetryAt) and decision.pauses:
            return Pause(since=now, by=PausedBy.RECEIVER, why=attempt.outcome.reason)
        if self._pause_after is not None and since is not None and now - since >= self._pause_after:
            why = f"nothing but failures since {since:%Y-%m-%d %H:%M} UTC; the last: {attempt.outcome.reason}"
            return Pause(since=now, by=PausedBy.FAILURES, why=why)
        return None

    def no_later_than_needed(self, decision: RetryAt, attempt: Attempt, now: datetime) -> RetryAt:
        """Return an earlier retry for an attempt of the outage that ended meanwhile: it need not wait out a long step."""
        is_late = self._recovered_at is not None and attempt.started_at <= self._recovered_at
        if is_late and isinstance(attempt.outcome, Unanswered):
            return replace(decision, at=min(decision.at, now + _LATE_FAILURE_WAIT))
        return decision


def _tells_nothing(attempt: Attempt) -> bool:
    """Whether a failure is our own, or only says that we come too often."""
    outcome = attempt.outcome
    if isinstance(outcome, Answered):
        return outcome.status == 429
    return outcome.is_ours or outcome.fault is Fault.FORMAT
