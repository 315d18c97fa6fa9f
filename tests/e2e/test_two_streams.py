"""Two streams by two paths, of which one is cut every few seconds: nothing is lost, nothing is duplicated."""

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import pytest

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import Load, amount, assert_balanced, say, seeded
from tests.support.delivery import bodies, status, stopped
from tests.support.process import KEY, Forwarder, forwarder
from tests.support.proxy import CutHow, FaultProxy

LASTS_S = amount("FORWARDER_TWO_STREAMS_S", 10)
RATE = 100
_SETTLED_S = 1.0
"""So long a stream must have been back before the other may be cut: what is under way in a path that is cut came by the other."""


def write_config(folder: Path, receiver: Receiver, *streams: str) -> Path:
    named = "".join(f"  - {{{stream}, api_key: {KEY}, use_fast_x: true}}\n" for stream in streams)
    path = folder / "config.yaml"
    path.write_text(
        f"streams:\n{named}outbox: {{url: 'sqlite:outbox.db'}}\n"
        f"destinations:\n  bot: {{url: '{receiver.url}'}}\nroutes: [{{to: bot}}]\n",
        encoding="utf-8",
    )
    return path


async def cut_now_and_then(
    daemon: Forwarder, emulator: Emulator, proxies: list[FaultProxy], chance: random.Random
) -> list[int]:
    """Cut one of the two at random every 2 to 7 s, never both at a time; return how often each was cut."""
    cuts = [0] * len(proxies)
    end = monotonic() + LASTS_S
    while True:
        await asyncio.sleep(chance.uniform(2, 7))
        if monotonic() > end:
            return cuts
        one = chance.randrange(len(proxies))
        assert proxies[one].cut(chance.choice(list(CutHow))) > 0
        cuts[one] += 1
        # A stream has eight connections a minute at most, so this may take longer than a cut usually does.
        await daemon.wait_for("stream.connected", count=len(proxies) + sum(cuts), limit_s=65)
        await emulator.wait_connected(len(proxies))
        await asyncio.sleep(_SETTLED_S)


@pytest.mark.quiet
@pytest.mark.parametrize("kinds", [("websocket", "websocket"), ("websocket", "sse")], ids=" and ".join)
async def test_one_of_two_streams_cut_every_few_seconds_loses_and_duplicates_nothing(
    tmp_path: Path, kinds: tuple[str, str]
) -> None:
    chance = seeded("two streams")
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(api_key=KEY))
        receiver = await stack.enter_async_context(Receiver())
        port = urlsplit(emulator.url).port
        assert port is not None
        proxies = [
            await stack.enter_async_context(FaultProxy(port, delay_s=0.01, jitter_s=0.03, chance=chance)) for _ in kinds
        ]
        streams = [
            f"name: {name}, url: '{address(kind, proxy.port)}'{', transport: sse' * (kind == 'sse')}"
            for name, kind, proxy in zip(("one", "two"), kinds, proxies, strict=True)
        ]
        daemon = await stack.enter_async_context(forwarder(write_config(tmp_path, receiver, *streams)))
        await emulator.wait_connected(2)
        await daemon.wait_for("stream.connected", count=2)
        async with Load(emulator, rate=RATE).flowing():
            cuts = await cut_now_and_then(daemon, emulator, proxies, chance)
        sent = {each.frame for each in emulator.sent}
        assert emulator.stats.skipped == 0
        await receiver.wait_until(lambda receiver: sent <= set(bodies(receiver)), 90, "every event")
        assert sorted(bodies(receiver)) == sorted(sent)
        doubles = (await status(tmp_path / "config.yaml"))["since_start"]["doubles"]
        await assert_balanced(tmp_path / "config.yaml")
        await stopped(daemon)
    gaps = sum(line["event"] == "stream.gap" for line in daemon.lines)
    say(f"{len(sent)} events, {cuts} cuts, {gaps} gaps, {doubles} copies dropped: 0 lost, 0 duplicated")
    assert min(sum(cuts), gaps) >= LASTS_S // 10


def address(kind: str, port: int) -> str:
    return f"ws://127.0.0.1:{port}/ws" if kind == "websocket" else f"http://127.0.0.1:{port}/stream"
