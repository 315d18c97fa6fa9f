"""The daemon as the page and the API see it, in the process of a test: a real outbox and config, without a stream."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import BaseModel

from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.commands import (
    DeadLetterChange,
    PauseChange,
    Reconnect,
    Reload,
    Replay,
    Request,
    Resend,
    SendCanary,
)
from forwarder.core.config.model.admin import AdminConfig
from forwarder.core.config.values.secret import Secret
from forwarder.core.monitoring.measured import Measured
from forwarder.core.monitoring.status import DestinationReport, StatusReport, StreamReport
from forwarder.core.monitoring.verdict import HealthLevel
from forwarder.daemon.backlog_reader import BacklogReader
from forwarder.daemon.metrics import DaemonMetrics
from forwarder.daemon.web import WebParts
from forwarder.daemon.web_access import WebAccess
from forwarder.monitoring.live_feed import LiveFeed
from forwarder.outbox.open import open_for_change
from forwarder.web.access import RulesOf, Sessions
from forwarder.web.api import Api
from forwarder.web.guard import Guard
from forwarder.web.server import Routes, serve
from tests.support.ports import free_port
from tests.support.reloads import reloader_of

STATUS = StatusReport(
    version="1.0",
    pid=1,
    started_at="2026-01-01T00:00:00+00:00",
    state="running",
    streams={"main": StreamReport(condition="open", transport="websocket")},
    destinations={"bot": DestinationReport(), "other": DestinationReport()},
)


def parts_of(config: Path, *, asked: list[tuple[Request, str]] | None = None, feed: LiveFeed | None = None) -> WebParts:
    """Return the parts of a daemon with this config, whose outbox is `outbox.db` beside it. What is to be changed is kept in `asked`."""
    reloader = reloader_of(config)

    async def change(request: Request, person: str) -> BaseModel | dict[str, object]:
        if asked is not None:
            asked.append((request, person))
        match request:
            case Reconnect(stream=name):
                return {"streams": [name]}
            case SendCanary(destination=name):
                return {"destination": name}
            case Reload():
                return await reloader.reload(person)
            case PauseChange() | Replay() | DeadLetterChange() | Resend():
                with open_for_change(config.with_name("outbox.db")) as editor:
                    return editor.apply(request, person=person)
            case _:
                raise AssertionError(request)

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


def access_of(
    config: Path, *, asked: list[tuple[Request, str]] | None = None, feed: LiveFeed | None = None
) -> WebAccess:
    """Return the access to such a daemon."""
    return WebAccess(parts_of(config, asked=asked, feed=feed))


TOKEN = "0123456789abcdef-of-the-test"


def guard_of(port: int, *, token: str | None = None) -> Guard:
    """Return the guard of a daemon that listens on this port of the loopback interface."""
    admin = AdminConfig(token=None if token is None else Secret(token))
    listen = f"127.0.0.1:{port}"
    return Guard(RulesOf(listen, lambda: admin).rules, Sessions())


@dataclass
class Served:
    """The API on a port of its own, and what it asked the daemon to change."""

    url: str
    port: int
    feed: LiveFeed
    asked: list[tuple[Request, str]]
    session: aiohttp.ClientSession

    async def get(self, path: str, *, status: int = 200) -> Any:  # noqa: ANN401 - JSON
        async with self.session.get(f"{self.url}{path}") as answer:
            found = await answer.json()
            assert answer.status == status, found
            return found

    async def post(self, path: str, body: object = None, *, status: int = 200) -> Any:  # noqa: ANN401 - JSON
        headers = {"X-Forwarder": "1", "Authorization": f"Bearer {TOKEN}"}
        async with self.session.post(f"{self.url}{path}", json=body or {}, headers=headers) as answer:
            found = await answer.json()
            assert answer.status == status, found
            return found


@asynccontextmanager
async def serving(config: Path, *, token: str | None = TOKEN, also: Sequence[Routes] = ()) -> AsyncIterator[Served]:
    """Serve the API of a daemon with this config, whose outbox is `outbox.db` beside it. Changes are made in that file."""
    asked: list[tuple[Request, str]] = []
    port, feed = free_port(), LiveFeed(ProcessClock())
    access = access_of(config, asked=asked, feed=feed)
    guard, sessions = guard_of(port, token=token), Sessions()
    guard = Guard(guard.rules, sessions)
    task = asyncio.create_task(serve(f"127.0.0.1:{port}", [Api(access, guard, sessions), *also], guard=guard))
    url = f"http://127.0.0.1:{port}/api/v1"
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.timeout(120):
            while True:
                with suppress(aiohttp.ClientConnectorError):
                    async with session.get(f"{url}/session"):
                        break
                await asyncio.sleep(0.02)
            yield Served(url, port, feed, asked, session)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
