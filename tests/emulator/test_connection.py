"""One client of the emulator: which events it gets, in which shape, and how its connection ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest

from forwarder.emulator.connection import Envelope, SseConnection
from forwarder.emulator.faults import DropHow
from forwarder.emulator.server import Emulator
from tests.support.packaged import first_of

FAST, FULL, TELEGRAM, DISCORD = map(first_of, ("fast-x", "x", "telegram", "discord"))
KEY = {"x-api-key": "test-key"}


@asynccontextmanager
async def websocket(query: str = "") -> AsyncIterator[tuple[Emulator, aiohttp.ClientWebSocketResponse]]:
    async with Emulator() as emulator, aiohttp.ClientSession() as session:
        async with session.ws_connect(emulator.ws_url + query, headers=KEY, autoclose=False, autoping=False) as socket:
            await emulator.wait_connected()
            yield emulator, socket


@asynccontextmanager
async def event_stream(
    *, public: bool = False, query: str = ""
) -> AsyncIterator[tuple[Emulator, aiohttp.StreamReader]]:
    async with Emulator() as emulator, aiohttp.ClientSession() as session:
        token = ""
        if not public:
            async with session.post(f"{emulator.url}/stream/token", headers=KEY) as answer:
                token = f"token={(await answer.json())['token']}&"
        async with session.get(f"{emulator.url}/stream?{token}{query}") as stream:
            await emulator.wait_connected()
            yield emulator, stream.content


def envelope(source: str) -> Envelope:
    return Envelope(source=source, payload=msgspec.Raw(b"{}"))


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", {"x", "telegram"}),
        ("?useFastX=true", {"fast-x", "x", "telegram"}),
        ("?ignoreFullPayload=true", {"telegram"}),
        ("?useFastX=true&ignoreFullPayload=true", {"fast-x", "telegram"}),
    ],
)
async def test_the_query_decides_which_sources_are_wanted(query: str, wanted: set[str]) -> None:
    async with websocket(query) as (emulator, _):
        (connection,) = emulator.connections
        assert {source for source in ("fast-x", "x", "telegram") if connection.wants(envelope(source))} == wanted
        assert connection.wants(None)  # what is no event goes to everybody


async def test_the_public_stream_shows_some_sources_and_the_beginning_of_each_event() -> None:
    async with event_stream(public=True, query="useFastX=true") as (emulator, content):
        (connection,) = emulator.connections
        shown = {
            source for source in ("fast-x", "x", "telegram", "discord", "rss") if connection.wants(envelope(source))
        }
        assert shown == {"fast-x", "telegram", "discord"}
        assert await emulator.send(FULL) == 0
        assert await emulator.send(DISCORD) == 1
        line = json.loads((await content.readuntil(b"\n\n")).removeprefix(b"data: "))
        assert line["source"] == "discord"
        assert line["payload"].endswith("...")
        assert len(line["payload"]) == 103


async def test_each_connection_has_a_number_of_its_own_and_counts_what_it_was_sent() -> None:
    async with Emulator() as emulator, aiohttp.ClientSession() as session:
        async with session.ws_connect(emulator.ws_url, headers=KEY), session.ws_connect(emulator.ws_url, headers=KEY):
            await emulator.wait_connected(2)
            one, two = emulator.connections
            assert one.number != two.number
            await emulator.send(TELEGRAM)
            await emulator.send(FAST)
            assert (one.sent, two.sent) == (1, 1)


async def test_a_connection_that_hangs_is_sent_nothing() -> None:
    async with websocket() as (emulator, socket):
        (connection,) = emulator.connections
        before = connection.hangs
        emulator.hang(600)
        assert (before, connection.hangs) == (False, True)
        assert await emulator.send(TELEGRAM) == 0
        emulator.clear()
        assert await emulator.send(FULL) == 1
        assert (await socket.receive_str()).encode() == FULL


async def test_what_breaks_a_line_is_one_event_in_an_event_stream() -> None:
    async with event_stream() as (emulator, content):
        await emulator.send(b'{"a":\n1}')
        assert await content.readuntil(b"\n\n") == b'data: {"a":\ndata: 1}\n\n'


async def test_an_event_stream_is_kept_alive_by_a_comment_unless_it_hangs() -> None:
    async with event_stream() as (emulator, content):
        (connection,) = emulator.connections
        assert isinstance(connection, SseConnection)
        connection.hangs_until = float("inf")
        await connection.keep_alive()
        connection.hangs_until = 0.0
        await emulator.send(TELEGRAM)
        await connection.keep_alive()
        assert await content.readuntil(b"\n\n") == b"data: " + TELEGRAM + b"\n\n"
        assert await content.readuntil(b"\n\n") == b":\n\n"


@pytest.mark.parametrize(
    ("how", "code", "kind", "said"),
    [
        (DropHow.CLOSE, 4409, aiohttp.WSMsgType.CLOSE, 4409),
        (DropHow.CLOSE, None, aiohttp.WSMsgType.CLOSE, 0),
        (DropHow.CLOSE_FRAME, None, aiohttp.WSMsgType.CLOSE, 0),
        (DropHow.RESET, None, aiohttp.WSMsgType.CLOSED, None),
    ],
)
async def test_a_websocket_ends_as_it_is_asked_to(
    how: DropHow, code: int | None, kind: aiohttp.WSMsgType, said: int | None
) -> None:
    async with websocket() as (emulator, socket):
        ending = asyncio.ensure_future(emulator.drop(how, code))
        message = await socket.receive()
        assert message.type in {kind, aiohttp.WSMsgType.ERROR} if how is DropHow.RESET else message.type is kind
        assert message.data == said or how is DropHow.RESET
        await socket.close()
        assert await ending == 1
        await emulator.wait_disconnected()


@pytest.mark.parametrize("how", [DropHow.CLOSE, DropHow.RESET])
async def test_an_event_stream_ends_or_is_reset(how: DropHow) -> None:
    async with event_stream() as (emulator, content):
        await emulator.drop(how)
        if how is DropHow.CLOSE:
            assert await content.read() == b""
        else:
            with pytest.raises(aiohttp.ClientError):
                await content.read()
        await emulator.wait_disconnected()


async def test_a_client_that_has_gone_is_sent_nothing_and_nothing_is_raised() -> None:
    async with websocket() as (emulator, _):
        (connection,) = emulator.connections
        await emulator.drop()
        await emulator.wait_disconnected()
        assert not await connection.send(TELEGRAM, None)
        assert connection.sent == 0
