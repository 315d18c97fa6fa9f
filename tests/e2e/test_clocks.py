"""Clocks that jump, and a process that stands still: what was accepted arrives, and connections are where they should be."""

import asyncio
import shutil
import signal
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from time import monotonic

import pytest

from forwarder.emulator.faults import DropHow
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import Load, Oracle, assert_balanced, daemon, say, until, write_config
from tests.support.delivery import status, status_text, stopped
from tests.support.process import KEY, look

BACK_WITHIN_S = 4.0
"""Twice what it should be, for a busy machine."""


@cache
def library() -> str | None:
    """Return where libfaketime is, or `None`."""
    if shutil.which("faketime") is None:
        return None
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return str(found[0]) if found else None


class FakeClock:
    """The wall clock of a process, which a test sets. Its monotonic clock goes on as it is."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.jump(timedelta())

    def jump(self, by: timedelta) -> None:
        """Have it be off by so much from now on."""
        beside = self._file.with_suffix(".new")
        beside.write_text(f"{by.total_seconds():+.0f}\n", encoding="ascii")
        beside.replace(self._file)

    @property
    def env(self) -> Mapping[str, str]:
        return {
            "LD_PRELOAD": library() or "",
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",  # seconds; without a cache each reading of any clock reads the file, which slows the process down
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


@pytest.mark.alone
@pytest.mark.skipif(library() is None, reason="needs libfaketime (Debian: faketime)")
async def test_a_wall_clock_that_jumps_changes_nothing(tmp_path: Path) -> None:
    clock = FakeClock(tmp_path)
    outbox = tmp_path / "outbox.db"
    async with Emulator() as emulator, Receiver() as receiver:
        config = write_config(tmp_path, emulator=emulator, receivers={"bot": receiver}, outbox=outbox)
        oracle = Oracle(outbox, {"bot": receiver})
        async with daemon(config, env=clock.env) as running:
            await emulator.wait_connected()
            async with Load(emulator, rate=50).flowing():
                for hours in (0, 1, -1, 24 * 400, 0):
                    clock.jump(timedelta(hours=hours))
                    receiver.status = 503  # what waits for its next attempt goes through the jump that follows
                    await asyncio.sleep(2.5)  # until the process has read the file again, and noticed
                    receiver.status = 200
                    shakes = len(emulator.handshakes)
                    await emulator.drop()
                    cut_at = monotonic()
                    await emulator.wait_until(lambda emulator, shakes=shakes: len(emulator.handshakes) > shakes)  # type: ignore[misc] # bound now
                    assert emulator.handshakes[-1].at - cut_at < BACK_WITHIN_S
                    await emulator.wait_connected()
            oracle.look()
            await oracle.drained()
            oracle.look()
            oracle.assert_nothing_lost()
            assert len(emulator.handshakes) == 6
            await assert_balanced(config)
            await stopped(running)
        said = [line["event"] for line in running.lines]
    assert "daemon.stood_still" not in said
    assert said.count("daemon.clock_jumped") == 4
    say(f"{len(oracle.committed)} events over four jumps")


@pytest.mark.alone
async def test_a_process_that_stood_still_is_back_at_once_if_it_was_given_up(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox.db"
    async with Emulator() as emulator, Receiver() as receiver:
        config = write_config(tmp_path, emulator=emulator, receivers={"bot": receiver}, outbox=outbox)
        oracle = Oracle(outbox, {"bot": receiver})
        async with daemon(config) as running:
            await emulator.wait_connected()
            async with Load(emulator, rate=50).flowing():
                await asyncio.sleep(1)
                running.send(signal.SIGSTOP)
                stopped_at = monotonic()
                await asyncio.sleep(11)  # the standstill itself
                oracle.look()
                oracle.assert_due(emulator, since=0, fault_at=stopped_at)
                await emulator.drop(DropHow.RESET)
                await emulator.wait_disconnected()
                shakes = len(emulator.handshakes)
                running.send(signal.SIGCONT)
                went_on_at = monotonic()
                await emulator.wait_until(lambda emulator: len(emulator.handshakes) > shakes)
                back_after_s = emulator.handshakes[-1].at - went_on_at
                await emulator.wait_connected()
                oracle.look()
                await until(lambda: oracle.look() > 0, limit_s=90, what="another event")
            oracle.look()
            await oracle.drained()
            oracle.look()
            oracle.assert_nothing_lost()
            await assert_balanced(config)
            await stopped(running)
    say(f"back after {back_after_s:.2f} s, {len(emulator.handshakes)} handshakes")
    assert back_after_s < BACK_WITHIN_S
    assert len(emulator.handshakes) <= 3


@pytest.mark.skipif(library() is None, reason="needs libfaketime (Debian: faketime)")
@pytest.mark.parametrize("hours", [-2, 24 * 3650])
async def test_a_backlog_is_delivered_though_the_wall_clock_was_set(tmp_path: Path, hours: int) -> None:
    """While the daemon runs, and once more while it does not; with an order and without, and nothing too old to send."""
    clock = FakeClock(tmp_path)
    outbox = tmp_path / "outbox.db"
    async with Emulator() as emulator, Receiver(status=503) as plain, Receiver(status=503) as ordered:
        receivers = {"plain": plain, "ordered": ordered}
        config = tmp_path / "config.yaml"
        config.write_text(
            f"streams: [{{url: '{emulator.ws_url}', api_key: {KEY}, use_fast_x: true}}]\n"
            f"outbox: {{url: 'sqlite:{outbox}'}}\n"
            "defaults: {retry: {schedule: live, max_age: 10m}}\n"
            f"destinations: {{plain: {{url: '{plain.url}'}}, ordered: {{url: '{ordered.url}', order: sid}}}}\n"
            "routes: [{to: [plain, ordered]}]\n",
            encoding="utf-8",
        )
        oracle = Oracle(outbox, receivers)
        load = Load(emulator, rate=50)
        async with daemon(config, env=clock.env) as running:
            await emulator.wait_connected(timeout=60)
            await load.send(400)
            for receiver in receivers.values():
                await receiver.wait_until(lambda receiver: receiver.received >= 5)
            clock.jump(timedelta(hours=hours))
            said = await running.wait_for("daemon.clock_jumped")
            assert abs(said["by_s"] - 3600 * hours) < 5
            await load.send(400)
            await _come(oracle, 700)
            for receiver in receivers.values():
                receiver.status = 200
            await oracle.drained(limit_s=60)
            jumped = (await status(config))["clock_jumped"]
            assert abs(jumped["by_s"] - 3600 * hours) < 5
            assert f"THE CLOCK WAS SET {'forward' if hours > 0 else 'back'} by" in await status_text(config)
            for receiver in receivers.values():
                receiver.status = 503
            await load.send(200)
            await _come(oracle, 880)
            await stopped(running)
        clock.jump(timedelta(hours=0 if hours > 0 else 2 * hours))  # back while nothing runs
        for receiver in receivers.values():
            receiver.status = 200
        async with daemon(config, env=clock.env) as running:
            await emulator.wait_connected(timeout=60)
            await oracle.drained(limit_s=60)
            oracle.look()
            oracle.assert_nothing_lost()
            assert look(outbox, "SELECT DISTINCT status FROM deliveries") == [("delivered",)]
            await assert_balanced(config)
            await stopped(running)


async def _come(oracle: Oracle, count: int) -> None:
    """Return once so many events are in the file."""

    def has_come() -> bool:
        oracle.look()
        return len(oracle.committed) >= count

    await until(has_come, limit_s=20, what=f"{count} events")
