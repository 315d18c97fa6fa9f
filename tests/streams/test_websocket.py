"""One connection against the emulator and against servers that behave badly."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from time import monotonic

import pytest

from forwarder.core.event import NotAnEvent
from forwarder.emulator.server import Emulator
from forwarder.emulator.settings import EmulatorSettings
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.probe import try_once
from forwarder.streams.websocket import _QUIET_S, WebSocketStream, _Reading
from tests.support.streams import FakeListener


class Held:
    """A connection held in the background, and what came over it."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.odd: list[NotAnEvent] = []
        self.opened = asyncio.Event()
        self.last = asyncio.Event()
        self.fault: asyncio.Future[StreamFaultError] = asyncio.get_running_loop().create_future()

    async def take(self, frame: bytes) -> None:
        self.frames.append(frame)
        if frame == b"last":
            self.last.set()


@asynccontextmanager
async def held(stream: WebSocketStream) -> AsyncIterator[Held]:
    seen = Held()

    async def hold() -> None:
        try:
            hearer = FakeListener(take=seen.take, on_open=seen.opened.set, on_odd_frame=seen.odd.append)
            seen.fault.set_result(await stream.hold(hearer))
        except StreamFaultError as fault:
            seen.fault.set_result(fault)

    async with asyncio.TaskGroup() as group:
        holding = group.create_task(hold())
        yield seen
        holding.cancel()


def stream_to(emulator: Emulator, key: str = "test-key") -> WebSocketStream:
    return WebSocketStream(name="main", url=emulator.ws_url, api_key=key)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("ignore", [True, False])
async def test_the_upgrade_carries_the_key_and_the_options_as_the_text_true(fast: bool, ignore: bool) -> None:
    async with Emulator() as emulator:
        stream = replace(stream_to(emulator), use_fast_x=fast, ignore_full_payload=ignore)
        async with held(stream):
            await emulator.wait_connected()
    (handshake,) = emulator.handshakes
    assert handshake.headers["x-api-key"] == "test-key"
    expected = ({"useFastX": "true"} if fast else {}) | ({"ignoreFullPayload": "true"} if ignore else {})
    assert dict(handshake.query) == expected


@pytest.mark.parametrize("text_pong", [True, False])
async def test_it_sends_the_text_ping_and_takes_either_answer(text_pong: bool) -> None:
    async with Emulator(EmulatorSettings(text_pong=text_pong)) as emulator:
        async with held(replace(stream_to(emulator), ping_every=timedelta(milliseconds=20))) as seen:
            await emulator.wait_until(lambda emulator: emulator.stats.text_pings >= 3)
            assert not seen.fault.done()
    assert set(seen.frames) <= {b"pong"}


@pytest.mark.alone
async def test_it_answers_pings_so_that_the_server_keeps_it() -> None:
    async with (
        # It answers once nothing has come for 0.05 s, so the pings are further apart.
        Emulator(EmulatorSettings(ping_interval_s=0.2, idle_limit_s=1.2)) as emulator,
        held(stream_to(emulator)) as seen,
    ):
        await emulator.wait_connected()
        await asyncio.sleep(2.4)  # twice the limit of the server
        assert not seen.fault.done()


async def test_a_peer_that_says_nothing_any_more_is_given_up() -> None:
    async with Emulator() as emulator:
        stream = replace(stream_to(emulator), dead_after=timedelta(milliseconds=300), ping_every=timedelta(seconds=9))
        async with held(stream) as seen:
            await emulator.wait_connected()
            emulator.hang(60)
            fault = await seen.fault
    assert (fault.kind, fault.sentence) == (FaultKind.SILENT, "nothing was received for 0.3 s")


async def test_a_frame_that_has_to_wait_for_the_disk_is_no_silence() -> None:
    async with Emulator() as emulator:
        stream = replace(stream_to(emulator), dead_after=timedelta(milliseconds=100), ping_every=timedelta(seconds=9))
        has_room = asyncio.Event()
        taken: list[bytes] = []

        async def take(frame: bytes) -> None:
            await has_room.wait()
            taken.append(frame)

        holding = asyncio.ensure_future(stream.hold(FakeListener(take=take)))
        await emulator.wait_connected()
        await emulator.send("one")
        await emulator.send("two")
        await asyncio.sleep(0.4)  # four times as long as a silence may last
        assert not holding.done()
        has_room.set()
        fault = await holding  # by the silence that follows
    assert taken == [b"one", b"two"]
    assert fault.kind is FaultKind.SILENT


