"""Spans are sent in the background; what cannot be sent is lost and counted, and nobody waits."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic

from structlog.testing import capture_logs

from forwarder.core.monitoring.spans import SpanRecord
from forwarder.core.monitoring.status import TracingReport
from forwarder.monitoring.span_exporter import SpanExporter

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAST_S = 0.01


def spans(count: int) -> list[SpanRecord]:
    return [
        SpanRecord(
            name=str(number), trace_id="0" * 31 + "1", span_id=1, parent_id=None, began=NOW, ended=NOW, attributes={}
        )
        for number in range(count)
    ]


class Collector:
    """Keeps the names of what was sent; it can refuse, and can hold up the thread."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.trouble: str | None = None
        self.calls = threading.Semaphore(0)
        self.may_answer = threading.Event()
        self.may_answer.set()

    def export(self, sent: Sequence[SpanRecord]) -> str | None:
        self.calls.release()
        assert self.may_answer.wait(30)
        if self.trouble is None:
            self.names += [each.name for each in sent]
        return self.trouble


def test_what_is_added_is_sent_and_at_the_end_the_rest() -> None:
    collector = Collector()
    exporter = SpanExporter(lambda: collector.export, gather_s=30)
    exporter.add(spans(700))  # more than are sent at once
    exporter.add(spans(5))
    exporter.close()
    assert len(collector.names) == 705
    assert (exporter.sent, exporter.lost) == (705, 0)


def test_what_there_is_no_room_for_is_lost_and_counted() -> None:
    collector = Collector()
    collector.may_answer.clear()
    exporter = SpanExporter(lambda: collector.export, most=10, gather_s=FAST_S)
    exporter.add(spans(1))
    assert collector.calls.acquire(timeout=30)  # the thread waits for the answer
    began = monotonic()
    exporter.add(spans(8))
    exporter.add(spans(5))
    exporter.add(spans(5))
    assert monotonic() - began < 5
    assert exporter.lost == 8
    collector.may_answer.set()
    with capture_logs() as lines:
        exporter.close()
    assert exporter.sent == 11
    assert [(line["event"], line["spans"]) for line in lines] == [("tracing.spans_lost", 8)]


def test_a_collector_that_fails_is_reported_once_and_so_is_its_return() -> None:
    collector = Collector()
    collector.trouble = "HTTP 503"
    with capture_logs() as lines:
        exporter = SpanExporter(lambda: collector.export, gather_s=FAST_S)
        for _ in range(3):
            exporter.add(spans(2))
            assert collector.calls.acquire(timeout=30)
        assert exporter.status().trouble == "HTTP 503"
        collector.trouble = None
        while not collector.names:
            exporter.add(spans(2))
            assert collector.calls.acquire(timeout=30)
        exporter.close()
    assert [line["event"] for line in lines] == ["tracing.failed", "tracing.works"]
    assert lines[0]["reason"] == "HTTP 503"
    assert lines[1]["spans_lost"] == exporter.lost
    assert exporter.lost >= 4
    assert exporter.status() == TracingReport(spans_sent=exporter.sent, spans_lost=exporter.lost)


def test_a_collector_that_hangs_holds_up_the_end_for_a_second_at_most() -> None:
    collector = Collector()
    collector.may_answer.clear()
    exporter = SpanExporter(lambda: collector.export, gather_s=FAST_S)
    exporter.add(spans(3))
    assert collector.calls.acquire(timeout=30)
    began = monotonic()
    exporter.close()
    assert monotonic() - began < 20
    collector.may_answer.set()
