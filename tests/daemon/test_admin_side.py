"""The control socket and HTTP answer for the same daemon."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from forwarder.control.client import control
from forwarder.core.commands import PauseChange, Request, StatusRequest
from tests.support.admin_side import admin_of
from tests.support.daemon_parts import config_to, daemon_parts
from tests.support.ports import free_port


def asked(path: Path, request: Request) -> dict[str, Any]:
    with control(path) as daemon:
        return daemon.ask(request)


async def fetched(session: aiohttp.ClientSession, url: str) -> Any:  # noqa: ANN401 - JSON
    while True:
        try:
            async with session.get(url) as answer:
                return await answer.json()
        except aiohttp.ClientConnectorError:  # it does not listen yet
            await asyncio.sleep(0.05)


async def test_what_is_changed_at_the_socket_is_seen_there_and_over_http(tmp_path: Path) -> None:
    port, path = free_port(), tmp_path / "control.sock"
    text = config_to("bot: {url: 'http://127.0.0.1:9/'}", rest=f"admin: {{listen: '127.0.0.1:{port}'}}\n")
    async with daemon_parts(tmp_path, text) as parts, aiohttp.ClientSession() as session, asyncio.timeout(60):
        admin = admin_of(parts)
        async with admin.open_socket(path):
            (web,) = admin.start_web(parts.group)
            await asyncio.to_thread(partial(asked, path, PauseChange(verb="pause", destination="bot", now_ms=1)))
            at_socket = await asyncio.to_thread(partial(asked, path, StatusRequest()))
            over_http = (await fetched(session, f"http://127.0.0.1:{port}/api/v1/status"))["status"]
            web.cancel()
    for found in (at_socket, over_http):
        assert found["destinations"]["bot"]["paused"]["by"] == "person"
        assert found["state"] == "running"
    assert admin.report().config.digest == at_socket["config"]["digest"] == over_http["config"]["digest"]


async def test_without_an_address_only_the_socket_is_opened_and_a_stop_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with daemon_parts(tmp_path, config_to("bot: {url: 'http://127.0.0.1:9/'}")) as parts:
        admin = admin_of(parts)
        assert admin.start_web(parts.group) == []
        async with admin.open_socket(path):
            parts.signals.stopped.set()
            assert (await asyncio.to_thread(partial(asked, path, StatusRequest())))["state"] == "stopping"
        assert not path.exists()
