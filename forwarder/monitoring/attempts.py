"""Reports what happens at the destinations: to the counters, to the log, and to those who watch the destinations."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from time import monotonic

import structlog

from forwarder.clocks.periodic import periodic
from forwarder.core.delivery import Attempt, Delivery, DestinationName, Trigger
from forwarder.core.destinations.destination import Destination
from forwarder.core.dispatch.lane_events import ExpiredUnsent, LaneEvent
from forwarder.core.dispatch.retry import Dead, Decision, Done, Expired, Postponed
from forwarder.core.monitoring.attempt_log import describe
from forwarder.core.monitoring.counters import Counters
from forwarder.core.monitoring.delivery_figures import DeliveryFigures
from forwarder.core.monitoring.delivery_summary import DeliverySummary
from forwarder.logs.level import LEVEL
from forwarder.monitoring.canaries import Canaries
from forwarder.monitoring.destinations import DestinationMonitor
from forwarder.monitoring.live_feed import LiveFeed

_SUMMARY_EVERY = timedelta(minutes=1)

log = structlog.get_logger(__name__)

_FIRST, _CANARY = Trigger.FIRST, Trigger.CANARY
_BY_HAND = (Trigger.MANUAL, Trigger.RESEND)
"""Python 3.11 takes a fifth of a microsecond to find a member of an enum, and this is needed for every attempt."""


class AttemptReporter:
    """Counts and logs the attempts of all lanes, and notifies the monitors: the `LaneObserver` of the daemon."""

    def __init__(
        self,
        counters: Counters,
        *,
        watch: DestinationMonitor,
        canaries: Canaries,
        live: LiveFeed,
        now_s: Callable[[], float] = monotonic,
    ) -> None:
        self._counters = counters
        self._watch = watch
        self._failures = watch.failures
        self._canaries = canaries
        self._live = live
        self._now_s = now_s
        self.figures = DeliveryFigures()
        """What was counted of each destination."""
        self._summary = DeliverySummary(counters, self.figures, now_s=now_s())
        self._log = log.bind()
        """Bound once: `log` would be bound again for every attempt."""

    def follow(self, routes: AbstractSet[str], destinations: AbstractSet[DestinationName]) -> None:
        """Forget what was counted of routes and destinations that are no longer in the config."""
        self._counters.follow(routes, destinations)
        self.figures.follow(destinations)

    async def run(self) -> None:
        """Log a summary of the deliveries each minute, until cancelled; then that of the rest of the minute."""
        try:
            await periodic(_SUMMARY_EVERY, self.summarise)
        finally:
            self.summarise()

    def summarise(self) -> None:
        """Log a summary of the deliveries since the last one, if there are any."""
        fields = self._summary.take(self._now_s())
        if fields is not None:
            self._log.info("delivery.summary", **fields)

    def attempt_finished(
        self, destination: Destination, delivery: Delivery, attempt: Attempt, decision: Decision, now: datetime
    ) -> None:
        """See `LaneObserver`."""
        match decision:
            case Done():
                self._counters.delivered += 1
                # What was meant to come late is not slow.
                is_plain = delivery.trigger is _FIRST and delivery.waits_until is None
                latency = now - delivery.accepted_at if is_plain else None
                self.figures.note_delivered(destination.name, attempt.duration, latency, now)
                if (
                    attempt.number > 1
                    or delivery.trigger in _BY_HAND
                    or (delivery.is_own and delivery.trigger is not Trigger.CANARY)
                    or attempt.outcome.note
                ):  # the log has had a line about this delivery before, or the attempt was an unusual one
                    self._write(self._log.info, delivery, attempt, decision)
                elif LEVEL.is_debug:
                    self._write(self._log.debug, delivery, attempt, decision)
                if destination.name in self._failures:
                    self._watch.note_attempt(destination, delivery, attempt, decision)
            case _:
                self._count_failure(delivery, attempt, decision, now)
                is_end = isinstance(decision, Dead | Expired)
                self._write(self._log.warning if is_end else self._log.info, delivery, attempt, decision)
                self._watch.note_attempt(destination, delivery, attempt, decision)
        if delivery.trigger is _CANARY:
            self._canaries.note_attempt(delivery, attempt, decision)
        if self._live.is_watched:
            self._live.note_attempt(delivery, attempt, decision)

    def state_changed(self, destination: Destination, event: LaneEvent) -> None:
        """See `LaneObserver`."""
        self._watch.state_changed(destination, event)
        if isinstance(event, ExpiredUnsent):
            self._count_end(event.delivery, Expired(reason=event.reason))
            self._canaries.note_too_old(event.delivery, event.reason)
            if self._live.is_watched:
                self._live.note_expired(event.delivery, event.reason)

    def _write(self, write: Callable[..., None], delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        name, fields = describe(delivery, attempt, decision)
        write(name, **fields)

    def _count_failure(self, delivery: Delivery, attempt: Attempt, decision: Decision, now: datetime) -> None:
        is_postponed = isinstance(decision, Postponed)
        self.figures.note_failed(delivery.destination, attempt.duration, now, is_postponed=is_postponed)
        if is_postponed:
            self._counters.postponed += 1
            return
        self._counters.failed_attempts += 1
        if isinstance(decision, Dead | Expired):
            self._count_end(delivery, decision)

    def _count_end(self, delivery: Delivery, decision: Dead | Expired) -> None:
        if delivery.trigger is Trigger.CANARY:
            self._counters.missed_canaries += 1
            return
        is_dead = isinstance(decision, Dead)
        self.figures.note_end(delivery.destination, is_dead=is_dead)
        if is_dead:
            self._counters.dead += 1
        else:
            self._counters.expired += 1
