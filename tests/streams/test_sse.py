"""An event stream against the emulator, and against servers that say what they like."""

import asyncio
import gzip
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import web

from forwarder.core.event import NotAnEvent
from forwarder.emulator.server import Emulator
from forwarder.emulator.settings import EmulatorSettings
from forwarder.streams.faults import FaultKind
from forwarder.streams.sse import SseStream
from tests.support.event_streams import SHORT, Answer, events, hold, server, stream_to, token
from tests.support.streams import FakeListener, Notes, numbered, supervised


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


async def test_204_asks_for_a_pause_that_is_followed_for_as_long_as_a_retry_after() -> None:
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
    async with Emulator(EmulatorSettings(comment_interval_s=0.05)) as emulator:
        has_room = asyncio.Event()
        taken: list[bytes] = []

        async def take(frame: bytes) -> None:
            await has_room.wait()
            taken.append(frame)

        stream = stream_to(emulator, dead_after=SHORT)
        holding = asyncio.ensure_future(stream.hold(FakeListener(take=take)))
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


async def test_the_public_stream_needs_no_token() -> None:
    notes = Notes()
    async with Emulator() as emulator, supervised(stream_to(emulator, api_key=None, use_fast_x=True), notes):
        await emulator.wait_connected()
        for frame in numbered(1, source="fast-x"):
            await emulator.send(frame)
        await notes.until(lambda notes: len(notes.frames) == 1)
    assert emulator.stats.tokens == 0
    assert b'"payload":"{' in notes.frames[0]


async def test_the_public_stream_says_whether_it_wants_fast_x() -> None:
    stream = SseStream(name="public", url="https://scrape.st/stream", api_key=None)
    assert str(stream.address()) == "https://scrape.st/stream?useFastX=false"
    assert str(replace(stream, use_fast_x=True).address()) == "https://scrape.st/stream?useFastX=true"


async def test_a_server_that_wants_a_key_is_no_public_stream() -> None:
    async with Emulator() as emulator:
        emulator.refuse(401)
        taken = await hold(stream_to(emulator, api_key=None))
    assert taken.fault.kind is FaultKind.KEY_REFUSED
    assert "does not open this stream without a key" in taken.fault.sentence
