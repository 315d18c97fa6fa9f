"""What is served: whether the daemon is alive, whether it is ready, and its metrics."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from aiohttp import web

from forwarder.core import metrics
from forwarder.core.monitoring.status import Backlog, StatusReport
from forwarder.core.monitoring.verdict import DOWN_AFTER_S, judge
from forwarder.core.streams.state import StreamCondition

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_COUNTED_WITHIN_S = 4.0
"""How long the outbox may take to count what waits. Metrics without these counts are better than none."""

CountBacklog = Callable[[], Awaitable[Backlog | None]]


class Views:
    """Answers the requests."""

    def __init__(
        self, *, status: Callable[[], StatusReport], count_backlog: CountBacklog, now: Callable[[], datetime]
    ) -> None:
        """`now` is by the wall clock. `count_backlog` may take long, or never return."""
        self._status = status
        self._count_backlog = count_backlog
        self._now = now
        self._counting: asyncio.Future[Backlog | None] | None = None
        """What counts at present: never more than one."""

    def add_to(self, application: web.Application) -> None:
        """Add the routes."""
        application.router.add_get("/healthz", self.healthz)
        application.router.add_get("/readyz", self.readyz)
        application.router.add_get("/metrics", self.metrics)

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

    async def metrics(self, _request: web.Request) -> web.Response:
        """Return the metrics in the text format of Prometheus."""
        text = metrics.write(metrics.families_of(self._status(), await self._backlog()))
        return web.Response(body=text.encode(), headers={"Content-Type": _METRICS_TYPE})

    async def _backlog(self) -> Backlog | None:
        """Return what the outbox holds, or `None` if it cannot be read in time. A count that hangs is not begun a second time."""
        if self._counting is None or self._counting.done():
            self._counting = asyncio.ensure_future(self._count_backlog())
        done, _ = await asyncio.wait([self._counting], timeout=_COUNTED_WITHIN_S)
        return self._counting.result() if done else None
