"""Reports what happens at the destinations: to the counters, to the log, and to those who watch the destinations."""

from collections.abc import Callable

import structlog

from forwarder.core.delivery import Attempt, Delivery, Trigger
from forwarder.core.destinations.destination import Destination
from forwarder.core.dispatch.lane_events import ExpiredUnsent, LaneEvent
from forwarder.core.dispatch.retry import Dead, Decision, Done, Expired, Postponed
from forwarder.core.monitoring.attempt_log import describe
from forwarder.core.monitoring.counters import Counters
from forwarder.monitoring.canaries import Canaries
from forwarder.monitoring.destinations import DestinationMonitor

log = structlog.get_logger(__name__)

OnAttempt = Callable[[Delivery, Attempt, Decision], None]
"""Is notified of every attempt, after everything else."""


class AttemptReporter:
    """Counts and logs the attempts of all lanes, and notifies the monitors: the `LaneObserver` of the daemon."""

    def __init__(
        self, counters: Counters, *, watch: DestinationMonitor, canaries: Canaries, on_attempt: OnAttempt | None
    ) -> None:
        self._counters = counters
        self._watch = watch
        self._canaries = canaries
        self._on_attempt = on_attempt
        self._log = log.bind()
        """Bound once, because there is a line for every attempt: `log` would be bound again at each of them."""

    def attempt_finished(
        self, destination: Destination, delivery: Delivery, attempt: Attempt, decision: Decision
    ) -> None:
        """See `LaneObserver`."""
        match decision:
            case Done():
                self._counters.delivered += 1
            case Dead() | Expired():
                self._counters.failed_attempts += 1
                self._count_end(delivery, decision)
            case Postponed():
                self._counters.postponed += 1
            case _:
                self._counters.failed_attempts += 1
        name, fields = describe(delivery, attempt, decision)
        (self._log.warning if isinstance(decision, Dead | Expired) else self._log.info)(name, **fields)
        if not isinstance(decision, Done) or self._watch.last_failure(destination.name) is not None:
            self._watch.note_attempt(destination, delivery, attempt, decision)
        if delivery.trigger is Trigger.CANARY:
            self._canaries.note_attempt(delivery, attempt, decision)
        if self._on_attempt is not None:
            self._on_attempt(delivery, attempt, decision)

    def state_changed(self, destination: Destination, event: LaneEvent) -> None:
        """See `LaneObserver`."""
        self._watch.state_changed(destination, event)
        if isinstance(event, ExpiredUnsent):
            self._count_end(event.delivery, Expired(reason=event.reason))
            self._canaries.note_too_old(event.delivery, event.reason)

    def _count_end(self, delivery: Delivery, decision: Dead | Expired) -> None:
        if delivery.trigger is Trigger.CANARY:
            self._counters.missed_canaries += 1
        elif isinstance(decision, Dead):
            self._counters.dead += 1
        else:
            self._counters.expired += 1
