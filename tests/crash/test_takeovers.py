"""Takeovers under load in which either process is killed or stopped at any moment: nothing accepted is lost."""

import asyncio
import json
import signal
from contextlib import AsyncExitStack
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import Load, Oracle, amount, assert_balanced, flaky, say, seeded, write_config
from tests.support.process import Forwarder, command, forwarder

TAKEOVERS = amount("FORWARDER_CRASH_TAKEOVERS", 6)
KILLS = [signal.SIGKILL, signal.SIGTERM]


async def is_in_charge(daemon: Forwarder, config: Path) -> bool:
    """Return `True` once it is the daemon with this config and does not mean to stop, or `False` once it has ended."""
    while daemon.process.returncode is None:
        code, out, _ = await command("status", "--json", "-c", str(config))
        if code in {exit_codes.OK, exit_codes.DEGRADED, exit_codes.DOWN}:
            status = json.loads(out)
            if (status["pid"], status["state"]) == (daemon.process.pid, "running"):
                return True
        await asyncio.sleep(0.05)
    return False


async def test_whoever_dies_during_a_takeover_nothing_accepted_is_lost(tmp_path: Path) -> None:
    chance = seeded("takeovers")
    outbox = tmp_path / "outbox.db"
    survived = 0
    async with Emulator() as emulator, Receiver(respond=flaky(chance)) as receiver, AsyncExitStack() as daemons:
        config = write_config(
            tmp_path, emulator=emulator, receivers={"bot": receiver}, outbox=outbox, extra="grace_period: 2s\n"
        )
        oracle = Oracle(outbox, {"bot": receiver})
        async with Load(emulator, rate=300).flowing():
            present = await daemons.enter_async_context(forwarder(config))
            await present.wait_for("daemon.ready")
            for _ in range(TAKEOVERS):
                follower = await daemons.enter_async_context(forwarder(config, "--takeover"))
                victim, how = chance.choice([present, follower]), chance.choice(KILLS)
                await asyncio.sleep(chance.uniform(0.3, 3.5))
                if victim.process.returncode is None:
                    victim.send(how)
                await victim.ended()  # a follower that is stopped may first take in what it kept
                other = present if victim is follower else follower
                if await is_in_charge(other, config):
                    survived += 1
                    present = other
                else:  # it had stopped for the one that died, or had been refused by it
                    present = await daemons.enter_async_context(forwarder(config))
                await present.wait_for("daemon.ready")
                oracle.look()
        receiver.respond = None
        await oracle.drained()
        present.send(signal.SIGTERM)
        assert await present.ended() == 0
        oracle.look()
        oracle.assert_sound()
        oracle.assert_nothing_lost()
        await assert_balanced(config)
    say(
        f"{TAKEOVERS} takeovers, {survived} times one was left, {len(oracle.committed)} events, {oracle.repeats} repeats"
    )
