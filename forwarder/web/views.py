"""What is served: whether the daemon is alive, whether it is ready, and its metrics."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from aiohttp import web

from forwarder.core.monitoring.status import StatusReport
from forwarder.core.monitoring.verdict import DOWN_AFTER_S, judge
from forwarder.core.streams.state import StreamCondition
from forwarder.web.guard import PROBES


class WrittenMetrics(Protocol):
    """The metrics as text: `web.metrics.Exposition`, which is not loaded before somebody asks for them."""

    @property
    def text(self) -> bytes:
        """The text."""
        ...

    @property
    def content_type(self) -> str:
        """What it is, as the header says it."""
        ...


class Views:
    """Answers the requests."""

    def __init__(
        self,
        *,
        status: Callable[[], StatusReport],
        metrics: Callable[[str], Awaitable[WrittenMetrics]],
        now: Callable[[], datetime],
    ) -> None:
        """`now` is by the wall clock. `metrics` returns the metrics in the format that a header `Accept` asks for."""
        self._status = status
        self._metrics = metrics
        self._now = now

    def add_to(self, application: web.Application) -> None:
        """Add the routes."""
        answers = {"/healthz": self.healthz, "/readyz": self.readyz, "/metrics": self.metrics}
        for path, answer in answers.items():
            application.router.add_get(path, answer)
        application[PROBES] = frozenset(answers)

    async def healthz(self, _request: web.Request) -> web.Response:
        """Return 200 while the event loop, which answers, and the writer of the outbox make progress; else 503."""
        stuck_s = self._status().outbox.stuck_s
        if stuck_s < DOWN_AFTER_S:
            return web.Response(text="OK\n")
        return web.Response(status=503, text=f"the disk of the outbox has not answered for {stuck_s:.0f} s\n")

    async def readyz(self, _request: web.Request) -> web.Response:
        """Return 200 while a stream is open and the outbox can be written, with the verdict; else 503."""
        status = self._status()
        is_open = any(stream.condition == StreamCondition.OPEN for stream in status.streams.values())
        is_ready = is_open and status.outbox.is_ok and status.state == "running"
        line = judge(status, now=self._now()).line if status.state == "running" else status.state
        return web.Response(status=200 if is_ready else 503, text=f"{line}\n")

    async def metrics(self, request: web.Request) -> web.Response:
        """Return the metrics in the text format of Prometheus, or as OpenMetrics where that is asked for."""
        found = await self._metrics(",".join(request.headers.getall("Accept", [])))
        return web.Response(body=found.text, headers={"Content-Type": found.content_type})
