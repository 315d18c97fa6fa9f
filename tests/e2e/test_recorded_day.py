"""Yesterday's stream for today's bot: the history is served as a stream, or replayed to a destination, with its spacing."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from forwarder.clocks.wall_clock import utc_now
from forwarder.core.event import decode_event
from forwarder.emulator.receiver import Receiver
from forwarder.outbox.open import open_outbox
from tests.support.delivery import ok
from tests.support.outbox import EVENTS, attempt, keep
from tests.support.process import command, forwarder, write_config

SECONDS = (0, 4, 12)


async def record(path: Path) -> None:
    """Fill an outbox with a few events of an hour ago."""
    began = utc_now() - timedelta(hours=1)
    async with open_outbox(path) as outbox:
        for number, second in enumerate(SECONDS):
            outbox.complete(keep(outbox, number, at=began + timedelta(seconds=second)), attempt(200))


@asynccontextmanager
async def emulated(*options: str) -> AsyncIterator[str]:
    """Run `forwarder emulate` for the length of the block; yield the URL of its WebSocket."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "forwarder", "emulate", "--port", "0", "--key", "test-key", "--json", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            yield json.loads(await process.stdout.readline())["ws_url"]
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@pytest.mark.parametrize("options", [(), ("--same-ids",)], ids=["fresh", "same ids"])
async def test_a_recorded_day_is_served_as_a_stream(tmp_path: Path, options: tuple[str, ...]) -> None:
    old = tmp_path / "old.db"
    await record(old)
    async with emulated("--from", str(old), "--speed", "8x", *options) as url, Receiver() as receiver:
        config = write_config(tmp_path, stream=url, destinations={"bot": receiver.url}, key="test-key")
        async with forwarder(config):
            await receiver.wait_for(3)
        times = [request.at for request in receiver.requests]
        events = [decode_event(request.body) for request in receiver.requests]
    assert [json.loads(event.body)["replayed"] for event in events] == [True] * 3
    recorded = [event.id for event in EVENTS[:3]]
    assert ([event.id for event in events] == recorded) is bool(options)
    assert set(recorded).isdisjoint(event.id for event in events) is not bool(options)
    assert [event.source for event in events] == [event.source for event in EVENTS[:3]]
    assert times[2] - times[0] > 1.0  # 1.5 s, less what the first one may have been late


async def test_a_replay_keeps_the_times_between_the_events(tmp_path: Path) -> None:
    await record(tmp_path / "outbox.db")
    async with Receiver() as bot, Receiver() as other:
        config = write_config(tmp_path, stream="ws://127.0.0.1:9/ws", destinations={"bot": bot.url, "other": other.url})
        began = monotonic()
        async with forwarder(config) as daemon:
            await daemon.wait_for("daemon.ready")
            await ok(config, "replay", "--since", "2020-01-01", "--to", "other", "--speed", "8x", "--wait")
            times = [request.at - began for request in other.requests]
            assert [request.headers["x-forwarder-trigger"] for request in other.requests] == ["replay"] * 3
            assert all(at >= second / 8 for at, second in zip(times, SECONDS, strict=True))
            await ok(config, "replay", "--since", "2020-01-01", "--to", "bot", "--speed", "max", "--wait")
            assert len(bot.requests) == 3


async def test_the_help_says_what_a_speed_is() -> None:
    for name in ("replay", "emulate"):
        code, out, _ = await command(name, "--help")
        assert code == 0
        assert re.search(r"60x\s+makes\s+a\s+minute\s+of\s+an\s+hour", out)
