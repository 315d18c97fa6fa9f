"""Spans are made of the events in the sample, and what a receiver is told belongs to the span of its attempt."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.delivery import Answered, Attempt, Delivery, DestinationName, new_delivery
from forwarder.core.dispatch.retry import Done, RetryAt
from forwarder.core.monitoring.spans import SpanRecord, is_traced
from forwarder.core.monitoring.status import TracingReport
from forwarder.core.routing.router import Selection
from forwarder.core.routing.sampling import WHOLE
from forwarder.monitoring import tracer as module
from forwarder.monitoring.tracer import Tracer
from tests.support.lanes import event
from tests.support.routing import OneClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOT = DestinationName("bot")
CHOSEN = Selection(matched=("all",), chosen={BOT: ("all",)}, held={})


class Sink:
    def __init__(self) -> None:
        self.spans: list[SpanRecord] = []

    def add(self, spans: Sequence[SpanRecord]) -> None:
        self.spans += spans

    def status(self) -> TracingReport:
        return TracingReport(spans_lost=len(self.spans))


def of(number: int) -> Delivery:
    return new_delivery(event(number), BOT, ("all",), event_seq=number, accepted_at=NOW)


def made(number: int = 1, status: int = 200) -> Attempt:
    return Attempt(number=number, started_at=NOW, duration=timedelta(seconds=1), outcome=Answered(status=status))


def tracer(sink: Sink, share: int = WHOLE) -> Tracer:
    ids = iter(range(1, 1_000_000))
    return Tracer(sink, share=share, clock=OneClock(lambda: NOW), new_id=lambda: next(ids))


def test_each_attempt_has_the_span_that_its_receiver_was_told() -> None:
    sink = Sink()
    traces = tracer(sink)
    delivery = of(1)
    first = traces.traceparent(delivery.id)
    assert first == f"00-{delivery.event_id}-{1:016x}-01"
    assert traces.traceparent(delivery.id) == first  # a second request of the same attempt
    traces.note_attempt(delivery, made(status=503), RetryAt(at=NOW, reason="HTTP 503"))
    second = traces.traceparent(delivery.id)
    traces.note_attempt(delivery, made(2), Done())
    assert second == f"00-{delivery.event_id}-{2:016x}-01"
    assert [(span.name, span.span_id) for span in sink.spans[:2]] == [("attempt bot", 1), ("attempt bot", 2)]
    assert [span.name for span in sink.spans[2:]] == ["deliver bot"]
    assert traces._under_way == {}


def test_an_event_a_commit_and_an_expired_delivery_have_theirs_and_a_duplicate_has_none() -> None:
    sink = Sink()
    traces = tracer(sink)
    traces.note_event(event(1), "main", CHOSEN, NOW)
    traces.note_event(event(1), "main", None, NOW)
    traces.note_committed([event(1).id], [0.01])
    traces.note_expired(of(1), "too old")
    assert [span.name for span in sink.spans] == ["receive", "route", "commit", "deliver bot"]


def test_what_is_not_in_the_sample_has_no_spans_and_no_header() -> None:
    sink = Sink()
    traces = tracer(sink, share=WHOLE // 2)
    for number in range(40):
        sink.spans.clear()
        delivery = of(number)
        expected = is_traced(delivery.event_id, WHOLE // 2)
        assert (traces.traceparent(delivery.id) is not None) is expected
        traces.note_event(event(number), "main", CHOSEN, NOW)
        traces.note_committed([delivery.event_id], [0.1])
        traces.note_attempt(delivery, made(), Done())
        traces.note_expired(delivery, "old")
        assert bool(sink.spans) is expected
    assert traces.traceparent("msg_of-another-program") is None


def test_attempts_that_were_cut_short_are_forgotten_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_UNDER_WAY", 3)
    traces = tracer(Sink())
    for number in range(10):
        traces.traceparent(of(number).id)
    assert len(traces._under_way) == 3


def test_its_status_is_that_of_what_takes_the_spans() -> None:
    sink = Sink()
    tracer(sink).note_committed([event(1).id], [0.5])
    assert tracer(sink).status() == TracingReport(spans_lost=1)
