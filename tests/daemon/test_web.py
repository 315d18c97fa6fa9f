"""What the daemon counts for its metrics."""

import asyncio
from pathlib import Path

import aiohttp

from forwarder.core.config.model.admin import AdminConfig
from forwarder.daemon.web import start_web
from tests.support.history import CONFIG
from tests.support.ports import free_port
from tests.support.web import parts_of


def configured(folder: Path) -> Path:
    path = folder / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


async def test_nothing_is_served_where_the_config_does_not_ask_for_it(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        assert start_web(AdminConfig(), group, parts_of(configured(tmp_path))) == []


async def test_an_outbox_that_cannot_be_read_leaves_out_its_counts(tmp_path: Path) -> None:
    port = free_port()
    async with asyncio.TaskGroup() as group, aiohttp.ClientSession() as session, asyncio.timeout(60):
        admin = AdminConfig(listen=f"127.0.0.1:{port}")
        (task,) = start_web(admin, group, parts_of(configured(tmp_path)))
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                    text = await answer.text()
                    break
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)
        task.cancel()
    assert "forwarder_up 1" in text
    assert "forwarder_destination_waiting" not in text
