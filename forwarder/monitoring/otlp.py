"""Sends spans to a collector by OTLP over HTTP, with the SDK of OpenTelemetry. Nothing else imports it.

It is loaded in the thread of the exporter, and only where the config has `tracing`.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags
from opentelemetry.trace import SpanKind as OtelKind
from opentelemetry.trace.status import Status, StatusCode

from forwarder import __version__
from forwarder.core.monitoring.spans import SpanKind, SpanRecord
from forwarder.monitoring.span_exporter import Export

_KINDS = {
    SpanKind.CONSUMER: OtelKind.CONSUMER,
    SpanKind.INTERNAL: OtelKind.INTERNAL,
    SpanKind.CLIENT: OtelKind.CLIENT,
}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def open_otlp(endpoint: str, *, headers: Mapping[str, str], service: str, timeout_s: float) -> Export:
    """Return what sends spans to this endpoint."""
    kept = _LastWords()
    logger = logging.getLogger("opentelemetry")  # its lines would name the endpoint, which may be a secret
    logger.handlers, logger.propagate = [kept], False
    exporter = OTLPSpanExporter(endpoint, headers=dict(headers), timeout=timeout_s, compression=Compression.Gzip)
    resource = Resource.create({"service.name": service, "service.version": __version__})
    scope = InstrumentationScope("forwarder", __version__)

    def export(spans: Sequence[SpanRecord]) -> str | None:
        kept.reason = ""
        result = exporter.export([_readable(span, resource, scope) for span in spans])
        return (
            None
            if result is SpanExportResult.SUCCESS
            else kept.reason or "the collector cannot be reached, or does not answer in time"
        )

    return export


class _LastWords(logging.Handler):
    """Keeps what the exporter said last, as far as it names no address: a status, or the kind of an error."""

    reason = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line of the exporter."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        status = next((each for each in arguments if isinstance(each, int) and 100 <= each <= 599), None)
        error = next((each for each in arguments if isinstance(each, Exception)), None)
        if status is not None:
            self.reason = f"HTTP {status}"
        elif error is not None:
            self.reason = _KNOWN.get(type(error).__name__, type(error).__name__)


_KNOWN = {
    "ConnectionError": "the collector cannot be reached",
    "ConnectTimeout": "the collector cannot be reached in time",
    "ReadTimeout": "the collector does not answer in time",
    "SSLError": "the certificate of the collector is not accepted",
}


def _readable(span: SpanRecord, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
    trace_id = int(span.trace_id, 16)
    parent = None
    if span.parent_id is not None:
        parent = SpanContext(trace_id, span.parent_id, is_remote=False, trace_flags=_SAMPLED)
    return ReadableSpan(
        name=span.name,
        context=SpanContext(trace_id, span.span_id, is_remote=False, trace_flags=_SAMPLED),
        parent=parent,
        resource=resource,
        attributes={**span.attributes},
        kind=_KINDS[span.kind],
        status=Status(StatusCode.UNSET) if span.error is None else Status(StatusCode.ERROR, span.error),
        start_time=_nanoseconds(span.began),
        end_time=_nanoseconds(span.ended),
        instrumentation_scope=scope,
    )


def _nanoseconds(at: datetime) -> int:
    passed = at - _EPOCH
    return ((passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds) * 1_000
