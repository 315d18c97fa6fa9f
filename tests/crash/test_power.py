"""Power cuts: a real ext4 loses everything that was not synced, while the daemon writes to it under load."""

import asyncio
import signal
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import Load, Oracle, amount, assert_balanced, daemon, say, seeded, write_config
from tests.support.disks import Disk, disk, why_no_disk

CUTS = amount("FORWARDER_CRASH_CUTS", 3)

pytestmark = pytest.mark.skipif(why_no_disk() is not None, reason=why_no_disk() or "")


@dataclass
class Cut:
    """The result of one power cut."""

    committed: int
    lost: int
    exit_code: int | None


async def cut_power(folder: Path, disk: Disk, *, durability: str, chance: Random) -> Cut:
    """Run under load on the disk, cut its power, mount it again and let a restart deliver what is there."""
    outbox = disk.mounted / "outbox.db"
    exit_code: int | None = None
    async with Emulator() as emulator, Receiver() as receiver:
        receivers = {"bot": receiver}
        config = write_config(
            folder, emulator=emulator, receivers=receivers, outbox=outbox, outbox_options=f", durability: {durability}"
        )
        oracle = Oracle(outbox, receivers)
        load = Load(emulator, rate=chance.choice([200, 800]))
        async with load.flowing(), daemon(config) as running:
            await emulator.wait_connected()
            await asyncio.sleep(chance.uniform(0.1, 2.5))
            oracle.look()
            disk.cut()
            cut_at = monotonic()
            if chance.random() < 0.5:  # the program sees its disk dead before it ends
                exit_code = await running.ended()
                ended_s = monotonic() - cut_at
                assert exit_code == exit_codes.FAILURE
                assert ended_s < 30
                events = [line["event"] for line in running.lines]
                assert events[-1] == "daemon.failed"
                # What a dead disk does not give back may also read as zeros, and so as damage.
                assert "outbox.degraded" in events or "reads as damaged" in running.lines[-1]["reason"]
            else:
                running.send(signal.SIGKILL)
                await running.ended()
        await emulator.wait_disconnected()
        disk.unmount()
        disk.mount()
        if durability == "normal" and not outbox.exists():
            return Cut(len(oracle.committed), len(oracle.committed), exit_code)
        oracle.assert_sound()
        before = len(oracle.committed)
        try:
            lost = oracle.lost()
        except Exception:
            if durability == "full":
                raise
            lost = list(oracle.committed)
        if durability == "full":
            assert not lost, f"{len(lost)} of {before} committed events are gone after the power cut"
        for seq in lost:
            oracle.forget(seq)
        async with daemon(config) as running:
            await emulator.wait_connected()
            await oracle.drained()
            running.send(signal.SIGTERM)
            assert await running.ended() == 0
        oracle.look()
        oracle.assert_sound()
        oracle.assert_nothing_lost()
        await assert_balanced(config)
        return Cut(before, len(lost), exit_code)


async def test_with_durability_full_no_power_cut_loses_what_was_committed(tmp_path: Path) -> None:
    chance = seeded("power")
    cuts: list[Cut] = []
    with disk(tmp_path, size_mb=64) as made:
        for _ in range(CUTS):
            cuts.append(await cut_power(tmp_path, made, durability="full", chance=chance))
            clear(made)
    say(
        f"full: {CUTS} cuts, {sum(cut.committed for cut in cuts)} events committed before them, 0 lost; "
        f"{sum(cut.exit_code is not None for cut in cuts)} times the daemon ended by itself"
    )
    assert sum(cut.committed for cut in cuts) > 20 * CUTS


async def test_with_durability_normal_a_power_cut_leaves_a_sound_file(tmp_path: Path) -> None:
    chance = seeded("power, normal")
    cuts: list[Cut] = []
    with disk(tmp_path, size_mb=64) as made:
        # One right after a checkpoint loses nothing, so it may take more than two.
        while len(cuts) < max(CUTS // 3, 2) or (len(cuts) < 12 and not any(cut.lost for cut in cuts)):
            cuts.append(await cut_power(tmp_path, made, durability="normal", chance=chance))
            clear(made)
    lost = sum(cut.lost for cut in cuts)
    say(f"normal: {len(cuts)} cuts, {sum(cut.committed for cut in cuts)} events committed before them, {lost} lost")
    # The proof that the cut is one: what was not synced is really gone.
    assert lost > 0


def clear(made: Disk) -> None:
    """Begin the next cut with an empty disk."""
    for path in made.mounted.glob("outbox*"):
        path.unlink()
