"""A fault at each sync of the disk in turn, as SQLite tests itself: killed there, failed there, or slow there.

By strace, which counts the syncs of each thread; the outbox makes all of its own in the one thread of its connection.
"""

import asyncio
import shutil
import signal
import socket
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import Load, Oracle, amount, assert_balanced, complaints, daemon, say, until, write_config
from tests.support.process import Forwarder
from tests.test_systemd import listen

EVENTS = 20
OPENING = 11
"""Syncs of a first start: settings, schema, migration, the first batch."""
ALL = 42
"""A little more than the scenario takes (37 here): beyond the last one nothing fails, and that must pass as well."""
WRITES = 260
"""The same for `pwrite64`."""
EVERY = bool(amount("FORWARDER_CRASH_EVERY_SYNC", 0))
"""Whether to fail each of them; otherwise some, spread."""


@cache
def why_not() -> str | None:
    """Return why strace cannot be used here, or `None`."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    probe = ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fdatasync", sys.executable, "-c", ""]
    return (
        None if subprocess.run(probe, capture_output=True, check=False).returncode == 0 else "ptrace is not permitted"
    )


pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")


def some(last: int, *, first: int = 1, by_default: int) -> list[int]:
    return list(range(first, last + 1)) if EVERY else list(range(first, last + 1, (last - first) // by_default))


def strace(folder: Path, inject: str = "", *, call: str = "fdatasync") -> tuple[str, ...]:
    """Return what to start the daemon with. `-D` makes strace the grandchild: the process id is the daemon's."""
    # With --seccomp-bpf it stops at these calls only, and forgets to inject signals (strace 6.1).
    pace = () if inject.startswith("signal") else ("--seccomp-bpf",)
    tracing = ("strace", "-D", "-f", *pace, "-o", str(folder / "trace"), "-e", f"trace={call}")
    return (*tracing, "-e", f"inject={call}:{inject}") if inject else tracing


