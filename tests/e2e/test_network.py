"""The daemon at the end of a bad wire: what was accepted arrives, and it is back as soon as the path is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from forwarder.emulator.settings import EmulatorSettings
from tests.support.crash import Load, Oracle, assert_balanced, daemon, say, until, write_config
from tests.support.delivery import bodies, stopped
from tests.support.netns import Wire, why_no_wire, wire
from tests.support.process import Forwarder

pytestmark = [pytest.mark.quiet, pytest.mark.skipif(why_no_wire() is not None, reason=str(why_no_wire()))]

BACK_WITHIN_S = 2.5
"""A second for the path that is tried, its round trip, and the rest for a busy machine."""


@dataclass
class Line:
    """A daemon at the far end, and what is at this one."""

    wire: Wire
    emulator: Emulator
    receiver: Receiver
    oracle: Oracle
    running: Forwarder
    config: Path

    async def all_is_delivered(self, *, limit_s: float = 30) -> None:
        """Everything accepted has arrived, and everything is accounted for."""
        self.oracle.look()
        await self.oracle.drained(limit_s=limit_s)
        self.oracle.look()
        self.oracle.assert_nothing_lost()
        await assert_balanced(self.config)
        await stopped(self.running)

    def lines(self, event: str) -> int:
        return sum(line["event"] == event for line in self.running.lines)


@asynccontextmanager
async def line(folder: Path) -> AsyncIterator[Line]:
    with wire() as made:
        async with Emulator(EmulatorSettings(host=made.host)) as emulator, Receiver(host=made.host) as receiver:
            outbox = folder / "outbox.db"
            config = write_config(folder, emulator=emulator, receivers={"bot": receiver}, outbox=outbox)
            oracle = Oracle(outbox, {"bot": receiver})
            async with daemon(config, before=made.before) as running:
                await emulator.wait_connected()
                yield Line(made, emulator, receiver, oracle, running, config)


async def test_a_slow_and_lossy_line_only_delays(tmp_path: Path) -> None:
    async with line(tmp_path) as far:
        far.wire.lose(2)
        far.wire.limit("256kbit")
        async with Load(far.emulator, rate=15).flowing():
            await asyncio.sleep(8)
        sent = {each.frame for each in far.emulator.sent}
        await far.receiver.wait_until(lambda receiver: sent <= set(bodies(receiver)), 90, "everything")
        await far.all_is_delivered()
        assert far.emulator.stats.skipped == 0
        assert len(far.emulator.handshakes) == 1
        assert far.lines("stream.disconnected") == 0
    say(f"{len(sent)} events over 256 kbit/s with 2 % loss, {far.oracle.repeats} repeats")


async def test_after_a_short_cut_it_is_back_as_soon_as_the_path_is(tmp_path: Path) -> None:
    back_after_s: list[float] = []
    async with line(tmp_path) as far:
        async with Load(far.emulator, rate=50).flowing():
            for refuse, lasts_s in ((False, 1), (True, 1), (False, 3), (True, 5)):
                since, shakes = len(far.emulator.sent), len(far.emulator.handshakes)
                await asyncio.sleep(1)
                far.wire.reset(refuse=refuse)
                cut_at = monotonic()
                await far.running.wait_for("stream.disconnected", count=shakes)
                await asyncio.sleep(lasts_s)
                assert len(far.emulator.handshakes) == shakes
                far.wire.lift()
                lifted_at = monotonic()
                await far.emulator.wait_until(lambda _, shakes=shakes: len(far.emulator.handshakes) > shakes)  # type: ignore[misc] # bound now
                back_after_s.append(far.emulator.handshakes[-1].at - lifted_at)
                far.oracle.look()
                far.oracle.assert_due(far.emulator, since=since, fault_at=cut_at)
            await far.emulator.wait_connected()
            await asyncio.sleep(1)
        await far.all_is_delivered()
        assert len(far.emulator.handshakes) == 5  # it did not flap
        assert far.lines("stream.disconnected") == 4
    say(f"back after {', '.join(f'{each:.2f} s' for each in back_after_s)}")
    assert max(back_after_s) < BACK_WITHIN_S


async def test_a_black_hole_of_20_seconds_costs_nothing_that_was_accepted(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        for rate in (3, 60):  # the connection lives on; the server gives it up, and the daemon is not notified
            folder = tmp_path / str(rate)
            folder.mkdir()
            group.create_task(_black_hole(folder, rate=rate))


async def _black_hole(folder: Path, *, rate: int) -> None:
    async with line(folder) as far:
        async with Load(far.emulator, rate=rate).flowing():
            await asyncio.sleep(1)
            far.wire.swallow()
            fault_at = monotonic()
            await asyncio.sleep(20)
            far.oracle.look()
            far.oracle.assert_due(far.emulator, since=0, fault_at=fault_at)
            far.wire.lift()
            heard_after_s = await until(lambda: far.oracle.look() > 0, limit_s=25, what="an event after the black hole")
            await asyncio.sleep(1)
        await far.all_is_delivered()
    shakes = len(far.emulator.handshakes)
    say(f"{rate} events a second: heard again {heard_after_s:.1f} s after the black hole, {shakes} handshakes")
    assert shakes <= 3
