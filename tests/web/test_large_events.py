"""A large event holds up neither the loop nor the memory of the daemon, and can be had whole."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from forwarder.core.event import Event
from forwarder.outbox.open import open_outbox
from forwarder.web import api_history, guard
from forwarder.web.page.pages import PageViews
from tests.support.history import CONFIG
from tests.support.outbox import keep_large
from tests.support.web import Served, access_of, serving

CUT = 256 << 10
VIEWS = ("/events/{id}", "/api/v1/events/{id}", "/api/v1/events/{id}/explanation", "/events", "/api/v1/events")


@pytest.fixture
async def large(tmp_path: Path) -> AsyncIterator[tuple[Served, Event]]:
    """Yield the page and the API of a daemon with one event of 400,000 values, and that event."""
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        event = keep_large(outbox, values=400_000)
    async with serving(config, also=[PageViews(access_of(config))]) as served:
        yield served, event


@asynccontextmanager
async def longest_turn() -> AsyncIterator[list[float]]:
    """Measure the most time of the processor that one turn of the loop takes: a busy machine does not change it."""
    longest = [0.0]

    async def turn() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.001)
            longest[0] = max(longest[0], time.thread_time() - before)

    task = asyncio.create_task(turn())
    yield longest
    task.cancel()


@pytest.mark.parametrize("path", VIEWS)
async def test_no_view_of_it_holds_up_the_loop(large: tuple[Served, Event], path: str) -> None:
    served, event = large
    before = time.thread_time()
    msgspec.json.format(msgspec.json.encode(msgspec.json.decode(event.body)), indent=2)
    cost = time.thread_time() - before
    address = f"http://127.0.0.1:{served.port}{path.format(id=event.id)}"
    async with served.session.get(address) as answer:  # what is loaded with the first view is not measured
        await answer.read()
    async with longest_turn() as longest:
        answers = await asyncio.gather(*(_size(served, address) for _ in range(4)))
    assert max(answers) < 4 * CUT
    assert longest[0] < cost / 2


async def _size(served: Served, address: str) -> int:
    async with served.session.get(address) as answer:
        assert answer.status == 200
        return len(await answer.read())


async def test_its_beginning_is_shown_and_all_of_it_can_be_had(large: tuple[Served, Event]) -> None:
    served, event = large
    found = await served.get(f"/events/{event.id}")
    assert found["body"].encode() == event.body[:CUT]
    assert (found["body_is_cut"], found["body_bytes"]) == (True, len(event.body))
    assert (found["author"], found["text"]) == ("whale", "the large one")
    async with served.session.get(f"{served.url}/events/{event.id}/body?seq=1") as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert await answer.read() == event.body
    async with served.session.head(f"{served.url}/events/{event.id}/body") as answer:
        assert (answer.status, answer.content_length) == (200, len(event.body))
    async with served.session.get(f"http://127.0.0.1:{served.port}/events/{event.id}") as answer:
        page = await answer.text()
    assert f'href="/api/v1/events/{event.id}/body?seq=1"' in page
    assert "https://example.com/large" in page
    assert "forwarder explain" in page
    explained = await served.get(f"/events/{event.id}/explanation")
    assert "too large to be explained here" in explained["why_not"]
    await served.get(f"/events/{event.id}/body?seq=9", status=404)
    await served.get(f"/events/{event.id}/body?offset=9", status=400)


async def _unread(served: Served, path: str) -> asyncio.StreamWriter:
    """Ask, and take no more than the beginning of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n\r\n".encode())
    assert b" 200 " in await reader.readuntil(b"\r\n")
    return writer


async def _status(served: Served, path: str) -> int:
    async with served.session.head(f"{served.url}{path}") as answer:
        return answer.status


async def _until_not_refused(served: Served, path: str) -> None:
    async with asyncio.timeout(60):
        while await _status(served, path) == 503:  # noqa: ASYNC110 - nothing tells when there is a place again
            await asyncio.sleep(0.01)


async def test_only_so_many_clients_take_a_whole_event_at_the_same_time(large: tuple[Served, Event]) -> None:
    served, event = large
    path = f"/events/{event.id}/body"
    held = [await _unread(served, f"/api/v1{path}") for _ in range(2)]
    assert "too many whole events" in (await served.get(path, status=503))["error"]
    for writer in held:
        writer.transport.abort()
    await _until_not_refused(served, path)


async def test_one_who_takes_no_more_of_it_is_closed(
    large: tuple[Served, Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, event = large
    monkeypatch.setattr(api_history, "_PIECE_WITHIN_S", 0.01)
    path = f"/events/{event.id}/body"
    held = [await _unread(served, f"/api/v1{path}") for _ in range(2)]
    await _until_not_refused(served, path)
    for writer in held:
        writer.close()


async def test_answers_that_nobody_takes_are_bounded(
    large: tuple[Served, Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "MOST_UNSENT_BYTES", 50_000)
    served, event = large
    path = f"/events/{event.id}"
    _, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
    request = f"GET /api/v1{path} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n\r\n"
    writer.write(request.encode() * 200)
    async with asyncio.timeout(120):
        while await _status(served, "/status") != 503:  # noqa: ASYNC110 - nothing tells when no more can be sent
            await asyncio.sleep(0.01)
    assert "waits to be taken" in (await served.get("/status", status=503))["error"]
    async with served.session.get(f"http://127.0.0.1:{served.port}/healthz") as answer:
        assert answer.status != 503
    writer.transport.abort()
    await _until_not_refused(served, "/status")
