"""The real daemon is stopped for longer than any limit of a stream: what was sent meanwhile is delivered, and nothing is misjudged."""

import asyncio
import fcntl
import json
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from forwarder.emulator.faults import DropHow
from forwarder.emulator.receiver import Answer, Receiver
from forwarder.emulator.server import Emulator
from forwarder.emulator.settings import EmulatorSettings
from tests.support import short_limits
from tests.support.crash import Load, until
from tests.support.delivery import bodies, stopped
from tests.support.process import KEY, Forwarder, forwarder, look
from tests.support.streams import numbered

TRANSPORTS = pytest.mark.parametrize("transport", ["websocket", "sse"])


def config_in(folder: Path, emulator: Emulator, receiver: Receiver, transport: str, more: str = "") -> Path:
    path = folder / "config.yaml"
    url = emulator.ws_url if transport == "websocket" else f"{emulator.url}/stream"
    path.write_text(
        f"streams:\n  - {{name: main, transport: {transport}, url: '{url}', api_key: {KEY}, use_fast_x: true{more}}}\n"
        f"outbox: {{url: 'sqlite:outbox.db'}}\n"
        f"destinations:\n  bot: {{url: '{receiver.url}', timeout: 2s}}\nroutes: [{{to: bot}}]\n",
        encoding="utf-8",
    )
    return path


@asynccontextmanager
async def standing_still(daemon: Forwarder, *, seconds: float) -> AsyncIterator[None]:
    """Stop the process for so long; the block is what happens first meanwhile."""
    daemon.send(signal.SIGSTOP)
    began = asyncio.get_running_loop().time()
    yield
    await asyncio.sleep(began + seconds - asyncio.get_running_loop().time())  # the standstill itself
    daemon.send(signal.SIGCONT)


def gaps(folder: Path) -> list[tuple[str, float, float]]:
    """Return of each gap that has ended its reason, its beginning and its length in seconds."""
    rows = look(
        folder / "outbox.db",
        "SELECT reason, began_ms, ended_ms FROM gaps WHERE ended_ms IS NOT NULL ORDER BY id",
    )
    return [(reason, began / 1000, (ended - began) / 1000) for reason, began, ended in rows]


async def has_all(emulator: Emulator) -> None:
    """Return once the kernel of the one client has everything that was sent to it."""
    (connection,) = emulator.connections
    transport = connection.request.transport
    assert transport is not None
    plug = transport.get_extra_info("socket")

    def is_all_there() -> bool:
        (unacknowledged,) = struct.unpack("i", fcntl.ioctl(plug.fileno(), termios.TIOCOUTQ, bytes(4)))
        return not (transport.get_write_buffer_size() or unacknowledged)

    await until(is_all_there, limit_s=60, what="everything that was sent in the client's kernel")


@TRANSPORTS
async def test_what_is_sent_to_a_stopped_process_is_delivered(tmp_path: Path, transport: str) -> None:
    async with Emulator(EmulatorSettings(comment_interval_s=0.5), api_key=KEY) as emulator, Receiver() as receiver:
        config = config_in(tmp_path, emulator, receiver, transport)
        async with forwarder(config, program=(sys.executable, "-m", "tests.support.short_limits")) as daemon:
            await daemon.wait_for("daemon.ready")
            await emulator.wait_connected()
            async with standing_still(daemon, seconds=short_limits.STANDSTILL_S):
                frames = await Load(emulator, rate=1).send(500)
            await receiver.wait_until(lambda it: set(bodies(it)) >= set(frames))
            await daemon.wait_for("daemon.stood_still")
            await emulator.wait_until(lambda emulator: len(emulator.handshakes) >= 2)
            await emulator.wait_until(lambda emulator: len(emulator.connections) == 1)
            await stopped(daemon)
    assert gaps(tmp_path) == []


async def test_the_same_with_the_limits_that_are_active_and_nobody_is_blamed_for_silence(tmp_path: Path) -> None:
    """A server that is as patient as the process is stopped; one that is not may discard what it has not sent yet."""
    async with (
        Emulator(EmulatorSettings(idle_limit_s=120), api_key=KEY) as one,
        Emulator(api_key=KEY) as two,
        Receiver() as receiver,
    ):
        config = config_in(tmp_path, one, receiver, "websocket", ", expect_event_within: 60s")
        more = f"name: more, transport: sse, url: '{two.url}/stream', api_key: {KEY}, expect_event_within: 60s"
        config.write_text(config.read_text().replace("streams:\n", f"streams:\n  - {{{more}}}\n"))
        async with forwarder(config) as daemon:
            await daemon.wait_for("daemon.ready")
            await one.wait_connected()
            await two.wait_connected()
            async with standing_still(daemon, seconds=75):
                frames = await Load(one, rate=1).send(500)
                others = [frame.encode() for frame in numbered(500)]
                for frame in others:
                    await two.send(frame)
            await receiver.wait_until(lambda it: set(bodies(it)) >= {*frames, *others})
            await daemon.wait_for("daemon.stood_still")
            for emulator in (one, two):
                await emulator.wait_until(lambda emulator: len(emulator.handshakes) >= 2)
            assert not [line for line in daemon.lines if line["event"] == "stream.silent"]
            await stopped(daemon)


