"""What passes, as Server-Sent Events."""

import asyncio
import json
import socket
from datetime import UTC, datetime

import aiohttp
import pytest

from forwarder.core.routing.router import Selection
from forwarder.monitoring.live_feed import LiveFeed
from forwarder.web import live
from tests.support.outbox import EVENTS
from tests.support.web import Served

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def bring(feed: LiveFeed, count: int = 1) -> None:
    for number in range(count):
        feed.note_event(EVENTS[number % len(EVENTS)], "main", Selection({}, matched=()), NOW)


async def until_watched(feed: LiveFeed, count: int = 1) -> None:
    while len(feed._subscriptions) != count:  # noqa: ASYNC110 - nothing reports it
        await asyncio.sleep(0.01)


async def message(answer: aiohttp.ClientResponse) -> tuple[str, dict[str, object]]:
    """Return the next message: its type and its data."""
    while True:
        line = (await answer.content.readline()).decode()
        assert line, "the stream has ended"
        if line.startswith("event: "):
            data = (await answer.content.readline()).decode().removeprefix("data: ")
            return line.removeprefix("event: ").strip(), json.loads(data)


async def test_each_event_is_a_message_of_its_type(served: Served) -> None:
    async with served.session.get(f"{served.url}/live") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        await until_watched(served.feed)
        bring(served.feed, 2)
        kind, data = await message(answer)
        assert (kind, data["event_id"], data["result"]) == ("event", EVENTS[0].id, "unmatched")
        assert (await message(answer))[1]["event_id"] == EVENTS[1].id
    await until_watched(served.feed, 0)
    assert not served.feed.is_watched


async def test_a_slow_reader_loses_the_oldest_and_is_told_how_many(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_MOST_WAITING", 3)
    async with served.session.get(f"{served.url}/live") as answer:
        await until_watched(served.feed)
        bring(served.feed, 5)
        assert await message(answer) == ("lost", {"event": "lost", "lost": 2})
        assert (await message(answer))[1]["event_id"] == EVENTS[2].id


async def test_a_quiet_stream_is_kept_alive(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_KEEP_ALIVE_S", 0.01)
    async with served.session.get(f"{served.url}/live") as answer:
        lines = [await answer.content.readline() for _ in range(6)]
        assert any(line.startswith(b": keep-alive") for line in lines)


async def test_there_are_only_so_many_clients(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_CLIENTS", 1)
    async with served.session.get(f"{served.url}/live"):
        await until_watched(served.feed)
        assert "watch already" in (await served.get("/live", status=503))["error"]
    await until_watched(served.feed, 0)
    async with served.session.get(f"{served.url}/live") as answer:
        assert answer.status == 200


async def test_it_ends_with_the_daemon(served: Served) -> None:
    async with served.session.get(f"{served.url}/live") as answer:
        await until_watched(served.feed)
        bring(served.feed)
        served.feed.close()
        assert (await message(answer))[0] == "event"
        while await answer.content.readline():
            pass


async def test_a_client_that_takes_nothing_is_dropped(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_TAKEN_WITHIN_S", 0.2)
    monkeypatch.setattr(live, "_GATHERED_S", 0.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1 << 10)
    reader._transport.pause_reading()  # type: ignore[attr-defined] # so that nothing is taken
    writer.write(f"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n\r\n".encode())
    await until_watched(served.feed)
    while served.feed._subscriptions:
        bring(served.feed, 500)
        await asyncio.sleep(0)
    writer.close()


async def test_a_client_that_does_not_take_keep_alives_is_dropped(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_KEEP_ALIVE_S", 0.02)
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    found.setblocking(False)
    await asyncio.get_running_loop().sock_connect(found, ("127.0.0.1", served.port))
    await asyncio.get_running_loop().sock_sendall(
        found, f"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n\r\n".encode()
    )
    async with asyncio.timeout(60):
        await until_watched(served.feed)
        await until_watched(served.feed, 0)
    found.close()
