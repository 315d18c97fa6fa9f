"""Serves HTTP where the config asks for it. What that needs is loaded only then."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from pydantic import BaseModel

from forwarder.core.commands import Request
from forwarder.core.config.model.admin import AdminConfig
from forwarder.core.destinations.transport import Tls
from forwarder.core.monitoring.status import StatusReport
from forwarder.daemon.backlog_reader import BacklogReader
from forwarder.daemon.metrics import DaemonMetrics
from forwarder.daemon.reload import Reloader
from forwarder.daemon.runtime import ActiveRuntime
from forwarder.monitoring.live_feed import LiveFeed


class WebParts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the daemon that answers over HTTP are taken from."""

    status: Callable[[], StatusReport]
    backlog: BacklogReader
    metrics: DaemonMetrics
    outbox: Path
    active: ActiveRuntime
    reloader: Reloader
    change: Callable[[Request, str], Awaitable[BaseModel | dict[str, object]]]
    """Carries out a request of a person."""
    live: LiveFeed


def start_web(admin: AdminConfig, group: asyncio.TaskGroup, parts: WebParts) -> "list[asyncio.Task[None]]":
    """Start to serve where the config says so; return the task, if there is one."""
    if admin.listen is None:
        return []
    return [group.create_task(_serve(admin.listen, parts), name="web")]


async def _serve(listen: str, parts: WebParts) -> None:
    """Serve at this address until cancelled."""
    from forwarder.daemon.web_access import WebAccess  # noqa: PLC0415 - see above
    from forwarder.web.access import RulesOf, Sessions  # noqa: PLC0415
    from forwarder.web.api import Api  # noqa: PLC0415
    from forwarder.web.guard import Guard  # noqa: PLC0415
    from forwarder.web.page.pages import PageViews  # noqa: PLC0415
    from forwarder.web.server import serve  # noqa: PLC0415
    from forwarder.web.views import Views  # noqa: PLC0415

    access = WebAccess(parts)

    def tls() -> Tls | None:
        settings = parts.active.config.admin.tls
        return None if settings is None else settings.value

    sessions = Sessions()
    guard = Guard(RulesOf(listen, lambda: parts.active.config.admin).rules, sessions)
    views = Views(status=access.status, metrics=parts.metrics.write, now=access.now)
    await serve(listen, [views, PageViews(access), Api(access, guard, sessions)], guard=guard, tls=tls)
