"""The spans of a trace: one trace for each event, made of what happens to it. Pure.

All ids are made of the ids of the event and of its deliveries, so nothing has to be stored: a retry after a restart belongs to the same
trace. The trace id is the event's id, so a person finds the trace of an event by it.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import assert_never

import msgspec

from forwarder.core.delivery import Answered, Attempt, Delivery, Trigger
from forwarder.core.dispatch.retry import Dead, Decision, Done, Expired, Postponed, RetryAt
from forwarder.core.event import Event
from forwarder.core.routing.router import Selection
from forwarder.core.routing.sampling import is_in_sample

SpanValue = str | int | float | bool | list[str]


class SpanKind(Enum):
    """What a span is, in the words of OpenTelemetry."""

    CONSUMER = auto()
    """Something was received."""
    INTERNAL = auto()
    CLIENT = auto()
    """A request was sent."""


class SpanRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One span, before it is written in the form of OpenTelemetry."""

    name: str
    kind: SpanKind = SpanKind.INTERNAL
    trace_id: str
    """32 hex digits."""
    span_id: int
    parent_id: int | None
    began: datetime
    ended: datetime
    attributes: Mapping[str, SpanValue]
    error: str | None = None
    """Why it failed; `None` where it did not."""


def is_traced(event_id: str, share: int) -> bool:
    """Return whether an event is traced, where `share` of `WHOLE` are; the same after a restart."""
    return is_in_sample(event_id, share)


def traceparent_of(event_id: str, span_id: int) -> str:
    """Return the value of the header `traceparent` (W3C Trace Context) of a request that belongs to this span."""
    return f"00-{event_id}-{span_id:016x}-01"


def event_spans(
    event: Event, stream: str, selection: Selection, *, arrived: datetime, now: datetime
) -> list[SpanRecord]:
    """Return the spans of an event that was received and routed."""
    root = _id("event", event.id)
    attributes: dict[str, SpanValue] = {
        "forwarder.event_id": event.id,
        "forwarder.source": event.source,
        "forwarder.stream": stream,
        "forwarder.matched": selection.is_matched,
    }
    routed: dict[str, SpanValue] = {
        "forwarder.routes": list(selection.matched),
        "forwarder.destinations": sorted(selection.chosen),
    }
    return [
        SpanRecord(
            name="receive",
            kind=SpanKind.CONSUMER,
            trace_id=event.id,
            span_id=root,
            parent_id=None,
            began=arrived,
            ended=now,
            attributes=attributes,
        ),
        SpanRecord(
            name="route",
            trace_id=event.id,
            span_id=_id("route", event.id),
            parent_id=root,
            began=arrived,
            ended=now,
            attributes=routed,
        ),
    ]


def commit_span(event_id: str, *, lasted_s: float, now: datetime) -> SpanRecord:
    """Return the span from reading an event to having it on disk, which is now."""
    return SpanRecord(
        name="commit",
        trace_id=event_id,
        span_id=_id("commit", event_id),
        parent_id=_id("event", event_id),
        began=now - timedelta(seconds=lasted_s),
        ended=now,
        attributes={},
    )


def attempt_spans(
    delivery: Delivery, attempt: Attempt, decision: Decision, *, span_id: int, wall: datetime, steady: datetime
) -> list[SpanRecord]:
    """Return the span of an attempt that ended now, by both clocks; and that of its delivery, if the attempt ended it.

    `span_id` is what the receiver was told in `traceparent`.
    """
    outcome, error = _read(decision)
    attributes = {
        **_of_delivery(delivery),
        "forwarder.attempt": attempt.number,
        "forwarder.outcome": outcome,
        **({"http.response.status_code": attempt.outcome.status} if isinstance(attempt.outcome, Answered) else {}),
    }
    spans = [
        SpanRecord(
            name=f"attempt {delivery.destination}",
            kind=SpanKind.CLIENT,
            trace_id=delivery.event_id,
            span_id=span_id,
            parent_id=_id("delivery", delivery.id),
            began=wall - attempt.duration,
            ended=wall,
            attributes=attributes,
            error=error,
        )
    ]
    if isinstance(decision, Done | Dead | Expired):
        spans.append(
            _delivery_span(
                delivery, outcome, error, attempts=attempt.number, lasted=attempt.duration, wall=wall, steady=steady
            )
        )
    return spans


def expired_span(delivery: Delivery, reason: str, *, wall: datetime, steady: datetime) -> SpanRecord:
    """Return the span of a delivery that expired now, before its next attempt."""
    return _delivery_span(
        delivery, "expired", reason, attempts=delivery.attempts, lasted=timedelta(), wall=wall, steady=steady
    )


def _delivery_span(
    delivery: Delivery,
    outcome: str,
    error: str | None,
    *,
    attempts: int,
    lasted: timedelta,
    wall: datetime,
    steady: datetime,
) -> SpanRecord:
    """Return the span of a delivery, from receiving its event on; one that a person asked for later begins with its last attempt."""
    is_first = delivery.trigger in {Trigger.FIRST, Trigger.RECOVERED}
    return SpanRecord(
        name=f"deliver {delivery.destination}",
        trace_id=delivery.event_id,
        span_id=_id("delivery", delivery.id),
        parent_id=None if delivery.is_own else _id("event", delivery.event_id),
        began=wall - (steady - delivery.accepted_at) if is_first else wall - lasted,
        ended=wall,
        attributes={
            **_of_delivery(delivery),
            "forwarder.attempts": attempts,
            "forwarder.outcome": outcome,
            "forwarder.routes": list(delivery.routes),
        },
        error=error,
    )


def _of_delivery(delivery: Delivery) -> dict[str, SpanValue]:
    return {
        "forwarder.destination": str(delivery.destination),
        "forwarder.delivery_id": str(delivery.id),
        "forwarder.trigger": delivery.trigger.value,
    }


def _read(decision: Decision) -> tuple[str, str | None]:
    """Return what follows from an attempt, and why it failed."""
    match decision:
        case Done():
            return "delivered", None
        case RetryAt(reason=reason):
            return "retry", reason
        case Postponed(reason=reason):
            return "postponed", reason
        case Dead(reason=reason):
            return "dead", reason
        case Expired(reason=reason):
            return "expired", reason
        case _:
            assert_never(decision)


def _id(what: str, id_: str) -> int:
    """Return the id of the only span of this kind that the event or the delivery has. It is never zero."""
    digest = hashlib.blake2b(f"{what}|{id_}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1
