"""What the daemon counts for its metrics."""

import asyncio
from pathlib import Path

import aiohttp

from forwarder.core.monitoring.status import StatusReport
from forwarder.daemon.web import start_web
from tests.support.ports import free_port


async def test_nothing_is_served_where_the_config_does_not_ask_for_it(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        assert start_web(None, group, status=StatusReport, outbox=tmp_path / "outbox.db") == []


async def test_an_outbox_that_cannot_be_read_leaves_out_its_counts(tmp_path: Path) -> None:
    port = free_port()
    status = StatusReport(started_at="2026-12-01T12:00:00+00:00")
    async with asyncio.TaskGroup() as group, aiohttp.ClientSession() as session, asyncio.timeout(60):
        (task,) = start_web(f"127.0.0.1:{port}", group, status=lambda: status, outbox=tmp_path / "outbox.db")
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
