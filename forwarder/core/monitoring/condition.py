"""What is the matter with a destination, in one word: the verdict, `status`, `top` and the page all show this. Pure."""

from enum import StrEnum

from forwarder.core.dispatch.circuit_breaker import BreakerState
from forwarder.core.dispatch.destination_state import PausedBy
from forwarder.core.monitoring.status import DestinationReport

BEHIND_AFTER_MS = 60_000.0
"""How long the slowest deliveries of the last five minutes took, from receiving an event to the 2xx for it, where a destination falls behind."""


class DestinationCondition(StrEnum):
    """How a destination is."""

    OK = "ok"
    QUIET = "quiet hours"
    PAUSED = "paused"
    """A person did that."""
    PAUSED_ITSELF = "paused itself"
    UNREACHABLE = "not reachable from here"
    """Nothing can be sent from this machine."""
    DOWN = "down"
    FAILING = "failing"
    """It has failed since its last success, and is not down yet."""
    REFUSING = "refuses everything"
    BEHIND = "falls behind"
    """All that may be sent at the same time is under way, or its rate limit is reached, and deliveries take longer than a minute."""
    CANARY_MISSED = "canary missed"

    @property
    def is_trouble(self) -> bool:
        """Whether a person should look at it. One that a person has paused is no fault."""
        return self not in _WELL

    @property
    def is_down(self) -> bool:
        """Whether nothing is sent but probes, though nobody wants that."""
        return self in _DOWN


_WELL = frozenset({DestinationCondition.OK, DestinationCondition.QUIET, DestinationCondition.PAUSED})
_DOWN = frozenset({DestinationCondition.UNREACHABLE, DestinationCondition.DOWN})


def condition_of(destination: DestinationReport) -> DestinationCondition:
    """Return how a destination is: of several things the one that stops the most. That it falls behind is the least of them."""
    if destination.paused is not None:
        is_by_person = destination.paused.by == PausedBy.PERSON
        return DestinationCondition.PAUSED if is_by_person else DestinationCondition.PAUSED_ITSELF
    if destination.ours is not None:
        return DestinationCondition.UNREACHABLE
    if destination.breaker != BreakerState.CLOSED:
        return DestinationCondition.DOWN
    if destination.failing_since is not None:
        return DestinationCondition.FAILING
    if destination.refuses_all:
        return DestinationCondition.REFUSING
    if destination.canary is not None and destination.canary.missed:
        return DestinationCondition.CANARY_MISSED
    if _is_behind(destination):
        return DestinationCondition.BEHIND
    return DestinationCondition.OK if destination.quiet_until is None else DestinationCondition.QUIET


def _is_behind(destination: DestinationReport) -> bool:
    """Return whether more comes than it takes. A receiver that was down is behind as well, until it has caught up."""
    is_busy = 0 < destination.may_be_under_way <= destination.under_way or bool(destination.limited_for_s)
    return is_busy and (destination.recent.latency_p99_ms or 0.0) > BEHIND_AFTER_MS