@asynccontextmanager
async def failing(running: Forwarder, folder: Path) -> AsyncIterator[None]:
    """Have every sync of the running daemon fail, in all its threads, from now to the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *("strace", "-f", "-o", str(folder / "trace"), "-p", str(running.process.pid)),
        *("-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO"),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(90):
            attached = await process.stderr.readline()
        if b"not permitted" in attached:
            pytest.skip("strace may not attach to a running process")
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def syncs(folder: Path) -> int:
    return (folder / "trace").read_text().count(" fdatasync(")


async def unless_it_ends(running: Forwarder, work: Coroutine[Any, Any, object]) -> None:
    """Do the work for as long as the daemon lives."""
    task, ending = asyncio.ensure_future(work), asyncio.ensure_future(running.process.wait())
    await asyncio.wait({task, ending}, return_when=asyncio.FIRST_COMPLETED)
    for either in (task, ending):
        if not either.done():
            either.cancel()
    await asyncio.gather(task, ending, return_exceptions=True)
    if task.done() and not task.cancelled() and running.process.returncode is None:
        task.result()


async def scenario(running: Forwarder, emulator: Emulator, receiver: Receiver, load: Load) -> int:
    """Start, twenty events one after the other, their deliveries, stop; return the exit code."""

    async def one_by_one() -> None:
        await emulator.wait_connected(timeout=90)
        for _ in range(EVENTS):
            await load.send(1)
            await receiver.wait_for(len({sent.frame for sent in emulator.sent}))
            await asyncio.sleep(0.02)  # so that each has a batch of its own

    await unless_it_ends(running, one_by_one())
    if running.process.returncode is None:
        running.send(signal.SIGTERM)
    return await running.ended()


async def assert_a_restart_completes_it(config: Path, oracle: Oracle, emulator: Emulator) -> None:
    oracle.look()
    if oracle.outbox.exists():
        oracle.assert_sound()
    await emulator.wait_disconnected()
    async with daemon(config) as running:
        await emulator.wait_connected()
        await oracle.drained()
        running.send(signal.SIGTERM)
        assert await running.ended() == 0
    oracle.look()
    oracle.assert_sound()
    oracle.assert_nothing_lost()
    await assert_balanced(config)


@pytest.mark.parametrize(
    ("call", "number"),
    [("fdatasync", number) for number in some(ALL, by_default=5)]
    + [("pwrite64", number) for number in some(WRITES, by_default=3)],
)
async def test_killed_at_a_sync_or_a_write_nothing_is_lost(tmp_path: Path, call: str, number: int) -> None:
    outbox = tmp_path / "outbox.db"
    async with Emulator() as emulator, Receiver() as receiver:
        config = write_config(tmp_path, emulator=emulator, receivers={"bot": receiver}, outbox=outbox)
        oracle = Oracle(outbox, {"bot": receiver})
        async with daemon(config, before=strace(tmp_path, f"signal=KILL:when={number}", call=call)) as running:
            code = await scenario(running, emulator, receiver, Load(emulator, rate=1))
        assert code in {0, -signal.SIGKILL}
        say(f"{call} {number}: {'killed' if code else 'not reached'}, {len(emulator.sent)} sent")
        await assert_a_restart_completes_it(config, oracle, emulator)


@pytest.mark.parametrize("number", some(ALL, by_default=4))
async def test_a_sync_that_fails_costs_nothing(tmp_path: Path, number: int) -> None:
    outbox = tmp_path / "outbox.db"
    async with Emulator() as emulator, Receiver() as receiver:
        config = write_config(tmp_path, emulator=emulator, receivers={"bot": receiver}, outbox=outbox)
        oracle = Oracle(outbox, {"bot": receiver})
        async with daemon(config, before=strace(tmp_path, f"error=EIO:when={number}")) as running:
            code = await scenario(running, emulator, receiver, Load(emulator, rate=1))
        names = [line["event"] for line in running.lines]
        is_hit = "INJECTED" in (tmp_path / "trace").read_text()
        say(f"fdatasync {number}: {is_hit=} {code=} {names.count('outbox.degraded')=}")
        if "daemon.started" not in names:
            assert code in {exit_codes.FAILURE, exit_codes.OUTBOX_UNWRITABLE}
            assert complaints(config).count("\n") == 1 or "daemon.failed" in names
        else:
            assert code == 0
            # A checkpoint that fails is reported as such, and so is nothing at the very end: both cost nothing.
            assert {"outbox.degraded", "outbox.checkpoint_failed", "daemon.stopping"} & set(names) or not is_hit
            assert names.count("outbox.degraded") == names.count("outbox.recovered")
            assert receiver.accepted >= EVENTS
        await assert_a_restart_completes_it(config, oracle, emulator)
        assert len(oracle.bodies) == len({sent.frame for sent in emulator.sent})


async def test_a_failed_sync_in_mid_stream_is_reported_and_mended(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox.db"
    async with Emulator() as emulator, Receiver() as receiver:
        config = write_config(tmp_path, emulator=emulator, receivers={"bot": receiver}, outbox=outbox)
        async with daemon(config, before=strace(tmp_path, f"error=EIO:when={OPENING + 9}")) as running:
            assert await scenario(running, emulator, receiver, Load(emulator, rate=1)) == 0
        degraded = await running.wait_for("outbox.degraded")
        recovered = await running.wait_for("outbox.recovered")
        assert (degraded["fault"], degraded["level"]) == ("unknown", "error")
        assert recovered["after_s"] < 10
        await assert_a_restart_completes_it(config, Oracle(outbox, {"bot": receiver}), emulator)


@pytest.mark.parametrize("number", some(OPENING, by_default=2))
async def test_a_disk_that_fails_while_starting_ends_the_process_with_a_sentence(tmp_path: Path, number: int) -> None:
    outbox = tmp_path / "outbox.db"
    async with Emulator() as emulator, Receiver() as receiver:
        config = write_config(tmp_path, emulator=emulator, receivers={"bot": receiver}, outbox=outbox)
        async with daemon(config, before=strace(tmp_path, f"error=EIO:when={number}+")) as running:
            code = await running.ended()
        say(f"fdatasync {number}+: {code=}")
        if "daemon.started" in [line["event"] for line in running.lines]:
            assert code == exit_codes.FAILURE
            assert running.lines[-1]["event"] == "daemon.failed"
        else:
            assert code in {exit_codes.FAILURE, exit_codes.OUTBOX_UNWRITABLE}
        await assert_a_restart_completes_it(config, Oracle(outbox, {"bot": receiver}), emulator)


@pytest.mark.parametrize("after", [0, 1, 30])
async def test_a_disk_that_fails_for_good_ends_the_process(tmp_path: Path, after: int) -> None:
    outbox = tmp_path / "outbox.db"
    async with Emulator() as emulator, Receiver() as receiver:
        config = write_config(tmp_path, emulator=emulator, receivers={"bot": receiver}, outbox=outbox)
        oracle = Oracle(outbox, {"bot": receiver})
        load = Load(emulator, rate=100)
        async with daemon(config) as running:
            await emulator.wait_connected()
            await load.send(after)
            await receiver.wait_for(after)
            oracle.look()
            async with failing(running, tmp_path), load.flowing():
                assert await running.ended() == exit_codes.FAILURE
        assert [line["event"] for line in running.lines][-1] == "daemon.failed"
        degraded = await running.wait_for("outbox.degraded")
        assert degraded["fault"] == "unknown"
        await assert_a_restart_completes_it(config, oracle, emulator)


@pytest.mark.quiet
async def test_syncs_of_two_seconds_delay_no_first_attempt_and_leave_the_watchdog_fed(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox.db"
    latencies: dict[str, float] = {}
    async with Emulator() as emulator, Receiver() as receiver:
        config = write_config(tmp_path, emulator=emulator, receivers={"bot": receiver}, outbox=outbox)
        oracle = Oracle(outbox, {"bot": receiver})
        load = Load(emulator, rate=50)

        async def measure(name: str) -> None:
            """Note the median from sending to arrival over what flows for 10 s with the delay, 2 s without."""
            first, since = len(receiver.requests), len(emulator.sent)
            watched = monotonic()
            async with load.flowing():
                if name == "slow":
                    await until(lambda: monotonic() - watched > 10, limit_s=90, what="two beats of the watchdog")
                else:
                    await receiver.wait_for(receiver.accepted + 100)
            sent_at = {sent.frame: sent.at for sent in reversed(emulator.sent[since:])}
            arrived = {request.body: request.at for request in reversed(receiver.requests[first:])}
            latencies[name] = statistics.median(at - sent_at[body] for body, at in arrived.items() if body in sent_at)
            assert len(arrived) > 0.9 * len(sent_at)

        async with daemon(config, before=strace(tmp_path)) as running:
            await emulator.wait_connected()
            await measure("quick")
            running.send(signal.SIGTERM)
            assert await running.ended() == 0
        await emulator.wait_disconnected()
        with listen(tmp_path / "notify") as unix:
            env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": str(10_000_000)}
            slowly = strace(tmp_path, "delay_exit=2000000:when=2+")
            async with daemon(config, before=slowly, env=env) as running:
                await emulator.wait_connected()
                began = monotonic()
                await measure("slow")
                running.send(signal.SIGKILL)
                await running.ended()
                assert syncs(tmp_path) < (monotonic() - began) / 2 + 6
            heard = _drain(unix)
        assert heard.count("WATCHDOG=1") >= 2
        say(f"median to arrival: {latencies}")
        assert latencies["slow"] < max(2 * latencies["quick"], 0.1)
        await assert_a_restart_completes_it(config, oracle, emulator)


def _drain(unix: socket.socket) -> list[str]:
    unix.setblocking(False)
    heard: list[str] = []
    while True:
        try:
            heard.append(unix.recv(4096).decode().split("\n")[0])
        except BlockingIOError:
            return heard
