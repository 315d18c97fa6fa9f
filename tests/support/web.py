"""The daemon as the page and the API see it, in the process of a test: a real outbox and config, without a stream."""

from pathlib import Path

from pydantic import BaseModel

from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.commands import Request
from forwarder.core.monitoring.measured import Measured
from forwarder.core.monitoring.status import StatusReport, StreamReport
from forwarder.core.monitoring.verdict import HealthLevel
from forwarder.daemon.backlog_reader import BacklogReader
from forwarder.daemon.metrics import DaemonMetrics
from forwarder.daemon.web import WebParts
from forwarder.daemon.web_access import WebAccess
from forwarder.monitoring.live_feed import LiveFeed
from tests.support.reloads import reloader_of

STATUS = StatusReport(
    version="1.0",
    pid=1,
    started_at="2026-01-01T00:00:00+00:00",
    state="running",
    streams={"main": StreamReport(condition="open", transport="websocket")},
)


def parts_of(config: Path, *, asked: list[tuple[Request, str]] | None = None, feed: LiveFeed | None = None) -> WebParts:
    """Return the parts of a daemon with this config, whose outbox is `outbox.db` beside it. What is to be changed is kept in `asked`."""
    reloader = reloader_of(config)

    async def change(request: Request, person: str) -> BaseModel | dict[str, object]:
        if asked is not None:
            asked.append((request, person))
        return {}

    backlog = BacklogReader(config.with_name("outbox.db"))
    return WebParts(
        status=lambda: STATUS,
        backlog=backlog,
        metrics=DaemonMetrics(lambda found: Measured(status=STATUS, level=HealthLevel.OK, backlog=found), backlog),
        outbox=config.with_name("outbox.db"),
        active=reloader._active,
        reloader=reloader,
        change=change,
        live=feed if feed is not None else LiveFeed(ProcessClock()),
    )


def access_of(config: Path, *, asked: list[tuple[Request, str]] | None = None) -> WebAccess:
    """Return the access to such a daemon."""
    return WebAccess(parts_of(config, asked=asked))
