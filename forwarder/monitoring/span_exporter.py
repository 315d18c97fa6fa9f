"""Exports spans from a thread of its own, so that nothing else ever waits for the collector of traces.

Spans wait in memory, at most so many; what there is no room for, and what the collector does not take, is lost and counted.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

import structlog

from forwarder.core.monitoring.spans import SpanRecord
from forwarder.core.monitoring.status import TracingReport

MOST_WAITING = 8_192
_AT_ONCE = 512
_GATHER_S = 1.0
"""How long spans are collected before they are sent."""
_FINAL_S = 1.0
"""How long the end of the daemon waits for what is not sent yet."""

log = structlog.get_logger(__name__)

Export = Callable[[Sequence[SpanRecord]], str | None]
"""Sends spans, and waits for the answer; returns why that failed, or `None`."""


class SpanExporter:
    """Takes spans from the event loop, and sends them in the background until `close`."""

    def __init__(
        self, open_export: Callable[[], Export], *, most: int = MOST_WAITING, gather_s: float = _GATHER_S
    ) -> None:
        """`open_export` is called once, in the thread: it loads what sends."""
        self._open_export = open_export
        self._most = most
        self._gather_s = gather_s
        self._waiting = deque[SpanRecord]()
        self._wake = threading.Event()
        self._is_closing = False
        self._trouble: str | None = None
        """Why the collector did not take the last spans."""
        self.sent = 0
        self.lost = 0
        """How many were lost so far."""
        self._lost_reported = 0
        self._thread = threading.Thread(target=self._run, name="span exporter", daemon=True)
        self._thread.start()

    def add(self, spans: Sequence[SpanRecord]) -> None:
        """See `SpanSink`."""
        room = self._most - len(self._waiting)
        if room < len(spans):
            self.lost += len(spans) - max(room, 0)
            spans = spans[: max(room, 0)]
        self._waiting.extend(spans)
        if len(self._waiting) >= _AT_ONCE:
            self._wake.set()

    def status(self) -> TracingReport:
        """Return how it goes."""
        return TracingReport(trouble=self._trouble, spans_sent=self.sent, spans_lost=self.lost)

    def close(self) -> None:
        """Send what waits, for a second at most, and end. What is left then is lost."""
        self._is_closing = True
        self._wake.set()
        self._thread.join(_FINAL_S)
        lost = self.lost + len(self._waiting)
        if lost > self._lost_reported:
            log.warning(
                "tracing.spans_lost", spans=lost, sent=self.sent, note="since the start; deliveries were not affected"
            )

    def _run(self) -> None:
        export = self._open_export()
        while True:
            self._wake.wait(self._gather_s)
            self._wake.clear()
            is_last = self._is_closing
            until = monotonic() + _FINAL_S
            while self._waiting and (not is_last or monotonic() < until):
                self._send(export)
            if is_last:
                return

    def _send(self, export: Export) -> None:
        spans = [self._waiting.popleft() for _ in range(min(len(self._waiting), _AT_ONCE))]
        trouble = export(spans)
        if trouble is None:
            self.sent += len(spans)
            if self._trouble is not None:
                self._trouble = None
                self._lost_reported = self.lost
                log.info("tracing.works", spans_lost=self.lost, note="the collector takes spans again")
            return
        self.lost += len(spans)
        before, self._trouble = self._trouble, trouble
        if before is None:
            log.warning(
                "tracing.failed",
                reason=trouble,
                note="spans are lost meanwhile; deliveries are not affected; logged once",
            )
