"""Sends test events (canaries) to destinations on schedule, and reports when one is not delivered in time.

A canary is stored and delivered like any event. Each destination has at most one in flight; it is given up when the next one is due
(`RetryPolicy.deadline`), so that none is sent hours later.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from forwarder.clocks.periodic import periodic
from forwarder.clocks.running_clock import RunningClock
from forwarder.core.delivery import Attempt, Delivery, DeliveryId, DestinationName, Trigger
from forwarder.core.destinations.destination import CanaryPolicy
from forwarder.core.dispatch.retry import Dead, Decision, Done, Expired
from forwarder.core.durations import spell
from forwarder.core.event import Event
from forwarder.core.monitoring import notices
from forwarder.core.monitoring.status import CanaryReport, to_milliseconds
from forwarder.core.ports import Clock

_LOOK_EVERY = timedelta(milliseconds=250)
_FIRST_AFTER_S = 2.0
"""The first canary is sent soon after the start, so that a wrong configuration shows early."""
_NO_ATTEMPT_YET = "no attempt has finished yet"

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Canary:
    """The schedule and the last results of one destination's canaries. Times are seconds in which the loop ran."""

    policy: CanaryPolicy
    due_s: float
    in_flight: DeliveryId | None = None
    sent: int = 0
    posted_s: float = 0.0
    late_s: float = 0.0
    """When the canary in flight becomes late; moved on while the destination is paused."""
    reason: str = _NO_ATTEMPT_YET
    """Why the canary in flight is not delivered yet, or why the last one was given up."""
    is_missed: bool = False
    """Whether a canary was late or given up, and none was in time since."""
    is_hurried: bool = False
    """Whether one was sent out of turn since then, to find out if the destination has recovered."""
    last_ms: float | None = None
    """How long the last delivered canary took, from posting to the 2xx."""
    last_at: datetime | None = None


class Canaries:
    """Sends the canaries of all destinations, follows each to its outcome, and reports those that are late or lost."""

    def __init__(
        self,
        *,
        policies: Mapping[DestinationName, CanaryPolicy],
        is_paused: Callable[[DestinationName], bool],
        post: Callable[[Event, DestinationName], DeliveryId],
        notify: Callable[[notices.Notice], None],
        clock: Clock,
    ) -> None:
        """`post` sends a canary; `notify` sends a notice to those who are notified of failures of its destination."""
        self._policies = policies
        self._is_paused = is_paused
        self._post = post
        self._notify = notify
        self._clock = clock
        self._canaries: dict[DestinationName, _Canary] = {}
        self._number = 0
        self._now_s = RunningClock(_LOOK_EVERY)

    def follow(self, policies: Mapping[DestinationName, CanaryPolicy]) -> None:
        """Send the canaries of these policies from now on."""
        self._policies = policies

    async def run(self) -> None:
        """Send the canaries that are due and report those that are late, until cancelled."""
        self._look_unless_late()
        await periodic(_LOOK_EVERY, self._look_unless_late)

    def _look_unless_late(self) -> None:
        if self._now_s.tick():
            self._look(self._now_s())

    def send_soon(self, name: DestinationName) -> bool:
        """Send the next canary of a destination with the next look; return whether it has canaries. One that is in flight counts as sent."""
        canary = self._canaries.get(name)
        if canary is not None and canary.in_flight is None:
            canary.due_s = self._now_s()
        return canary is not None

    def status(self, name: DestinationName) -> CanaryReport | None:
        """Return the result of a destination's last canary; `None` for a destination without canaries."""
        canary = self._canaries.get(name)
        if canary is None:
            return None
        return CanaryReport(
            every_s=canary.policy.every.total_seconds(),
            last_ms=canary.last_ms,
            last_at=to_milliseconds(canary.last_at),
            missed=canary.is_missed,
            sent=canary.sent,
            in_flight=canary.in_flight is not None,
            reason=None if canary.reason == _NO_ATTEMPT_YET else canary.reason,
        )

    def note_attempt(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        """Note an attempt, if it was one of the canary in flight."""
        if delivery.trigger is not Trigger.CANARY or (canary := self._in_flight(delivery)) is None:
            return
        match decision:
            case Done():
                self._note_arrival(delivery.destination, canary)
            case Dead(reason=reason) | Expired(reason=reason):
                self._note_end(delivery.destination, canary, reason)
            case _:
                canary.reason = attempt.outcome.reason

    def note_too_old(self, delivery: Delivery, reason: str) -> None:
        """Note that a delivery expired before its attempt, if it was the canary in flight."""
        if (canary := self._in_flight(delivery)) is not None:
            self._note_end(delivery.destination, canary, reason)

    def _in_flight(self, delivery: Delivery) -> _Canary | None:
        canary = self._canaries.get(delivery.destination)
        return canary if canary is not None and canary.in_flight == delivery.id else None

    def _look(self, now_s: float) -> None:
        policies = self._policies
        self._canaries = {name: canary for name, canary in self._canaries.items() if name in policies}
        for name, policy in policies.items():
            canary = self._canaries.setdefault(name, _Canary(policy=policy, due_s=now_s + _FIRST_AFTER_S))
            if canary.policy != policy:  # after a reload the schedule continues with the new interval
                canary.due_s += (policy.every - canary.policy.every).total_seconds()
                canary.policy = policy
            if self._is_paused(name):
                canary.late_s = now_s + policy.within.total_seconds()
            elif canary.in_flight is not None:
                if now_s >= canary.late_s:
                    self._miss(name, canary, canary.reason)
            elif now_s >= canary.due_s:
                self._send(name, canary, now_s)

    def _send(self, name: DestinationName, canary: _Canary, now_s: float) -> None:
        self._number += 1
        policy = canary.policy
        notice = notices.CANARY.about(name, time=policy.every)
        canary.posted_s, canary.late_s = now_s, now_s + policy.within.total_seconds()
        canary.due_s = now_s + policy.every.total_seconds()
        canary.reason = _NO_ATTEMPT_YET
        canary.sent += 1
        canary.in_flight = self._post(notices.as_event(notice, now=self._clock(), number=self._number), name)

    def _note_arrival(self, name: DestinationName, canary: _Canary) -> None:
        now_s = self._now_s()
        canary.in_flight, canary.reason = None, _NO_ATTEMPT_YET
        canary.last_ms, canary.last_at = round((now_s - canary.posted_s) * 1000, 2), self._clock()
        if now_s > canary.late_s:
            self._miss(name, canary, f"it took {spell(timedelta(seconds=now_s - canary.posted_s))}")
            if not canary.is_hurried:
                canary.is_hurried, canary.due_s = True, now_s
        elif canary.is_missed:
            canary.is_missed = canary.is_hurried = False
            log.warning("canary.back", destination=name, took_ms=canary.last_ms)
            self._notify(notices.CANARY_BACK.about(name, duration_ms=round(canary.last_ms)))

    def _note_end(self, name: DestinationName, canary: _Canary, reason: str) -> None:
        canary.in_flight, canary.reason = None, reason
        self._miss(name, canary, reason)

    def _miss(self, name: DestinationName, canary: _Canary, reason: str) -> None:
        """Report a missed canary, unless the one before it was missed too."""
        if canary.is_missed:
            return
        canary.is_missed = True
        within = canary.policy.within
        log.error("canary.missed", destination=name, within_s=within.total_seconds(), reason=reason)
        self._notify(notices.CANARY_MISSED.about(name, time=within, reason=reason))
