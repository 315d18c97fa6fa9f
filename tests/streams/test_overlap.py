"""An old connection is read to where the next one begins, however much lies in it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.emulator.server import Emulator
from forwarder.streams import connection, overlap
from forwarder.streams.sse import SseStream
from forwarder.streams.stream import Stream
from forwarder.streams.websocket import WebSocketStream
from tests.support.streams import Notes, numbered, supervised


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "OVERLAP", timedelta(milliseconds=200))


def websocket(emulator: Emulator) -> Stream:
    return WebSocketStream(name="main", url=emulator.ws_url, api_key="test-key")


def sse(emulator: Emulator) -> Stream:
    return SseStream(name="main", url=f"{emulator.url}/stream", api_key="test-key")


KINDS = pytest.mark.parametrize("stream_to", [websocket, sse])


class Slow(Notes):
    """Takes one frame after another, as a slow machine does."""

    def __init__(self, pause_s: float = 0.0) -> None:
        super().__init__()
        self.pause_s = pause_s
        self.may_take = asyncio.Event()

    async def take(self, frame: bytes) -> None:
        await self.may_take.wait()
        await asyncio.sleep(self.pause_s)
        await super().take(frame)


async def queued(emulator: Emulator, notes: Slow, count: int) -> list[bytes]:
    """Have so many events lie in the connection, unread."""
    await notes.until(lambda notes: notes.state.is_open)
    frames = [frame.encode() for frame in numbered(count)]
    for frame in frames:
        await emulator.send(frame)
    return frames


@KINDS
@pytest.mark.parametrize("how", ["renewed", "reloaded"])
async def test_what_lies_in_the_old_connection_is_read_although_the_new_one_brings_events_all_the_while(
    stream_to: Callable[[Emulator], Stream], how: str
) -> None:
    notes = Slow(pause_s=0.001)
    async with Emulator() as emulator, supervised(stream_to(emulator), notes) as held:
        frames = await queued(emulator, notes, 1000)
        successor = replace(stream_to(emulator), max_age=timedelta(hours=1))  # type: ignore[type-var] # it is a dataclass
        if how == "renewed":
            held.renew("for this test")
            await emulator.wait_connected(2)
            notes.may_take.set()
            frames += await live(emulator, notes)
        else:
            async with supervised(successor, notes, predecessor=held):
                await emulator.wait_connected(2)
                notes.may_take.set()
                frames += await live(emulator, notes)
    assert set(notes.frames) >= set(frames)
    assert notes.away == []


async def live(emulator: Emulator, notes: Slow) -> list[bytes]:
    """Send events until the old connection has been closed, so often that there is no moment without; return what was sent."""
    sent: list[bytes] = []
    for frame in numbered(3000, first=100_000):
        sent.append(frame.encode())
        await emulator.send(frame)
        await asyncio.sleep(0.02)
        if len(emulator.connections) == 1:
            break
    assert len(emulator.connections) == 1
    await notes.until(lambda notes: sent[-1] in notes.frames)
    return sent


@KINDS
async def test_without_events_the_old_one_is_closed_once_nothing_comes(stream_to: Callable[[Emulator], Stream]) -> None:
    notes = Slow(pause_s=0.001)
    async with Emulator() as emulator, supervised(stream_to(emulator), notes) as held:
        frames = await queued(emulator, notes, 500)
        notes.may_take.set()
        held.renew("for this test")
        await emulator.wait_connected(2)
        await emulator.wait_until(lambda emulator: len(emulator.connections) == 1)
    assert notes.frames == frames
    assert notes.away == []


@KINDS
async def test_what_is_cut_off_at_last_is_a_gap_from_the_last_event(
    stream_to: Callable[[Emulator], Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "READ_OUT_BYTES", 20_000)
    notes = Slow(pause_s=0.001)
    async with Emulator() as emulator, supervised(stream_to(emulator), notes) as held:
        began = datetime.now(UTC)
        await queued(emulator, notes, 3000)
        held.renew("for this test")
        await emulator.wait_connected(2)
        await notes.until(lambda notes: len(notes.opened) == 2)
        opened = datetime.now(UTC)
        notes.may_take.set()
        await notes.until(lambda notes: len(notes.away) == 1 and len(notes.opened) == 3)
        await emulator.wait_until(lambda emulator: len(emulator.connections) == 1)
    ((gap_began, gap_ended, reason),) = notes.away
    assert began - timedelta(seconds=1) <= gap_began < gap_ended <= opened + timedelta(seconds=1)
    assert reason == "the previous connection was closed while it still brought events"
    assert len(notes.frames) < 3000