async def test_a_close_frame_without_a_code_that_leaves_tcp_open_costs_no_10_seconds() -> None:
    async with Emulator() as emulator, held(stream_to(emulator)) as seen:
        await emulator.wait_connected()
        await emulator.send('{"not": "an event"}')
        began = monotonic()
        await emulator.drop("close_frame")
        async with asyncio.timeout(90):
            fault = await seen.fault
        assert monotonic() - began < 5
    assert fault.kind is FaultKind.CLOSED
    assert "without a close code" in fault.sentence


@pytest.mark.parametrize("code", [1008, 4001, 4401, 4403])
async def test_close_codes_that_mean_the_key_are_reported_as_such(code: int) -> None:
    async with Emulator() as emulator, held(stream_to(emulator)) as seen:
        await emulator.wait_connected()
        await emulator.drop("close", code)
        assert (await seen.fault).kind is FaultKind.KEY_REFUSED


async def test_a_reset_is_a_network_fault_and_no_exception() -> None:
    async with Emulator() as emulator, held(stream_to(emulator)) as seen:
        await emulator.wait_connected()
        await emulator.send("x")
        await emulator.drop("reset")
        assert (await seen.fault).kind in {FaultKind.CLOSED, FaultKind.NETWORK}


@pytest.mark.parametrize(
    ("status", "retry_after", "kind", "at_least"),
    [
        (401, None, FaultKind.KEY_REFUSED, 0),
        (403, None, FaultKind.KEY_REFUSED, 0),
        (429, 120, FaultKind.BUSY, 120),
        (503, None, FaultKind.BUSY, 30),
        (404, None, FaultKind.NO_UPGRADE, 30),
        (None, None, FaultKind.NETWORK, 0),
    ],
)
async def test_a_refused_handshake_has_a_kind_and_a_pace(
    status: int | None, retry_after: int | None, kind: FaultKind, at_least: float
) -> None:
    async with Emulator() as emulator:
        emulator.refuse(status, retry_after=retry_after)
        fault = await try_once(stream_to(emulator))
    assert fault is not None
    assert fault.kind is kind
    assert fault.minimum_wait.total_seconds() >= at_least


async def test_a_binary_frame_is_odd_and_the_next_one_is_taken() -> None:
    async with Emulator() as emulator, held(stream_to(emulator)) as seen:
        await emulator.wait_connected()
        await emulator.garbage()
        await emulator.send("last")
        async with asyncio.timeout(90):
            await seen.last.wait()
    assert seen.odd == [NotAnEvent.BINARY]


async def test_a_look_that_ends_with_a_standstill_reads_first_and_does_not_take_it_for_quiet() -> None:
    """What would be written then is answered with a reset by a peer that closed meanwhile, and what it had sent is lost."""
    ours, peer = socket.socketpair()
    bell, ringer = socket.socketpair()
    reading = _Reading()

    class StandsStill(asyncio.Protocol):
        """Is called while the loop polls: as after SIGCONT, timers come first then."""

        def data_received(self, data: bytes) -> None:  # noqa: ARG002 - it only has to come
            peer.send(b"sent meanwhile\n")
            time.sleep(2 * _QUIET_S)

    reader, writer = await asyncio.open_unix_connection(sock=ours)
    ringing, _ = await asyncio.get_running_loop().create_unix_connection(StandsStill, sock=bell)

    async def read() -> None:
        while not reader.at_eof():
            reading.is_waiting = True
            await reader.readline()
            reading.is_waiting = False
            reading.messages += 1

    with peer, ringer:
        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            quiet = group.create_task(reading.quiet())
            await asyncio.sleep(0)  # it looks now
            ringer.send(b"now")
            await quiet
            read_before = reading.messages
            peer.shutdown(socket.SHUT_WR)
    writer.close()
    ringing.close()
    assert read_before == 1
