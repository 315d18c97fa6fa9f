"""Traces the events, where the config asks for it. What that needs is loaded only then."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from forwarder.core.config.model.tracing import TracingConfig
from forwarder.core.ports import Clocks
from forwarder.threads import start_in_thread

if TYPE_CHECKING:
    from forwarder.monitoring.span_exporter import Export
    from forwarder.monitoring.tracer import Tracer


def open_tracing(settings: TracingConfig | None, clock: Clocks) -> "AbstractAsyncContextManager[Tracer | None]":
    """Give what traces the events, for the length of the block; `None` where the config has no `tracing`."""
    return nullcontext() if settings is None else _tracing(settings, clock)


@asynccontextmanager
async def _tracing(settings: TracingConfig, clock: Clocks) -> "AsyncIterator[Tracer]":
    from forwarder.monitoring.span_exporter import SpanExporter  # noqa: PLC0415 - see above
    from forwarder.monitoring.tracer import Tracer  # noqa: PLC0415

    def open_export() -> "Export":
        """Load the libraries, in the thread of the exporter: that takes some tenths of a second."""
        from forwarder.monitoring.otlp import open_otlp  # noqa: PLC0415

        return open_otlp(
            settings.endpoint.reveal(),
            headers={name: value.reveal() for name, value in settings.headers.items()},
            service=settings.service,
            timeout_s=settings.timeout.total_seconds(),
        )

    exporter = SpanExporter(open_export)
    try:
        yield Tracer(exporter, share=settings.share, clock=clock)
    finally:
        await start_in_thread(exporter.close, name="last spans")
