"""Describes an attempt and the decision that follows as one log line; `forwarder/monitoring/attempts.py` writes it."""

from collections.abc import Mapping
from typing import assert_never

from forwarder.core.delivery import Answered, Attempt, Delivery
from forwarder.core.dispatch.retry import Dead, Decision, Done, Expired, Postponed, RetryAt


def describe(delivery: Delivery, attempt: Attempt, decision: Decision) -> tuple[str, Mapping[str, object]]:
    """Return the name and the fields of an attempt's log line. They contain neither body nor URL."""
    fields: dict[str, object] = {
        "event_id": delivery.event_id,
        "delivery_id": delivery.id,
        "destination": delivery.destination,
        "routes": delivery.routes,
        "attempt": attempt.number,
        "duration_ms": round(attempt.duration_ms, 2),
    }
    if isinstance(attempt.outcome, Answered):
        fields["status"] = attempt.outcome.status
    match decision:
        case Done():
            return "delivery.delivered", fields | {"note": attempt.note} if attempt.note else fields
        case RetryAt(at=at, reason=reason):
            return "delivery.retry_scheduled", fields | {
                "reason": reason,
                "retry_at": at.isoformat(timespec="milliseconds"),
            }
        case Postponed(reason=reason):
            return "delivery.postponed", fields | {"reason": reason, "note": "not counted as an attempt"}
        case Dead(reason=reason):
            return "delivery.dead", fields | {"reason": reason}
        case Expired(reason=reason):
            return "delivery.expired", fields | {"reason": reason}
        case _:
            assert_never(decision)
