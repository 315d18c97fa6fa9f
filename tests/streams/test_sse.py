"""An event stream against the emulator, and against servers that say what they like."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from aiohttp import web

from forwarder.core.event import NotAnEvent
from forwarder.emulator.server import Emulator
from forwarder.streams import supervisor
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.sse import SseStream
from forwarder.streams.trial import try_once
from tests.support.streams import Hearer, Notes, numbered, supervised

SHORT = timedelta(milliseconds=300)


def stream_to(emulator: Emulator, **changes: object) -> SseStream:
    stream = SseStream(name="main", url=f"{emulator.url}/stream", api_key="test-key")
    return replace(stream, **changes)  # type: ignore[arg-type] # the fields' own types


@dataclass
class Server:
    """A server whose two answers a test chooses; it counts and keeps what it is asked."""

    url: str = ""
    asked: list[web.Request] = field(default_factory=list)

    @property
    def stream(self) -> SseStream:
        return SseStream(
            name="main", url=f"{self.url}/stream", api_key="secret-key", dead_after=SHORT, handshake_within=SHORT * 5
        )


Answer = Callable[[web.Request], object]


def token(value: object = "t" * 64, lasts: object = 3600, *, status: int = 200) -> Answer:
    return lambda _request: web.json_response({"token": value, "expiresIn": lasts}, status=status)


def events(*chunks: bytes, headers: dict[str, str] | None = None, ends: bool = True) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **(headers or {})})
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        if not ends:
            await asyncio.sleep(60)
        return response

    return answer


GIVEN = token()


@asynccontextmanager
async def server(of_stream: Answer, of_token: Answer = GIVEN) -> AsyncIterator[Server]:
    made = Server()

    async def answer(request: web.Request, how: Answer) -> web.StreamResponse:
        made.asked.append(request)
        said = how(request)
        if asyncio.iscoroutine(said):
            said = await said
        assert isinstance(said, web.StreamResponse)
        return said

    async def stream(request: web.Request) -> web.StreamResponse:
        return await answer(request, of_stream)

    async def mint(request: web.Request) -> web.StreamResponse:
        return await answer(request, of_token)

    app = web.Application()
    app.router.add_get("/stream", stream)
    app.router.add_post("/stream/token", mint)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{site.port}"
    try:
        yield made
    finally:
        await runner.cleanup()


@dataclass
class Taken:
    fault: StreamFaultError
    frames: list[bytes]
    odd: list[NotAnEvent]
    heard: int
    was_open: bool


async def hold(stream: SseStream) -> Taken:
    frames: list[bytes] = []
    odd: list[NotAnEvent] = []
    opened: list[bool] = []

    async def take(frame: bytes) -> None:
        frames.append(frame)

    hearer = Hearer(take=take, on_odd_frame=odd.append, on_open=lambda: opened.append(True))
    async with asyncio.timeout(90):
        try:
            fault = await stream.hold(hearer)
        except StreamFaultError as never_open:
            fault = never_open
    assert "secret-key" not in fault.sentence
    assert "tttt" not in fault.sentence
    return Taken(fault, frames, odd, hearer.heard_times, bool(opened))


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
    monkeypatch.setattr(supervisor, "_LEAST_AGE_S", 0.1)
    monkeypatch.setattr(supervisor, "OVERLAP", SHORT)
    monkeypatch.setattr("forwarder.streams.token._MARGIN_S", 0.1)
    notes = Notes()
    async with Emulator(token_ttl_s=2) as emulator, supervised(stream_to(emulator), notes):
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


@pytest.mark.parametrize("where", ["token", "stream"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(where: str, status: int) -> None:
    async with server(events(b"data: x\n\n")) as other:
        away: Answer = lambda request: web.Response(  # noqa: E731 - a name for it
            status=status, headers={"Location": f"{other.url}{request.path}"}
        )
        async with server(away if where == "stream" else events(b""), away if where == "token" else token()) as made:
            taken = await hold(made.stream)
    assert taken.fault.kind is FaultKind.REDIRECTED
    assert other.asked == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda _request: web.Response(status=204), FaultKind.NO_UPGRADE),
        (lambda _request: web.Response(text="data: x\n\n", content_type="text/html"), FaultKind.NO_UPGRADE),
        (lambda _request: web.json_response({}), FaultKind.NO_UPGRADE),
        (events(gzip.compress(b"data: x\n\n"), headers={"Content-Encoding": "gzip"}), FaultKind.NO_UPGRADE),
        (lambda _request: web.Response(status=503), FaultKind.BUSY),
        (lambda _request: web.Response(status=404), FaultKind.NO_UPGRADE),
    ],
)
async def test_what_is_no_event_stream_is_refused(answer: Answer, kind: FaultKind) -> None:
    async with server(answer) as made:
        taken = await hold(made.stream)
    assert taken.fault.kind is kind
    assert taken.fault.minimum_wait >= timedelta(seconds=30)
    assert (taken.frames, taken.was_open) == ([], False)


async def test_204_is_a_wish_to_be_left_alone_and_obeyed_for_as_long_as_any_other() -> None:
    async with server(lambda _request: web.Response(status=204)) as made:
        taken = await hold(made.stream)
    assert taken.fault.minimum_wait == timedelta(minutes=5)


async def test_a_stream_without_a_byte_is_dead_and_a_comment_is_life() -> None:
    async with server(events(b":\n\n", b"data: x\n\n", ends=False)) as made:
        taken = await hold(made.stream)
    assert taken.fault.kind is FaultKind.SILENT
    assert taken.frames == [b"x"]
    assert taken.heard >= 1


async def test_what_has_to_wait_for_the_disk_is_no_silence() -> None:
    async with Emulator(comment_interval_s=0.05) as emulator:
        has_room = asyncio.Event()
        taken: list[bytes] = []

        async def take(frame: bytes) -> None:
            await has_room.wait()
            taken.append(frame)

        stream = stream_to(emulator, dead_after=SHORT)
        holding = asyncio.ensure_future(stream.hold(Hearer(take=take)))
        await emulator.wait_connected()
        frames = [frame.encode() for frame in numbered(2)]
        for frame in frames:
            await emulator.send(frame)
        await asyncio.sleep(1)  # three times as long as a silence may last
        assert not holding.done()
        has_room.set()
        emulator.hang(60)
        assert (await holding).kind is FaultKind.SILENT
    assert taken == frames


async def test_events_of_other_types_are_odd_and_several_lines_are_joined() -> None:
    said = b"\xef\xbb\xbfevent: status\ndata: x\n\nid: 9\ndata: {\r\ndata: }\r\n\r\nretry: 2500\n\n"
    async with server(events(said)) as made:
        stream = made.stream
        taken = await hold(stream)
        assert (taken.frames, taken.odd) == ([b"{\n}"], [NotAnEvent.OTHER_TYPE])
        assert taken.fault.kind is FaultKind.CLOSED
        assert taken.fault.minimum_wait == timedelta(milliseconds=2500)
        await hold(stream)
    assert made.asked[-1].headers["Last-Event-ID"] == "9"
    assert [request.path for request in made.asked] == ["/stream/token", "/stream", "/stream"]


@pytest.mark.parametrize("line_end", [b"", b"\n\n"])
async def test_an_event_longer_than_max_frame_ends_the_stream_and_the_ones_before_it_are_there(line_end: bytes) -> None:
    chunks = [b"data: good\n\ndata: ", *[b"x" * 65536] * 32, line_end]
    async with server(events(*chunks)) as made:
        taken = await hold(replace(made.stream, max_frame=1024 * 1024))
        assert taken.fault.kind is FaultKind.TOO_LONG
        assert "max_frame" in taken.fault.sentence
        assert taken.frames == [b"good"]
        taken = await hold(replace(made.stream, max_frame=4 * 1024 * 1024))
        assert len(taken.frames) == (2 if line_end else 1)


async def test_a_reset_in_the_middle_of_an_event_loses_only_that() -> None:
    notes = Notes()
    async with Emulator() as emulator, supervised(stream_to(emulator), notes):
        await emulator.wait_connected()
        await emulator.send("one")
        await notes.until(lambda notes: notes.frames == [b"one"])
        connection = emulator.connections[0]
        assert connection.request.transport is not None
        connection.request.transport.write(b"10\r\ndata: half")
        await emulator.drop()
        await emulator.wait_until(lambda emulator: len(emulator.handshakes) == 2)
        await emulator.wait_connected()
        await emulator.send("two")
        await notes.until(lambda notes: notes.frames == [b"one", b"two"])


async def test_a_handshake_that_hangs_is_given_up() -> None:
    async def never(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError

    for answers in ((never, token()), (events(b""), never)):
        async with server(*answers) as made:
            taken = await hold(made.stream)
        assert taken.fault.kind in {FaultKind.TIMEOUT, FaultKind.NETWORK}
        assert not taken.was_open


async def test_a_check_opens_it_once_and_says_what_is_wrong() -> None:
    async with Emulator() as emulator:
        assert await try_once(stream_to(emulator)) is None
        fault = await try_once(stream_to(emulator, api_key="another"))
    assert fault is not None
    assert fault.kind is FaultKind.KEY_REFUSED


async def test_the_public_stream_needs_no_token() -> None:
    notes = Notes()
    async with Emulator() as emulator, supervised(stream_to(emulator, api_key=None, use_fast_x=True), notes):
        await emulator.wait_connected()
        for frame in numbered(1, source="fast-x"):
            await emulator.send(frame)
        await notes.until(lambda notes: len(notes.frames) == 1)
    assert emulator.stats.tokens == 0
    assert b'"payload":"{' in notes.frames[0]