@TRANSPORTS
@pytest.mark.parametrize("how", [DropHow.CLOSE, DropHow.RESET])
async def test_where_the_server_closed_meanwhile_what_it_had_sent_is_delivered_and_the_standstill_is_a_gap(
    tmp_path: Path, transport: str, how: DropHow
) -> None:
    async with Emulator(EmulatorSettings(comment_interval_s=0.5), api_key=KEY) as emulator, Receiver() as receiver:
        config = config_in(tmp_path, emulator, receiver, transport)
        async with forwarder(config, program=(sys.executable, "-m", "tests.support.short_limits")) as daemon:
            await daemon.wait_for("daemon.ready")
            await emulator.wait_connected()
            await asyncio.sleep(1.1)  # it knows that it runs
            stopped_at = datetime.now(UTC).timestamp()
            async with standing_still(daemon, seconds=short_limits.STANDSTILL_S):
                # A reset discards what is still in the server's own buffers: this fits into those of the daemon.
                frames = await Load(emulator, rate=1).send(40 if how is DropHow.RESET else 300)
                if how is DropHow.RESET:
                    await has_all(emulator)
                await emulator.drop(how)
                await emulator.wait_disconnected()
                await Load(emulator, rate=1).send(100)  # nobody gets these
            await receiver.wait_until(lambda it: set(bodies(it)) >= set(frames))
            await daemon.wait_for("stream.gap")
            await stopped(daemon)
    ((_, began, length_s), *_) = gaps(tmp_path)
    assert began <= stopped_at + 0.1
    assert length_s >= short_limits.STANDSTILL_S - 0.1


async def test_an_answer_that_came_meanwhile_is_no_timeout(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        receiver.respond = lambda _: Answer(delay_s=0.5)
        config = config_in(tmp_path, emulator, receiver, "websocket")
        async with forwarder(config, program=(sys.executable, "-m", "tests.support.short_limits")) as daemon:
            await daemon.wait_for("daemon.ready")
            await emulator.wait_connected()
            frames = await Load(emulator, rate=1).send(8)
            await receiver.wait_until(lambda it: it.received == 8)
            async with standing_still(daemon, seconds=short_limits.STANDSTILL_S):
                await receiver.wait_until(lambda it: it.accepted == 8)
            await daemon.wait_for("daemon.stood_still")
            await Load(emulator, rate=1).send(1)
            await stopped(daemon)
    assert len([body for body in bodies(receiver) if body in frames]) == 8
    assert look(tmp_path / "outbox.db", "SELECT count(*) FROM attempts") == [(0,)]  # but the last of each


@TRANSPORTS
@pytest.mark.parametrize("how", ["stop", "rename"])
async def test_what_came_meanwhile_and_was_not_read_before_the_stream_was_closed_is_in_the_gap(
    tmp_path: Path, transport: str, how: str
) -> None:
    async with Emulator(EmulatorSettings(comment_interval_s=0.5), api_key=KEY) as emulator, Receiver() as receiver:
        config = config_in(tmp_path, emulator, receiver, transport)
        async with forwarder(config, program=(sys.executable, "-m", "tests.support.short_limits")) as daemon:
            await daemon.wait_for("daemon.ready")
            await emulator.wait_connected()
            async with standing_still(daemon, seconds=short_limits.STANDSTILL_S):
                sent_at = datetime.now(UTC).timestamp()
                frames = await Load(emulator, rate=1).send(3_000)
                if how == "rename":
                    config.write_text(config.read_text().replace("name: main", "name: renamed"))
                    daemon.send(signal.SIGHUP)
                else:
                    daemon.send(signal.SIGTERM)
            if how == "rename":
                await daemon.wait_for("reload.done")
                await daemon.wait_for("stream.connected", count=2)
                await stopped(daemon)
            assert await daemon.ended() == 0
    kept = {mid for (mid,) in look(tmp_path / "outbox.db", "SELECT mid FROM events")}
    lost = [frame for frame in frames if json.loads(frame)["mid"] not in kept]
    beginnings = [began / 1000 for (began,) in look(tmp_path / "outbox.db", "SELECT began_ms FROM gaps ORDER BY id")]
    assert not lost or beginnings[0] <= sent_at, f"{len(lost)} are lost, and the first gap begins after they were sent"
