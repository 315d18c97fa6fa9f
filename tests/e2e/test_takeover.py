"""One process takes over from another while events flow: nothing is lost, nothing comes twice, whoever dies in between."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import Load, amount, assert_balanced, say
from tests.support.delivery import bodies, configure, stopped
from tests.support.process import KEY, forwarder

TAKEOVERS = amount("FORWARDER_TAKEOVERS", 10)


@asynccontextmanager
async def ends() -> AsyncIterator[tuple[Emulator, Receiver]]:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        yield emulator, receiver


async def assert_each_came_once(emulator: Emulator, receiver: Receiver) -> None:
    """What was sent has arrived, all of it, once. The script sends some events twice, as the stream does."""
    sent = {each.frame for each in emulator.sent}
    with suppress(TimeoutError):  # how many are missing is told below
        await receiver.wait_for(len(sent), timeout=15)
    came = Counter(bodies(receiver))
    lost, twice = sent - came.keys(), [body for body, count in came.items() if count > 1]
    assert (len(lost), len(twice)) == (0, 0), f"of {len(sent)}"
    assert came.keys() == sent


async def test_takeovers_under_load_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    async with ends() as (emulator, receiver), AsyncExitStack() as daemons:
        config = configure(tmp_path, emulator, {"bot": (receiver, "timeout: 5s")})
        daemon = await daemons.enter_async_context(forwarder(config))
        await daemon.wait_for("daemon.ready")
        await emulator.wait_connected()
        async with Load(emulator, rate=500).flowing():
            for _ in range(TAKEOVERS):
                new = await daemons.enter_async_context(forwarder(config, "--takeover"))
                done = await new.wait_for("takeover.done")
                assert await daemon.ended() == 0
                await daemon.wait_for("daemon.handed_over")
                await receiver.wait_for(receiver.accepted + 100)
                say(f"frames kept meanwhile: {done['frames_kept']}")
                daemon = new
        await assert_each_came_once(emulator, receiver)
        await stopped(daemon)
        assert emulator.stats.skipped == 0
        assert len(emulator.handshakes) == 1 + TAKEOVERS  # each goes on with the connection it began with
        await assert_balanced(config)
        say(f"{TAKEOVERS} takeovers, {len(emulator.sent)} events")
