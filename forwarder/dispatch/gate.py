"""Whether the next attempt at a destination may be made now, and what its outcomes mean for those after it.

Times are the loop's: monotonic seconds.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from math import inf

from forwarder.core.breaker import Breaker, BreakerPolicy, probe_wait_s
from forwarder.core.budget import Budget
from forwarder.core.delivery import Answered, Attempt, Delivery, Fault, Unanswered
from forwarder.core.news import BreakerClosed, BreakerOpened, Held, News, OursBegan, OursEnded
from forwarder.core.ramp import Ramp
from forwarder.core.rate import Bucket
from forwarder.core.retry import MAX_RETRY_AFTER, Dead, Decision, Done

_BUSY_STATUSES = frozenset({429, 502, 503, 504})
"""Of these a `Retry-After` is meant for all that the receiver gets, not for one delivery (Standard Webhooks)."""
_FIRST_HOLD_S = 1.0
_LONGEST_HOLD_S = 60.0
"""A 429 that names no time holds everything 1, 2, 4, … 60 seconds."""
_WORTH_TELLING_S = 10.0


class Gate:
    """The concurrency, the rates, the breaker, the holds and the pause of one destination, as one question."""

    def __init__(
        self, *, concurrency: int, bucket: Bucket | None, budgets: Sequence[Budget], breaker: BreakerPolicy
    ) -> None:
        """`budgets` are shared with other destinations."""
        self.breaker = Breaker(breaker)
        self.ramp = Ramp(concurrency)
        self.active = 0
        """Attempts under way."""
        self.is_paused = False
        self.ours: str | None = None
        """Why nothing can be sent, by no fault of the receiver."""
        self.held_until = 0.0
        self._concurrency = concurrency
        self._bucket = bucket
        self._budgets = budgets
        self._hold_s = _FIRST_HOLD_S
        self._ours_since = 0.0
        self._is_precaution = False
        """The breaker is open although nothing failed: what the first probe comes to is awaited."""
        self._last_failure = ""
        """What the last failed attempt came to,"""
        self._is_refused = False
        """and whether nobody listened there."""
        self._is_unlimited = bucket is None and not budgets
        self._is_plain = self._is_unlimited
        """Nothing is in the way: the question is answered without looking further."""

    @property
    def is_probing(self) -> bool:
        """Whether the outcome of a probe is awaited."""
        return self.breaker.is_probing

    def opens_at(self, now: float, has_fresh: Callable[[], bool]) -> float:
        """Return zero if an attempt may begin now, else when to ask again; infinity: when something has changed.

        `has_fresh` says whether something waits that was never tried.
        """
        if self._is_plain:
            return 0.0
        if self.is_paused:
            return inf
        breaker = self.breaker
        opens_at = self.held_until
        if breaker.is_closed:
            if self.active - breaker.probes >= self.ramp.limit:  # those of the outage before may hang on
                return inf
        elif breaker.has_most_probes:
            return inf
        elif breaker.is_probing or not (breaker.may_be_one_deliverys and has_fresh()):
            opens_at = max(opens_at, breaker.probe_at)
        opens_at = max(opens_at, self.limited_until())
        return opens_at if opens_at > now else 0.0

    def limited_until(self) -> float:
        """Return when the limits of rate let the next attempt through; a time that has passed means at once."""
        opens_at = 0.0 if self._bucket is None else self._bucket.opens_at()
        for budget in self._budgets:
            opens_at = max(opens_at, budget.opens_at())
        return opens_at

    def begin(self, now: float) -> bool:
        """Note that an attempt begins; return whether it is a probe."""
        self.active += 1
        if self._is_plain:
            return False
        if self._bucket is not None:
            self._bucket.take(now)
        for budget in self._budgets:
            budget.take(now)
        if self.breaker.is_closed:
            return False
        self.breaker.begin_probe(now)
        return True

    def cut_short(self, now: float, *, is_probe: bool) -> None:
        """Note that an attempt ended without an outcome."""
        self.active -= 1
        if is_probe:
            self.breaker.end_probe()
            self.breaker.give_up_probe(now)

    def end(
        self, delivery: Delivery, attempt: Attempt, decision: Decision, *, now: float, is_probe: bool
    ) -> list[News]:
        """Note what an attempt came to; return what is to be told of it."""
        self.active -= 1
        if is_probe:
            self.breaker.end_probe()
        if self._is_plain and isinstance(decision, Done):
            if self.breaker.note_success(now):
                raise AssertionError("a gate with an open breaker is not plain")
            return []
        news = self._weigh(delivery, attempt, decision, now, is_probe=is_probe)
        self._look_anew(now)
        return news

    def open_if_failing(self, now: float) -> list[News]:
        """Let nothing through but probes where nothing but failures came for too long; return what is to be told of it."""
        if self.active or not self.breaker.open_if_failing(now):  # what is under way tells more, and soon
            return []
        self._look_anew(now)
        return [BreakerOpened(reason=self._last_failure)]

    def may_knock(self, now: float) -> bool:
        """Whether it is worth asking if somebody listens again: nobody did, and a probe would be let through but for its time."""
        breaker = self.breaker
        is_shut = breaker.is_closed or breaker.is_probing or breaker.probe_at <= now
        return self._is_refused and not (is_shut or self.is_paused or max(self.held_until, self.limited_until()) > now)

    def note_answer_to_knock(self, now: float) -> None:
        """Let a probe through at once: somebody listens there."""
        self._is_refused = False
        self.breaker.probe_now(now)

    def pause(self) -> None:
        """Let nothing through until `resume`."""
        self.is_paused = True
        self._look_anew(0.0)

    def resume(self, now: float) -> None:
        """Begin anew, with a probe: what stopped it may be there still."""
        self.is_paused = False
        self.held_until = 0.0
        self.be_careful(now)

    def be_careful(self, now: float) -> None:
        """Begin with a probe, at once: something waits from before, and the receiver may be down."""
        self.breaker.open(now, probe_in_s=0.0)
        self._is_precaution = not self.breaker.is_closed
        self._look_anew(now)

    def _look_anew(self, now: float) -> None:
        self._is_plain = (
            self._is_unlimited
            and not self.is_paused
            and self.breaker.is_closed
            and self.held_until <= now
            and self.ramp.limit == self._concurrency
        )

    def _weigh(
        self, delivery: Delivery, attempt: Attempt, decision: Decision, now: float, *, is_probe: bool
    ) -> list[News]:
        outcome = attempt.outcome
        if isinstance(outcome, Unanswered):
            if outcome.is_ours:
                return self._note_ours(outcome, now, is_probe=is_probe)
            if outcome.fault is Fault.FORMAT:  # nothing was sent
                if is_probe:
                    self.breaker.give_up_probe(now, wait_s=0.0)
                return []
        news: list[News] = []
        self._is_refused = isinstance(outcome, Unanswered) and outcome.fault is Fault.REFUSED
        if self.ours is not None:
            self.ours = None
            news.append(OursEnded())
        status = None
        if isinstance(outcome, Answered):
            status = outcome.status
            for budget in self._budgets:
                budget.note(outcome, now)
        if status in _BUSY_STATUSES and not isinstance(decision, Done):
            news += self._note_busy(attempt, now)
        if isinstance(decision, Done):
            self._hold_s = _FIRST_HOLD_S
        if (
            status == 429
            or isinstance(decision, Done)
            or (status is not None and isinstance(decision, Dead) and status < 500)
        ):
            # It answers, whatever it thinks of this one.
            self.ramp.note_success(now)
            if self.breaker.note_success(now):
                self.ramp.start_slowly(now)
                was_down = timedelta(seconds=now - self.breaker.opened_at)
                news.append(BreakerClosed(after=None if self._is_precaution else was_down))
                self._is_precaution = False
        elif self._note_failure(delivery, attempt, now, is_probe=is_probe):
            news.append(BreakerOpened(reason=outcome.reason))
        return news

    def _note_failure(self, delivery: Delivery, attempt: Attempt, now: float, *, is_probe: bool) -> bool:
        """Count it; return whether the destination is down from now on, as far as was told."""
        self._last_failure = attempt.outcome.reason
        was_precaution, self._is_precaution = self._is_precaution, False
        return self.breaker.note_failure(now, is_probe=is_probe, culprit=delivery.event_seq) or was_precaution

    def _note_ours(self, outcome: Unanswered, now: float, *, is_probe: bool) -> list[News]:
        if is_probe:
            self.breaker.give_up_probe(now)
        if self.ours is None:
            self._ours_since = now
        if self.held_until <= now:
            self.held_until = now + probe_wait_s(now - self._ours_since)
        was, self.ours = self.ours, outcome.reason
        return [] if was is not None else [OursBegan(reason=outcome.reason)]

    def _note_busy(self, attempt: Attempt, now: float) -> list[News]:
        """Slow down, and wait as long as the receiver asks; a 429 that does not say how long waits longer each time."""
        outcome = attempt.outcome
        assert isinstance(outcome, Answered)  # noqa: S101 - only a status is busy
        if outcome.status == 429:
            self.ramp.start_slowly(now)
        else:
            self.ramp.ease(now)
        if outcome.retry_after is not None:
            wait_s = min(outcome.retry_after, MAX_RETRY_AFTER).total_seconds()
        elif outcome.status == 429:
            if self.held_until > now:  # one of many that were under way together
                return []
            wait_s = self._hold_s
            self._hold_s = min(2 * self._hold_s, _LONGEST_HOLD_S)
        else:
            return []
        if now + wait_s <= self.held_until:
            return []
        self.held_until = now + wait_s
        if wait_s < _WORTH_TELLING_S:
            return []
        until = attempt.started_at + attempt.duration + timedelta(seconds=wait_s)
        return [Held(until=until, reason=outcome.reason)]
