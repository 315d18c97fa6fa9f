"""Sends each destination that wants it an event of our own on schedule, and says so when one does not arrive in time.

A canary is posted, kept and sent as any event. One at a time is on its way; it is given up when the next one is due
(`RetryPolicy.deadline`), so that none is sent hours later.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from forwarder.core import notices
from forwarder.core.delivery import Attempt, Delivery, DeliveryId, DestinationName, Trigger
from forwarder.core.destination import CanaryPolicy
from forwarder.core.event import Event
from forwarder.core.ports import Clock
from forwarder.core.retry import Dead, Decision, Done, Expired
from forwarder.running_clock import RunningClock

_LOOK_EVERY_S = 0.25
_FIRST_AFTER_S = 2.0
"""A set-up that does not work shows soon after the start."""
_WAITS = "no attempt has ended yet"

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Canary:
    """That of one destination. Times are seconds in which the loop ran."""

    policy: CanaryPolicy
    due_s: float
    flying: DeliveryId | None = None
    posted_s: float = 0.0
    late_s: float = 0.0
    """When the one on its way is late: not while the destination is paused."""
    reason: str = _WAITS
    """What became of the one on its way so far."""
    is_missed: bool = False
    """One was late or given up, and none was in time since."""
    is_hurried: bool = False
    """Since then one was sent out of turn, to see whether it works again."""
    last_ms: float | None = None
    """From posting to 2xx."""
    last_at: datetime | None = None


class Canaries:
    """Those of all destinations."""

    def __init__(
        self,
        *,
        policies: Callable[[], Mapping[DestinationName, CanaryPolicy]],
        is_paused: Callable[[DestinationName], bool],
        post: Callable[[Event, DestinationName], DeliveryId],
        tell: Callable[[notices.Notice], None],
        clock: Clock,
    ) -> None:
        """`policies` are those of the config in force; `tell` brings a notice to whom failures of its destination are told."""
        self._policies = policies
        self._is_paused = is_paused
        self._post = post
        self._tell = tell
        self._clock = clock
        self._canaries: dict[DestinationName, _Canary] = {}
        self._number = 0
        self._now_s = RunningClock(_LOOK_EVERY_S)

    async def run(self) -> None:
        """Send what is due and look after what is late, until cancelled."""
        while True:
            if self._now_s.tick():
                self._look(self._now_s())
            await asyncio.sleep(_LOOK_EVERY_S)

    def status(self, name: DestinationName) -> dict[str, object] | None:
        """Return how the last one of a destination fared; `None` where it has none."""
        canary = self._canaries.get(name)
        if canary is None:
            return None
        return {
            "every_s": canary.policy.every.total_seconds(),
            "last_ms": canary.last_ms,
            "last_at": None if canary.last_at is None else canary.last_at.isoformat(timespec="milliseconds"),
            "missed": canary.is_missed,
        }

    def note_attempt(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        """Take note of an attempt, if it was that of a canary on its way."""
        if delivery.trigger is not Trigger.CANARY or (canary := self._flying(delivery)) is None:
            return
        match decision:
            case Done():
                self._note_arrival(delivery.destination, canary)
            case Dead(reason=reason) | Expired(reason=reason):
                self._note_end(delivery.destination, canary, reason)
            case _:
                canary.reason = attempt.outcome.reason

    def note_too_old(self, delivery: Delivery, reason: str) -> None:
        """Take note that a delivery was given up before its attempt, if it was a canary on its way."""
        if (canary := self._flying(delivery)) is not None:
            self._note_end(delivery.destination, canary, reason)

    def _flying(self, delivery: Delivery) -> _Canary | None:
        canary = self._canaries.get(delivery.destination)
        return canary if canary is not None and canary.flying == delivery.id else None

    def _look(self, now_s: float) -> None:
        policies = self._policies()
        self._canaries = {name: canary for name, canary in self._canaries.items() if name in policies}
        for name, policy in policies.items():
            canary = self._canaries.setdefault(name, _Canary(policy=policy, due_s=now_s + _FIRST_AFTER_S))
            if canary.policy != policy:  # by a reload: the schedule goes on, with its new step
                canary.due_s += (policy.every - canary.policy.every).total_seconds()
                canary.policy = policy
            if self._is_paused(name):
                canary.late_s = now_s + policy.within.total_seconds()
            elif canary.flying is not None:
                if now_s >= canary.late_s:
                    self._miss(name, canary, canary.reason)
            elif now_s >= canary.due_s:
                self._send(name, canary, now_s)

    def _send(self, name: DestinationName, canary: _Canary, now_s: float) -> None:
        self._number += 1
        policy = canary.policy
        notice = notices.canary(name, every=policy.every)
        canary.posted_s, canary.late_s = now_s, now_s + policy.within.total_seconds()
        canary.due_s = now_s + policy.every.total_seconds()
        canary.reason = _WAITS
        canary.flying = self._post(notices.as_event(notice, now=self._clock(), number=self._number), name)

    def _note_arrival(self, name: DestinationName, canary: _Canary) -> None:
        now_s = self._now_s()
        canary.flying = None
        canary.last_ms, canary.last_at = round((now_s - canary.posted_s) * 1000, 2), self._clock()
        if now_s > canary.late_s:
            self._miss(name, canary, f"it took {notices.spell(timedelta(seconds=now_s - canary.posted_s))}")
            if not canary.is_hurried:
                canary.is_hurried, canary.due_s = True, now_s
        elif canary.is_missed:
            canary.is_missed = canary.is_hurried = False
            log.warning("canary.back", destination=name, took_ms=canary.last_ms)
            self._tell(notices.canary_back(name, took_ms=canary.last_ms))

    def _note_end(self, name: DestinationName, canary: _Canary, reason: str) -> None:
        canary.flying = None
        self._miss(name, canary, reason)

    def _miss(self, name: DestinationName, canary: _Canary, reason: str) -> None:
        """Say so, of the first of those that are missed."""
        if canary.is_missed:
            return
        canary.is_missed = True
        within = canary.policy.within
        log.error("canary.missed", destination=name, within_s=within.total_seconds(), reason=reason)
        self._tell(notices.canary_missed(name, within=within, reason=reason))
