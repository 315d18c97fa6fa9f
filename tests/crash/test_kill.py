"""SIGKILL at any moment, again and again: under load, with an unreliable receiver, also while the daemon starts."""

import asyncio
import signal
from pathlib import Path
from time import monotonic

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import (
    DUE_S,
    Load,
    Oracle,
    amount,
    assert_balanced,
    daemon,
    flaky,
    say,
    seeded,
    write_config,
)

CYCLES = amount("FORWARDER_CRASH_CYCLES", 8)


async def test_no_kill_loses_what_was_committed(tmp_path: Path) -> None:
    chance = seeded("kill")
    outbox = tmp_path / "outbox.db"
    due = 0
    async with Emulator() as emulator, Receiver(respond=flaky(chance)) as receiver:
        config = write_config(tmp_path, emulator=emulator, receivers={"bot": receiver}, outbox=outbox)
        oracle = Oracle(outbox, {"bot": receiver})
        load = Load(emulator, rate=500)
        for cycle in range(CYCLES):
            async with load.flowing(), daemon(config) as running:
                since = len(emulator.sent)
                if cycle % 4 == 3:  # while it starts: opening, recovery, the first claims
                    await asyncio.sleep(chance.uniform(0.2, 1.2))
                else:
                    await emulator.wait_connected()
                    since = len(emulator.sent)
                    # The first is late enough for events to be due; the others are at random times.
                    await asyncio.sleep(chance.uniform(0.05, 1.0) if cycle else 2 * DUE_S)
                running.send(signal.SIGKILL)
                killed_at = monotonic()
                await running.ended()
            await emulator.wait_disconnected()
            if outbox.exists():
                oracle.assert_sound()
            oracle.look()
            due += oracle.assert_due(emulator, since=since, fault_at=killed_at)
        receiver.respond = None
        async with daemon(config) as running:
            await oracle.drained(limit_s=90 + CYCLES / 2)
            running.send(signal.SIGTERM)
            assert await running.ended() == 0
        oracle.look()
        oracle.assert_sound()
        oracle.assert_nothing_lost()
        await assert_balanced(config)
    say(
        f"{CYCLES} kills, {len(oracle.committed)} events committed, {due} of them due, {oracle.repeats} repeats, "
        f"0 lost, commit lag at most {oracle.lag_s * 1000:.0f} ms"
    )
    assert due > CYCLES
