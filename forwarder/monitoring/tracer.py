"""Traces the events: makes a span of each thing that happens to one, and hands it to the queue of the exporter. Never waits."""

from collections.abc import Callable, Sequence
from datetime import datetime
from secrets import randbits
from typing import Protocol

from forwarder.core.delivery import Attempt, Delivery, event_of
from forwarder.core.dispatch.retry import Decision
from forwarder.core.event import Event
from forwarder.core.monitoring.spans import (
    SpanRecord,
    attempt_spans,
    commit_span,
    event_spans,
    expired_span,
    is_traced,
    traceparent_of,
)
from forwarder.core.monitoring.status import TracingReport
from forwarder.core.ports import Clocks
from forwarder.core.routing.router import Selection

_MOST_UNDER_WAY = 10_000
"""How many attempts may have a span id that no outcome has followed: those that a stop cut short never have one."""


class SpanSink(Protocol):
    """Takes spans to be exported."""

    def add(self, spans: Sequence[SpanRecord]) -> None:
        """Take these. What there is no room for is lost, and counted."""
        ...

    def status(self) -> TracingReport:
        """Return whether the collector takes them."""
        ...


class Tracer:
    """Makes the spans of the events in the sample."""

    def __init__(
        self, sink: SpanSink, *, share: int, clock: Clocks, new_id: Callable[[], int] = lambda: randbits(64)
    ) -> None:
        """`share` of `WHOLE` events are traced. `new_id` makes the id of an attempt's span, which is told to its receiver."""
        self._sink = sink
        self._share = share
        self._clock = clock
        self._new_id = new_id
        self._under_way: dict[str, int] = {}
        """The span of the attempt that each delivery has under way."""

    def status(self) -> TracingReport:
        """Return whether the collector takes the spans."""
        return self._sink.status()

    def note_event(self, event: Event, stream: str, selection: Selection | None, at: datetime) -> None:
        """Take note of an event that came at that time and was routed; a duplicate has no selection, and no trace."""
        if selection is not None and is_traced(event.id, self._share):
            self._sink.add(event_spans(event, stream, selection, arrived=at, now=max(self._clock(), at)))

    def note_committed(self, event_ids: Sequence[str], lasted_s: Sequence[float]) -> None:
        """Take note of events that are on disk now, and of how long each has taken from being read."""
        now = self._clock()
        self._sink.add(
            [
                commit_span(event_id, lasted_s=lasted, now=now)
                for event_id, lasted in zip(event_ids, lasted_s, strict=False)  # no fault of a trace ends the writer
                if is_traced(event_id, self._share)
            ]
        )

    def traceparent(self, delivery_id: str) -> str | None:
        """Return the header for a request of a delivery, whose attempt begins; `None` where its event is not traced."""
        found = event_of(delivery_id)
        if found is None or not is_traced(found[0], self._share):
            return None
        span_id = self._under_way.get(delivery_id)
        if span_id is None:  # a second request of the same attempt belongs to the same span
            span_id = self._under_way[delivery_id] = self._new_id() or 1
            if len(self._under_way) > _MOST_UNDER_WAY:
                del self._under_way[next(iter(self._under_way))]
        return traceparent_of(found[0], span_id)

    def note_attempt(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        """Take note of an attempt that ended now."""
        if is_traced(delivery.event_id, self._share):
            span_id = self._under_way.pop(delivery.id, None) or self._new_id() or 1
            wall, steady = self._clock.both()
            self._sink.add(attempt_spans(delivery, attempt, decision, span_id=span_id, wall=wall, steady=steady))

    def note_expired(self, delivery: Delivery, reason: str) -> None:
        """Take note of a delivery that expired before its next attempt."""
        if is_traced(delivery.event_id, self._share):
            wall, steady = self._clock.both()
            self._sink.add([expired_span(delivery, reason, wall=wall, steady=steady)])
