"""The server listens as soon as it can, and ends at once."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from io import BytesIO

import aiohttp
import pytest
from structlog.testing import capture_logs

from forwarder.core.monitoring.status import StatusReport
from forwarder.web import server as module
from forwarder.web.guard import MAX_BODY_BYTES
from forwarder.web.metrics import Exposition, without_daemon
from forwarder.web.server import serve
from forwarder.web.views import Views
from tests.support.ports import free_port
from tests.support.web import guard_of


async def written(_accept: str) -> Exposition:
    return without_daemon()


VIEWS = Views(status=StatusReport, metrics=written, now=lambda: datetime.now(UTC))


@pytest.fixture
def taken() -> socket.socket:
    """Give a socket that listens on a port of its own."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    return listening


@asynccontextmanager
async def served(port: int) -> AsyncIterator[str]:
    task = asyncio.create_task(serve(f"127.0.0.1:{port}", [VIEWS], guard=guard_of(port)))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def answered(session: aiohttp.ClientSession, url: str) -> int:
    """Return the status of the first answer."""
    async with asyncio.timeout(60):
        while True:
            with suppress(aiohttp.ClientConnectorError):
                async with session.get(url) as answer:
                    return answer.status
            await asyncio.sleep(0.05)


async def test_a_port_that_is_in_use_is_said_once_and_taken_when_it_is_free(
    taken: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TRY_EVERY_S", 0.01)
    port = taken.getsockname()[1]
    with capture_logs() as lines:
        async with served(port) as url, asyncio.timeout(60), aiohttp.ClientSession() as session:
            while not lines:  # noqa: ASYNC110 - a list has no event
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)  # for several more tries, which say nothing
            taken.close()
            assert await answered(session, f"{url}/healthz") == 200
    assert [line["event"] for line in lines] == ["admin.not_listening", "admin.listening"]
    assert lines[0]["address"] == f"127.0.0.1:{port}"
    assert "in use" in lines[0]["reason"]


async def test_it_ends_at_once_though_a_client_keeps_its_connection() -> None:
    port = free_port()
    async with aiohttp.ClientSession() as session:
        async with served(port) as url:
            assert await answered(session, f"{url}/healthz") == 200
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(60):
            assert await reader.read() == b""
        writer.close()


async def test_a_large_body_is_refused() -> None:
    port = free_port()
    async with aiohttp.ClientSession() as session, served(port) as url:
        await answered(session, f"{url}/healthz")
        async with session.post(f"{url}/healthz", data=BytesIO(b"x" * (MAX_BODY_BYTES + 1))) as answer:
            assert answer.status == 413
