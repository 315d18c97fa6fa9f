"""Spans go to a collector as OTLP over HTTP, and a fault has a sentence without the address."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.monitoring.spans import SpanKind, SpanRecord
from forwarder.monitoring.otlp import open_otlp
from tests.support.collector import Collector
from tests.support.ports import free_port

NOW = datetime(2026, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)
SPAN = SpanRecord(
    name="attempt bot",
    kind=SpanKind.CLIENT,
    trace_id="5f" * 16,
    span_id=7,
    parent_id=9,
    began=NOW - timedelta(seconds=1),
    ended=NOW,
    attributes={"forwarder.attempt": 1, "forwarder.routes": ["a", "b"], "forwarder.matched": True},
    error="HTTP 503",
)


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    logger = logging.getLogger("opentelemetry")
    before = logger.handlers, logger.propagate
    yield
    logger.handlers, logger.propagate = before


async def test_a_span_arrives_as_it_is() -> None:
    async with Collector() as collector:
        export = open_otlp(collector.endpoint, headers={"x-key": "magpie"}, service="forwarder-2", timeout_s=10)
        assert await asyncio.to_thread(export, [SPAN]) is None
        (span,) = collector.spans
        assert (span.name, span.trace_id, span.span_id, span.parent_id) == (
            "attempt bot", "5f" * 16, f"{7:016x}", f"{9:016x}",
        )  # fmt: skip
        assert span.error == "HTTP 503"
        assert span.attributes == {"forwarder.attempt": 1, "forwarder.routes": ["a", "b"], "forwarder.matched": True}
        assert collector.services == {"forwarder-2"}
        assert collector.requests[0].headers["x-key"] == "magpie"
        assert collector.requests[0].path == "/v1/traces"


async def test_a_collector_that_refuses_or_is_not_there_gives_a_reason_without_its_address(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with Collector() as collector:
        collector.fails_with = 400
        export = open_otlp(collector.endpoint, headers={}, service="forwarder", timeout_s=2)
        assert await asyncio.to_thread(export, [SPAN]) == "HTTP 400"
    port = free_port()
    export = open_otlp(f"http://127.0.0.1:{port}/magpie", headers={}, service="forwarder", timeout_s=1)
    reason = await asyncio.to_thread(export, [SPAN])
    assert str(reason).startswith("the collector cannot be reached")
    shown = capsys.readouterr()
    assert "magpie" not in shown.out + shown.err
