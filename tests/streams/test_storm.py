"""No server is stormed: one that takes connections and ends them sees eight in any minute at most, whatever way it ends them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from forwarder.emulator.connection import reset_on_close
from forwarder.streams import supervisor
from forwarder.streams.sse import SseStream
from forwarder.streams.stream import Stream
from forwarder.streams.websocket import WebSocketStream
from tests.support.crash import amount, say
from tests.support.frames import Peer, close, frame
from tests.support.hurry import run_hurried
from tests.support.raw import serving
from tests.support.streams import Notes, supervised

TIMES = amount("FORWARDER_STORM_TIMES", 10)
"""How much faster than real time goes; 1 takes the two minutes that it says."""
MINUTE_S = 60.0
MOST = 8

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def fin(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Close, and that is all."""


async def rst(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    plug = writer.get_extra_info("socket")
    reset_on_close(plug)
    writer.transport.abort()


async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    while await reader.read(1024):
        pass


def answers(said: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()

    return serve


def opens(said: bytes = b"") -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, await reader.readuntil(b"\r\n\r\n"))
        await peer.open()
        await peer.say(said)

    return serve


def status(code: int) -> bytes:
    return b"HTTP/1.1 %d Any\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n" % code


_TOKEN = b'{"token":"some","expiresIn":3600}'
TOKEN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_TOKEN) + _TOKEN
EVENT = frame(b'{"mid":"1","sid":"1","source":"x","timestamp":1,"payload":{}}')
SERVERS: dict[str, Serve] = {
    "TCP FIN": fin,
    "TCP RST": rst,
    "TCP hangs": hang,
    "FIN for a request": answers(b""),
    "half an answer": answers(b"HTTP/1.1 101 Swi"),
    "not HTTP": answers(b"SSH-2.0-OpenSSH_9.2\r\n"),
    **{f"HTTP {code}": answers(status(code)) for code in (101, 200, 302, 401, 429, 503)},
    "101 and FIN": opens(),
    "101, an event and FIN": opens(EVENT),
    "101 and a frame too long": opens(frame(b"", declared=1 << 40)),
    "101, an event and a frame too long": opens(EVENT + frame(b"", declared=1 << 40)),
    "101 and a broken frame": opens(b"\x83\x00"),
    **{f"101 and close {code}": opens(close(code)) for code in (None, 1000, 1001, 1008, 1011, 1012, 4000, 4409)},
    **{f"101, an event and close {code}": opens(EVENT + close(code)) for code in (None, 1000, 1001, 1008, 1012, 4409)},
}


def streams(said: bytes, *, token: bytes = TOKEN) -> Serve:
    """Answer requests for a token with that, and the request for the stream, on whichever connection, with these bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (await reader.readuntil(b"\r\n\r\n")).startswith(b"POST"):
            writer.write(token)
            await writer.drain()
            if not token:
                return
        writer.write(said)
        await writer.drain()

    return serve


def takes_no_id(said: bytes) -> Serve:
    """Open the stream with an event that has an id, and say this to whoever sends the id back."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await reader.readuntil(b"\r\n\r\n")).startswith(b"POST"):
            writer.write(TOKEN)
            await writer.drain()
        writer.write(said if b"last-event-id:" in request.lower() else SSE + b"id: one\ndata: {}\n\n")
        await writer.drain()

    return serve


SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
SSE_SERVERS: dict[str, Serve] = {
    "SSE: FIN for the token": streams(b"", token=b""),
    "SSE: 503 for the token": streams(b"", token=status(503)),
    "SSE: FIN for the stream": streams(b""),
    **{f"SSE: HTTP {code}": streams(status(code)) for code in (200, 204, 302, 401, 429, 503)},
    "SSE: 200 and FIN": streams(SSE),
    "SSE: half an event and FIN": streams(SSE + b"data: {"),
    "SSE: retry at once, and FIN": streams(SSE + b"retry: 0\n\n"),
    "SSE: an event and FIN": streams(SSE + b"data: {}\n\n"),
    "SSE: FIN for an id": takes_no_id(b""),
    **{f"SSE: HTTP {code} for an id": takes_no_id(status(code)) for code in (401, 403, 500, 503)},
    "SSE: a line too long": streams(SSE + b"data: " + b"x" * (17 << 20)),
}


ASKS_TO_STAY_AWAY = "SSE: HTTP 204"


def stream_to(port: int, name: str) -> Stream:
    if name in SSE_SERVERS:
        return SseStream(name="main", url=f"http://127.0.0.1:{port}/stream", api_key="key")
    return WebSocketStream(name="main", url=f"ws://127.0.0.1:{port}/ws", api_key="key")


async def connections_in_two_minutes(name: str, serve: Serve) -> list[float]:
    """Return when each connection came, in seconds after the first; the client's chance is that it never waits of itself."""
    came: list[float] = []
    now = asyncio.get_running_loop().time

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(now())
        await serve(reader, writer)

    async with serving(count) as port:
        async with supervised(stream_to(port, name), Notes(), chance=lambda: 0.0):
            await asyncio.sleep(2 * MINUTE_S)
    return [at - came[0] for at in came]


def most_in_a_minute(came: list[float]) -> int:
    return max(sum(begin <= at < begin + MINUTE_S for at in came) for begin in came)


async def storm() -> dict[str, list[float]]:
    servers = SERVERS | SSE_SERVERS
    counted = await asyncio.gather(*map(connections_in_two_minutes, servers, servers.values()))
    return dict(zip(servers, counted, strict=True))


@pytest.mark.quiet
def test_a_server_that_takes_and_ends_connections_sees_eight_in_a_minute_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for connect in ("_SHORT_CONNECT", "_LONG_CONNECT"):  # which a slow machine would miss in a hurry
        monkeypatch.setattr(supervisor, connect, timedelta(minutes=1))
    counted = run_hurried(storm(), times=TIMES, patch=monkeypatch)
    most = {name: most_in_a_minute(came) for name, came in counted.items()}
    say("\n".join(f"{count:3} {name}" for name, count in most.items()))
    assert {name: count for name, count in most.items() if count > MOST} == {}
    assert {name for name, came in counted.items() if len(came) < 2} == {
        ASKS_TO_STAY_AWAY
    }  # to the others it does come back
