"""The loop stands still for longer than any limit of a connection: what came meanwhile is read, and only then is it judged."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.emulator.connection import reset_on_close
from forwarder.emulator.faults import DropHow
from forwarder.emulator.server import Emulator
from forwarder.emulator.settings import EmulatorSettings
from forwarder.streams import overlap, suspend_detector
from forwarder.streams import pulse as pulses
from forwarder.streams.pulse import Pulse
from forwarder.streams.sse import SseStream
from forwarder.streams.stream import Stream
from forwarder.streams.websocket import WebSocketStream
from tests.support.raw import serving
from tests.support.streams import FakeListener, Notes, hold_once, numbered, supervised
from tests.support.threaded import threaded_server

DEAD_AFTER = timedelta(seconds=0.4)


STANDSTILL_S = 1.2


def websocket(emulator: Emulator) -> Stream:
    return WebSocketStream(
        name="main", url=emulator.ws_url, api_key="test-key", dead_after=DEAD_AFTER, ping_every=timedelta(seconds=0.2)
    )


def private_sse(emulator: Emulator) -> Stream:
    return SseStream(name="main", url=f"{emulator.url}/stream", api_key="test-key", dead_after=DEAD_AFTER)


def public_sse(emulator: Emulator) -> Stream:
    return replace(private_sse(emulator), api_key=None)  # type: ignore[type-var] # it is a dataclass


KINDS = pytest.mark.parametrize("stream_to", [websocket, private_sse, public_sse])


@pytest.fixture
def pulse(monkeypatch: pytest.MonkeyPatch) -> Pulse:
    """Half a second is a standstill."""
    monkeypatch.setattr(pulses, "_LATE_S", -0.5)
    monkeypatch.setattr(suspend_detector, "_LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(suspend_detector, "STANDSTILL_S", 0.5)
    monkeypatch.setattr(overlap, "OVERLAP", timedelta(milliseconds=200))
    return Pulse()


def stand_still() -> None:
    time.sleep(STANDSTILL_S)


@pytest.mark.parametrize("path", ["ws", "stream"])
@pytest.mark.parametrize("how", [None, DropHow.CLOSE, DropHow.RESET])
async def test_what_came_during_a_standstill_is_read_to_its_end(path: str, how: DropHow | None) -> None:
    frames = [frame.encode() for frame in numbered(500)]
    got: list[bytes] = []
    opened, all_there = asyncio.Event(), asyncio.Event()

    async def take(frame: bytes) -> None:
        got.append(frame)
        if len(got) == len(frames):
            all_there.set()

    with threaded_server(frames, how) as server:
        if path == "ws":
            url, ping_every = f"ws://{server.address}/ws", timedelta(seconds=0.2)
            stream: Stream = WebSocketStream(
                name="main", url=url, api_key="test-key", dead_after=DEAD_AFTER, ping_every=ping_every
            )
        else:
            url = f"http://{server.address}/stream"
            stream = SseStream(name="main", url=url, api_key=None, dead_after=DEAD_AFTER)
        holding = asyncio.ensure_future(hold_once(stream, FakeListener(take=take, on_open=opened.set)))
        await opened.wait()
        server.go.set()
        stand_still()
        assert server.done.is_set()
        async with asyncio.timeout(5):
            await asyncio.wait([asyncio.ensure_future(all_there.wait()), holding], return_when="FIRST_COMPLETED")
        holding.cancel()
        await asyncio.wait([holding])
    assert got == frames


async def test_what_an_event_stream_brought_before_it_broke_off_is_read() -> None:
    """Also where nothing stood still: what had come in was dropped with the error."""
    events = b"".join(b"data: %d\n\n" % number for number in range(200))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head + b"%x\r\n%b\r\n" % (len(events), events))
        await writer.drain()
        plug = writer.get_extra_info("socket")
        reset_on_close(plug)
        writer.transport.abort()

    frames: list[bytes] = []

    async def take(frame: bytes) -> None:
        if not frames:
            stand_still()
        frames.append(frame)

    async with serving(serve) as port:
        stream = SseStream(name="main", url=f"http://127.0.0.1:{port}/stream", api_key=None)
        fault = await hold_once(stream, FakeListener(take=take))
    assert fault.sentence == "the connection broke off"
    assert frames == [b"%d" % number for number in range(200)]


async def beaten(pulse: Pulse, wake: Callable[[str], None], block: Callable[[], Awaitable[None]]) -> None:
    watching = asyncio.ensure_future(suspend_detector.watch_standstill(wake, pulse))
    await asyncio.sleep(0)
    try:
        await block()
    finally:
        watching.cancel()
        await asyncio.wait([watching])


@KINDS
async def test_a_connection_that_lived_through_a_standstill_is_renewed_and_is_no_gap(
    stream_to: Callable[[Emulator], Stream], pulse: Pulse
) -> None:
    notes = Notes()
    async with Emulator(EmulatorSettings(comment_interval_s=0.3)) as emulator:
        stream = stream_to(emulator)
        async with supervised(stream, notes, pulse=pulse) as held:

            async def block() -> None:
                await notes.until(lambda notes: notes.state.is_open)
                stand_still()
                await emulator.wait_until(lambda emulator: len(emulator.handshakes) == 2)
                await notes.until(lambda notes: notes.state.ends == {"renewed": 1})

            await beaten(pulse, held.wake, block)
    assert notes.away == []


@KINDS
@pytest.mark.parametrize("how", [DropHow.CLOSE, DropHow.RESET])
async def test_a_connection_that_ended_during_a_standstill_is_a_gap_of_all_of_it(
    stream_to: Callable[[Emulator], Stream], how: DropHow, pulse: Pulse
) -> None:
    notes = Notes()
    async with Emulator(EmulatorSettings(comment_interval_s=0.3, public_repeats=0)) as emulator:
        stream = replace(stream_to(emulator), use_fast_x=True)  # type: ignore[type-var] # it is a dataclass
        async with supervised(stream, notes, pulse=pulse) as held:

            async def block() -> None:
                await notes.until(lambda notes: notes.state.is_open)
                await asyncio.sleep(0.1)
                for frame in numbered(100, source="fast-x"):
                    await emulator.send(frame)
                await emulator.drop(how)
                stood_at = datetime.now(UTC)
                stand_still()
                await notes.until(lambda notes: len(notes.away) == 1 and len(notes.opened) > 1)
                await notes.until(lambda notes: len(notes.frames) == 100)
                ((began, _, _),) = notes.away
                assert began <= stood_at + timedelta(seconds=0.1)
                assert notes.opened[-1] - began >= timedelta(seconds=STANDSTILL_S - 0.1)

            await beaten(pulse, held.wake, block)


async def test_a_connection_that_is_silent_after_a_standstill_is_a_gap_of_all_of_it(pulse: Pulse) -> None:
    """What was read after it lay in the socket, and is no sign of life."""
    notes = Notes()
    async with Emulator() as emulator:
        stream = replace(websocket(emulator), dead_after=timedelta(seconds=30), answers_within=timedelta(seconds=0.3))  # type: ignore[type-var] # it is a dataclass
        async with supervised(stream, notes, pulse=pulse) as held:

            async def block() -> None:
                await notes.until(lambda notes: notes.state.is_open)
                await asyncio.sleep(0.1)
                for frame in numbered(100):
                    await emulator.send(frame)
                emulator.hang(60)
                stood_at = datetime.now(UTC)
                stand_still()
                await notes.until(lambda notes: notes.state.ends == {"silent": 1})
                assert len(notes.frames) == 100
                ((began, _, _),) = notes.away
                assert began <= stood_at + timedelta(seconds=0.1)

            await beaten(pulse, held.wake, block)
