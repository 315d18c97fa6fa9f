"""Whether the next attempt at a destination may begin now, and what the outcomes of attempts mean for the next ones.

Times are the loop's: monotonic seconds.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from math import inf

from forwarder.core.delivery import Answered, Attempt, Delivery, Fault, Unanswered
from forwarder.core.dispatch.circuit_breaker import Breaker, BreakerPolicy, BreakerState, probe_wait_s
from forwarder.core.dispatch.lane_events import (
    BreakerClosed,
    BreakerOpened,
    LaneEvent,
    LocalOutageBegan,
    LocalOutageEnded,
    ThrottledByReceiver,
)
from forwarder.core.dispatch.quota import ServiceQuota
from forwarder.core.dispatch.retry import MAX_RETRY_AFTER, Dead, Decision, Done
from forwarder.core.dispatch.slow_start import SlowStart
from forwarder.core.dispatch.token_bucket import TokenBucket

_BUSY_STATUSES = frozenset({429, 502, 503, 504})
"""With these a `Retry-After` applies to everything for the receiver, not to one delivery (Standard Webhooks)."""
_FIRST_HOLD_S = 1.0
_LONGEST_HOLD_S = 60.0
"""A 429 without a `Retry-After` holds everything for 1, 2, 4, … 60 seconds."""
_TOO_SHORT_S = 0.1
"""A 429 that asks for less than this after the same wait holds everything for as long as one without a `Retry-After`."""
_WORTH_REPORTING_S = 10.0


class Admission:
    """Decides whether an attempt at a destination may begin now, by its concurrency, rates, breaker, holds and pause."""

    def __init__(
        self,
        *,
        concurrency: int,
        bucket: TokenBucket | None,
        quotas: Sequence[ServiceQuota],
        breaker: BreakerPolicy,
        counts_rate: bool = True,
    ) -> None:
        """`bucket` is for the destination's own rate; `quotas` are shared with other destinations.

        `counts_rate` false: attempts begin while the rate allows a request, and the sender counts those that it makes of several attempts.
        """
        self.breaker = Breaker(breaker)
        self.slow_start = SlowStart(concurrency)
        self.active = 0
        """Attempts under way."""
        self.is_paused = False
        self.local_fault: str | None = None
        """Why nothing can be sent from this machine, if so: no network, no DNS, no descriptors."""
        self.held_until = 0.0
        self._concurrency = concurrency
        self._bucket = bucket
        self._counted = bucket if counts_rate else None
        self._quotas = quotas
        self._hold_s = _FIRST_HOLD_S
        self._is_throttled = False
        """The last answers were 429, without a success since."""
        self._local_fault_since = 0.0
        self._is_precaution = False
        """The breaker is open although nothing failed: the outcome of the first probe is awaited."""
        self._last_failure = ""
        """The reason of the last failed attempt."""
        self._is_refused = False
        """The last failed attempt was refused: nobody listened there."""
        self._is_unlimited = bucket is None and not quotas
        self._is_unrestricted = self._is_unlimited
        """No restriction applies now: an attempt may begin without further checks."""

    @property
    def state(self) -> BreakerState:
        """Return the state of the breaker as it is reported. Where it is open although nothing has failed, nobody is to be alarmed."""
        return BreakerState.CLOSED if self._is_precaution else self.breaker.state

    @property
    def is_probing(self) -> bool:
        """Whether the outcome of a probe is awaited."""
        return self.breaker.is_probing

    def allowed_at(self, now: float, has_fresh: Callable[[], bool]) -> float:
        """Return zero if an attempt may begin now, else when to ask again; infinity: when something has changed.

        `has_fresh` returns whether a delivery waits that was never attempted.
        """
        if self._is_unrestricted:
            return 0.0
        if self.is_paused:
            return inf
        breaker = self.breaker
        allowed_at = self.held_until
        if breaker.is_closed:
            if self.active - breaker.probes >= self.slow_start.limit:  # those of the outage before may hang on
                return inf
        elif breaker.has_most_probes:
            return inf
        elif breaker.is_probing or not (breaker.may_be_one_deliverys and has_fresh()):
            allowed_at = max(allowed_at, breaker.probe_at)
        allowed_at = max(allowed_at, self.limited_until())
        return allowed_at if allowed_at > now else 0.0

    def limited_until(self) -> float:
        """Return when the rate limits allow the next attempt; a time that has passed means at once."""
        allowed_at = 0.0 if self._bucket is None else self._bucket.allowed_at()
        for quota in self._quotas:
            allowed_at = max(allowed_at, quota.allowed_at())
        return allowed_at

    def begin(self, now: float) -> bool:
        """Note that an attempt begins; return whether it is a probe."""
        self.active += 1
        if self._is_unrestricted:
            return False
        self.count_request(now)
        if self.breaker.is_closed:
            return False
        self.breaker.begin_probe(now)
        return True

    def count_request(self, now: float) -> None:
        """Count another request of an attempt towards the rates."""
        if self._counted is not None:
            self._counted.take(now)
        for quota in self._quotas:
            quota.take(now)

    def cut_short(self, now: float, *, is_probe: bool) -> None:
        """Note that an attempt ended without an outcome."""
        self.active -= 1
        if is_probe:
            self.breaker.end_probe()
            self.breaker.give_up_probe(now)

    def end(
        self, delivery: Delivery, attempt: Attempt, decision: Decision, *, now: float, is_probe: bool
    ) -> list[LaneEvent]:
        """Note the outcome of an attempt; return what changed for the destination."""
        self.active -= 1
        if is_probe:
            self.breaker.end_probe()
        if self._is_unrestricted and isinstance(decision, Done):
            if self.breaker.note_success(now):
                raise AssertionError("an open breaker is a restriction")
            return []
        events = self._record_outcome(delivery, attempt, decision, now, is_probe=is_probe)
        self._update(now)
        return events

    def open_if_failing(self, now: float) -> list[LaneEvent]:
        """Open the breaker where nothing but failures came for too long; return what changed for the destination."""
        if self.active or not self.breaker.open_if_failing(now):  # the outcome of what is under way comes soon
            return []
        self._update(now)
        return [BreakerOpened(reason=self._last_failure)]

    def may_knock(self, now: float) -> bool:
        """Whether to ask if somebody listens again: nobody did, and only its time keeps a probe back."""
        breaker = self.breaker
        is_needless = breaker.is_closed or breaker.is_probing or breaker.probe_at <= now
        return self._is_refused and not (
            is_needless or self.is_paused or max(self.held_until, self.limited_until()) > now
        )

    def note_answer_to_knock(self, now: float) -> None:
        """Allow a probe at once: somebody listens there again."""
        self._is_refused = False
        self.breaker.probe_now(now)

    def pause(self) -> None:
        """Allow nothing until `resume`."""
        self.is_paused = True
        self._update(0.0)

    def resume(self, now: float) -> None:
        """Allow attempts again, with a probe first: what caused the pause may not be over."""
        self.is_paused = False
        self.held_until = 0.0
        self.probe_first(now)

    def probe_first(self, now: float) -> None:
        """Allow only a probe at first, at once: deliveries wait from before, and the receiver may be down."""
        self.breaker.open(now, probe_in_s=0.0)
        self._is_precaution = not self.breaker.is_closed
        self._update(now)

    def _update(self, now: float) -> None:
        self._is_unrestricted = (
            self._is_unlimited
            and not self.is_paused
            and self.breaker.is_closed
            and self.held_until <= now
            and self.slow_start.limit == self._concurrency
        )

    def _record_outcome(
        self, delivery: Delivery, attempt: Attempt, decision: Decision, now: float, *, is_probe: bool
    ) -> list[LaneEvent]:
        outcome = attempt.outcome
        if isinstance(outcome, Unanswered):
            if outcome.is_local_fault:
                return self._note_local_fault(outcome, now, is_probe=is_probe)
            if outcome.fault is Fault.FORMAT:  # nothing was sent
                if is_probe:
                    self.breaker.give_up_probe(now, wait_s=0.0)
                return []
        events: list[LaneEvent] = []
        self._is_refused = isinstance(outcome, Unanswered) and outcome.fault is Fault.REFUSED
        if self.local_fault is not None:
            self.local_fault = None
            events.append(LocalOutageEnded())
        status = None
        if isinstance(outcome, Answered):
            status = outcome.status
            for quota in self._quotas:
                quota.note(outcome, now)
        if status in _BUSY_STATUSES and not isinstance(decision, Done):
            events += self._note_busy(attempt, now)
        if isinstance(decision, Done):
            self._hold_s = _FIRST_HOLD_S
            self._is_throttled = False
        if (
            status == 429
            or isinstance(decision, Done)
            or (isinstance(outcome, Answered) and isinstance(decision, Dead) and not outcome.is_fault)
        ):
            # It responds, although it may refuse this delivery.
            self.slow_start.note_success(now)
            if self.breaker.note_success(now):
                self.slow_start.start_slowly(now)
                was_down = timedelta(seconds=now - self.breaker.opened_at)
                events.append(BreakerClosed(after=None if self._is_precaution else was_down))
                self._is_precaution = False
        elif self._note_failure(delivery, attempt, now, is_probe=is_probe):
            events.append(BreakerOpened(reason=outcome.reason))
        return events

    def _note_failure(self, delivery: Delivery, attempt: Attempt, now: float, *, is_probe: bool) -> bool:
        """Count a failure; return whether the destination is reported as down from now on."""
        self._last_failure = attempt.outcome.reason
        was_precaution, self._is_precaution = self._is_precaution, False
        return self.breaker.note_failure(now, is_probe=is_probe, culprit=delivery.event_seq) or was_precaution

    def _note_local_fault(self, outcome: Unanswered, now: float, *, is_probe: bool) -> list[LaneEvent]:
        if is_probe:
            self.breaker.give_up_probe(now)
        if self.local_fault is None:
            self._local_fault_since = now
        if self.held_until <= now:
            self.held_until = now + probe_wait_s(now - self._local_fault_since)
        was, self.local_fault = self.local_fault, outcome.reason
        return [] if was is not None else [LocalOutageBegan(reason=outcome.reason)]

    def _note_busy(self, attempt: Attempt, now: float) -> list[LaneEvent]:
        """Slow down, and wait as long as the receiver asks.

        A 429 that does not say how long waits longer each time. So does one that asks for a very short time, if the last answer was a
        429 too.
        """
        outcome = attempt.outcome
        assert isinstance(outcome, Answered)  # noqa: S101 - only a status is busy
        if outcome.status == 429:
            self.slow_start.start_slowly(now)
        else:
            self.slow_start.ease(now)
        wait_s = min(outcome.retry_after or timedelta(), MAX_RETRY_AFTER).total_seconds()
        if outcome.status == 429:
            is_first_wish = wait_s > 0 and not self._is_throttled
            self._is_throttled = True
            if (
                wait_s < _TOO_SHORT_S and not is_first_wish and self.held_until <= now
            ):  # else one of many under way together
                wait_s = self._hold_s
                self._hold_s = min(2 * self._hold_s, _LONGEST_HOLD_S)
        if now + wait_s <= self.held_until:
            return []
        self.held_until = now + wait_s
        if wait_s < _WORTH_REPORTING_S:
            return []
        until = attempt.started_at + attempt.duration + timedelta(seconds=wait_s)
        return [ThrottledByReceiver(until=until, reason=outcome.reason)]
