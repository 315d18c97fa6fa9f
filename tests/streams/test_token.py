"""The token of an event stream: when it is requested, kept and replaced."""

import asyncio

import pytest
from aiohttp import web

from forwarder.emulator.server import Emulator
from forwarder.emulator.settings import EmulatorSettings
from forwarder.streams import overlap, renewal
from forwarder.streams.faults import FaultKind
from forwarder.streams.sse import SseStream
from forwarder.streams.websocket import WebSocketStream
from tests.support.event_streams import SHORT, Answer, events, hold, server, stream_to, token
from tests.support.raw import serving
from tests.support.streams import Notes, hold_once, numbered, supervised


async def test_every_request_has_the_url_of_the_stream_as_it_is_written() -> None:
    lines: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append((await reader.readuntil(b"\r\n\r\n")).partition(b" HTTP/1.1")[0])
        body = b'{"token": "t/1", "expiresIn": 60}' if lines[-1].startswith(b"POST") else b""
        writer.write(
            b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (200 if body else 500, len(body))
        )
        writer.write(body)

    async with serving(note) as port:
        where = f"127.0.0.1:{port}/%3As%2F/stream?sig=a%2Fb&z=%3A%40"
        await hold_once(SseStream(name="main", url=f"http://{where}", api_key="key", use_fast_x=True))
        await hold_once(WebSocketStream(name="main", url=f"ws://{where}", api_key="key", ignore_full_payload=True))
        await hold_once(WebSocketStream(name="main", url=f"ws://{where}", api_key="key"))
    assert lines == [
        b"POST /%3As%2F/stream/token",
        b"GET /%3As%2F/stream?sig=a%2Fb&z=%3A%40&useFastX=true&token=t%2F1",
        b"GET /%3As%2F/stream?sig=a%2Fb&z=%3A%40&ignoreFullPayload=true",
        b"GET /%3As%2F/stream?sig=a%2Fb&z=%3A%40",
    ]


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("ignore", [True, False])
async def test_the_token_is_minted_with_the_key_and_the_stream_opened_with_the_token(fast: bool, ignore: bool) -> None:
    notes = Notes()
    async with Emulator() as emulator:
        stream = stream_to(emulator, use_fast_x=fast, ignore_full_payload=ignore)
        async with supervised(stream, notes):
            await emulator.wait_connected()
            frames = [frame.encode() for frame in numbered(20)]
            for frame in frames:
                await emulator.send(frame)
            if not ignore:
                await notes.until(lambda notes: notes.frames == frames)
    (shake,) = emulator.handshakes
    assert "x-api-key" not in shake.headers
    assert shake.headers["Accept"] == "text/event-stream"
    expected = ({"useFastX": "true"} if fast else {}) | ({"ignoreFullPayload": "true"} if ignore else {})
    assert {name: value for name, value in shake.query.items() if name != "token"} == expected
    assert emulator.stats.tokens == 1


async def test_a_token_is_used_until_it_ends_and_the_stream_is_renewed_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "LEAST_AGE_S", 0.1)
    monkeypatch.setattr(overlap, "OVERLAP", SHORT)
    monkeypatch.setattr("forwarder.streams.token._MARGIN_S", 0.1)
    notes = Notes()
    async with Emulator(EmulatorSettings(token_ttl_s=2)) as emulator, supervised(stream_to(emulator), notes):
        await emulator.wait_connected()
        await emulator.drop()  # a cut costs no token
        await emulator.wait_until(lambda emulator: len(emulator.handshakes) == 2)
        await emulator.wait_connected()
        assert emulator.stats.tokens == 1
        await emulator.wait_until(lambda emulator: len(emulator.handshakes) == 3)
        await emulator.wait_until(lambda emulator: len(emulator.connections) == 1)
        assert emulator.stats.tokens == 2
    assert len(notes.away) == 1  # the cut


async def test_a_token_that_is_refused_is_minted_again_at_once() -> None:
    notes = Notes()
    async with Emulator() as emulator, supervised(stream_to(emulator), notes):
        await emulator.wait_connected()
        emulator.expire_token()
        await emulator.drop()
        await emulator.wait_until(lambda emulator: emulator.stats.tokens == 2)
        await emulator.wait_connected()
        await notes.until(lambda notes: notes.state.connections == 2)
        assert notes.state.ends == {"closed": 1}


async def test_a_stream_that_refuses_a_fresh_token_too_is_a_matter_of_the_key() -> None:
    async with server(lambda _request: web.Response(status=401, text="Unauthorized")) as made:
        taken = await hold(made.stream)
    assert taken.fault.kind is FaultKind.KEY_REFUSED
    assert [request.path for request in made.asked] == ["/stream/token", "/stream"] * 2


@pytest.mark.parametrize(
    ("answer", "kind", "at_least_s"),
    [
        (lambda _request: web.Response(status=401), FaultKind.KEY_REFUSED, 0),
        (lambda _request: web.Response(status=403), FaultKind.KEY_REFUSED, 0),
        (lambda _request: web.json_response({"error": "x", "retry_after": 90}, status=429), FaultKind.BUSY, 90),
        (lambda _request: web.Response(status=429, headers={"Retry-After": "77"}), FaultKind.BUSY, 77),
        (lambda _request: web.Response(status=500, text="{"), FaultKind.BUSY, 30),
        (lambda _request: web.Response(status=404), FaultKind.NO_UPGRADE, 30),
        (lambda _request: web.Response(status=200, text="<html>"), FaultKind.NO_UPGRADE, 30),
        (lambda _request: web.Response(status=200, body=b"\xff" * 300_000), FaultKind.NO_UPGRADE, 30),
        (lambda _request: web.Response(text="[" * 100_000), FaultKind.NO_UPGRADE, 30),
        (token(None), FaultKind.NO_UPGRADE, 30),
        (token(""), FaultKind.NO_UPGRADE, 30),
        (token("two words\n"), FaultKind.NO_UPGRADE, 30),
        (token("t" * 5000), FaultKind.NO_UPGRADE, 30),
        (token(lasts=0), FaultKind.NO_UPGRADE, 30),
        (token(lasts=True), FaultKind.NO_UPGRADE, 30),
        (token(lasts="3600"), FaultKind.NO_UPGRADE, 30),
        (token(lasts=1e300), FaultKind.NO_UPGRADE, 30),
    ],
)
async def test_a_token_that_is_not_given_is_a_fault_with_its_own_pace(
    answer: Answer, kind: FaultKind, at_least_s: float
) -> None:
    async with server(events(b""), answer) as made:
        taken = await hold(made.stream)
    assert taken.fault.kind is kind
    assert taken.fault.minimum_wait.total_seconds() >= at_least_s
    assert [request.path for request in made.asked] == ["/stream/token"]
    assert not taken.was_open
