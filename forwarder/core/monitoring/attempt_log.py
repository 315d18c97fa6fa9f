"""Describes an attempt and the decision that follows as one log line; `forwarder/monitoring/attempts.py` writes it."""

from collections.abc import Mapping
from typing import assert_never

from forwarder.core.delivery import Answered, Attempt, Delivery
from forwarder.core.dispatch.retry import Dead, Decision, Done, Expired, Postponed, RetryAt
from forwarder.core.event import OWN_SOURCE
from forwarder.core.monitoring.live import glimpse


def author_of(body: bytes) -> dict[str, str]:
    """Return who wrote the post of an event and its web address, as fields of a log line; only what is known. Never raises."""
    seen = glimpse(body) if body else None
    if seen is None or seen.source == OWN_SOURCE:
        return {}
    return {name: text for name, text in (("author", seen.author), ("link", seen.link)) if text}


def describe(delivery: Delivery, attempt: Attempt, decision: Decision) -> tuple[str, Mapping[str, object]]:
    """Return the name and the fields of an attempt's log line. They contain neither the text of the post nor the URL of the destination."""
    fields: dict[str, object] = {
        "event_id": delivery.event_id,
        "delivery_id": delivery.id,
        "destination": delivery.destination,
        **author_of(delivery.body),
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
