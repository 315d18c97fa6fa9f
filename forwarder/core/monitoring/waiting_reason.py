"""What a delivery that is not made yet waits for, in words. Pure.

The outbox has only `pending` and `in_flight` of it; the state of its destination says the rest.
"""

from datetime import datetime

from forwarder.core.dispatch.circuit_breaker import BreakerState
from forwarder.core.monitoring.status import DestinationReport

NEXT_ATTEMPT = "waits for its next attempt"


def waiting_reason(
    destination: DestinationReport | None, *, kept: str | None, has_turn: bool, due_at: datetime, now: datetime
) -> str | None:
    """Return what a delivery waits for; `None` where it is being sent, or is the next one.

    `destination` is the state of its destination; `None` where the running config has no enabled one of its name. `kept` is why the outbox
    itself keeps it until `due_at`. `has_turn`: no earlier delivery goes before it in its order.
    """
    if kept is not None:
        return kept
    if destination is None:
        return "the running config has no enabled destination of this name"
    if (held := _held_by(destination)) is not None:
        return held
    if not has_turn:
        return "waits for its turn: an earlier delivery in its order is not done"
    if due_at > now:
        return NEXT_ATTEMPT
    if destination.limited_for_s:
        return f"waits for the rate limit{_more(destination.limited_for_s)}"
    return None


def _held_by(destination: DestinationReport) -> str | None:
    """Return why nothing is sent to the destination at all."""
    if destination.paused is not None:
        return "the destination is paused"
    if destination.ours is not None:
        return f"the destination cannot be reached from this machine: {destination.ours}"
    if destination.breaker != BreakerState.CLOSED:
        return f"waits for a probe{_more(destination.next_probe_in_s)}"
    if destination.held_for_s:
        return f"the receiver asked to wait{_more(destination.held_for_s)}"
    return None


def _more(seconds: float | None) -> str:
    return f", {seconds:.0f} s" if seconds and seconds >= 1 else ""
