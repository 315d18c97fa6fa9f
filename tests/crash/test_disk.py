"""A disk that fills up, a file that disappears, and others who hold it: what is committed stays, and delivering goes on."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest

from forwarder.cli import exit_codes
from forwarder.core.dispatch.circuit_breaker import LONGEST_PROBE_WAIT_S
from forwarder.emulator.receiver import Received, Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import (
    Load,
    Oracle,
    amount,
    assert_balanced,
    complaints,
    daemon,
    say,
    until,
    write_config,
)
from tests.support.disks import disk, tmpfs, why_no_disk, why_no_tmpfs
from tests.support.process import Forwarder, command

LONG = bool(amount("FORWARDER_CRASH_LONG", 0))
needs_tmpfs = pytest.mark.skipif(why_no_tmpfs() is not None, reason=why_no_tmpfs() or "")


@dataclass
class Bench:
    """A stream, a receiver and an outbox."""

    emulator: Emulator
    receiver: Receiver
    config: Path
    oracle: Oracle

    @property
    def outbox(self) -> Path:
        return self.oracle.outbox

    async def stopped(self, running: Forwarder) -> None:
        """Stop the daemon once nothing waits, and check everything."""
        await self.oracle.drained()
        running.send(signal.SIGTERM)
        assert await running.ended() == 0
        self.oracle.look()
        self.oracle.assert_sound()
        self.oracle.assert_nothing_lost()
        await assert_balanced(self.config)

    async def arrived(self, frames: Sequence[bytes], limit_s: float = 90) -> None:
        """Return once the receiver took all of these."""
        missing = set(frames) - {request.body for request in self.receiver.requests if request.accepted}

        def note(received: Received) -> None:
            if received.accepted:
                missing.discard(received.body)

        self.receiver.on_request = note
        await until(lambda: not missing, limit_s=limit_s, what="the arrival of all events")


@asynccontextmanager
async def bench(
    folder: Path, outbox: Path, *, outbox_options: str = "", stream_options: str = ""
) -> AsyncIterator[Bench]:
    async with Emulator() as emulator, Receiver() as receiver:
        config = write_config(
            folder,
            emulator=emulator,
            receivers={"bot": receiver},
            outbox=outbox,
            outbox_options=outbox_options,
            stream_options=stream_options,
        )
        yield Bench(emulator, receiver, config, Oracle(outbox, {"bot": receiver}))


def fill(path: Path) -> int:
    """Fill the disk to the last byte with one file; return its size."""
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
    return path.stat().st_size


@asynccontextmanager
async def staying_full(folder: Path) -> AsyncIterator[None]:
    """Fill the disk, and whatever room is left by others for as long as the block lasts; then free it."""
    fillers: list[Path] = []

    async def fill_again() -> None:
        while True:
            fillers.append(folder / f"filler {len(fillers)}")
            if not fill(fillers[-1]):
                fillers.pop().unlink()
            await asyncio.sleep(0.01)

    filling = asyncio.ensure_future(fill_again())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        filling.cancel()
        for filler in fillers:
            filler.unlink()


@contextmanager
def holding(outbox: Path, statement: str) -> Iterator[None]:
    """Hold a lock or a read of the outbox, in a process of its own."""
    program = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)\n"
        "for statement in sys.argv[2].split(';'):\n"
        "    connection.execute(statement).fetchone()\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(outbox), statement], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            process.communicate()


@needs_tmpfs
async def test_a_disk_that_fills_up_stops_no_delivery_and_costs_nothing(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", size_mb=8) as small:
        async with bench(tmp_path, small / "outbox.db") as on, daemon(on.config) as running:
            load = Load(on.emulator, rate=1)
            reserve = small / "outbox.db.reserve"
            await on.emulator.wait_connected()
            assert reserve.stat().st_size == 1 << 20
            await on.arrived(await load.send(50))
            await on.receiver.stop_listening()
            waiting = await load.send(10)
            await until(lambda: on.oracle.waiting() >= 10, limit_s=90, what="ten that wait, on disk")
            on.oracle.look()
            on.oracle.may_prune = True
            filler = small / "filler"
            fill(filler)
            sent: list[bytes] = []

            async def until_logged(name: str, *, fault: str) -> None:
                waiting = asyncio.ensure_future(running.wait_for(name, limit_s=90, fault=fault))
                while not waiting.done():
                    sent.extend(await load.send(20))
                    await asyncio.sleep(0.02)
                await waiting

            await until_logged("outbox.degraded", fault="full")
            fill(filler.with_name("filler 2"))  # the room that the pruned history left
            degraded = [line for line in running.lines if line["event"] == "outbox.degraded"]
            say(f"degraded: {[(line['reason'], line['events_in_memory']) for line in degraded]}")
            sent.extend(await load.send(100))
            await on.receiver.start_listening()
            fresh = await load.send(50)
            await on.arrived(fresh, limit_s=LONGEST_PROBE_WAIT_S + 10)
            sent.extend((*fresh, *waiting))
            filler.unlink()
            filler.with_name("filler 2").unlink()
            freed_at = monotonic()
            await until(
                lambda: logged(running, "outbox.recovered") == logged(running, "outbox.degraded"),
                limit_s=90,
                what="the end of the trouble",
            )
            say(f"recovered {monotonic() - freed_at:.1f} s after there was room again")
            await on.arrived(sent, limit_s=90)
            await until(reserve.exists, limit_s=90, what="the reserve made again")
            await until(lambda: on.oracle.look() == 0, limit_s=90, what="no more rows")
            # Whatever was written and delivered while the disk was full may be pruned already: the ledger counts it.
            await on.stopped(running)


async def reported(config: Path, text: str, limit_s: float = 90) -> None:
    """Return once `forwarder status` says this."""
    async with asyncio.timeout(limit_s):
        while True:
            _, said, _ = await command("status", "-c", str(config))
            if text in said:
                return
            await asyncio.sleep(0.2)


async def written(config: Path, limit_s: float = 90) -> None:
    """Return once nothing is in memory alone: what was delivered from there is written when there is room."""
    async with asyncio.timeout(limit_s):
        while True:
            _, said, _ = await command("status", "--json", "-c", str(config))
            if not json.loads(said)["outbox"]["events_in_memory"]:
                return
            await asyncio.sleep(0.2)


def logged(running: Forwarder, event: str) -> int:
    return sum(line["event"] == event for line in running.lines)


@needs_tmpfs
async def test_a_disk_that_the_outbox_itself_fills_is_made_room_on_by_pruning_what_was_delivered(
    tmp_path: Path,
) -> None:
    with tmpfs(tmp_path / "small", size_mb=12) as small:
        async with bench(tmp_path, small / "outbox.db") as on, daemon(on.config) as running:
            on.oracle.may_prune = True
            await on.emulator.wait_connected()
            async with Load(on.emulator, rate=300, padding=2_000).flowing():
                await on.receiver.wait_for(6_000, timeout=90)  # three times what the disk has room for
                on.oracle.look()
            degraded, recovered = logged(running, "outbox.degraded"), logged(running, "outbox.recovered")
            early = logged(running, "outbox.pruned_for_room")
            say(f"{degraded} times degraded, {recovered} recovered, {early} times pruned early")
            assert degraded or early
            await on.oracle.drained()
            on.oracle.look()
            await on.arrived([sent.frame for sent in on.emulator.sent])
            await on.stopped(running)


@needs_tmpfs
@pytest.mark.parametrize(
    ("size_mb", "options"), [(8, ""), (64, ", max_size: 4MB")], ids=["the disk is full", "at max_size"]
)
@pytest.mark.parametrize("until_event", ["outbox.degraded", "outbox.reading_stopped"])
async def test_an_outbox_that_pending_deliveries_filled_has_room_again_once_they_are_delivered(
    tmp_path: Path, size_mb: int, options: str, until_event: str
) -> None:
    """Also where memory is full as well, with many times what the outbox has room for."""
    with tmpfs(tmp_path / "small", size_mb=size_mb) as small:
        async with (
            bench(tmp_path, small / "outbox.db", outbox_options=options, stream_options="    max_frame: 1MiB\n") as on,
            daemon(on.config) as running,
        ):
            on.oracle.may_prune = True
            await on.emulator.wait_connected()
            await on.receiver.stop_listening()
            async with Load(
                on.emulator, rate=300, padding=5_000 if until_event == "outbox.degraded" else 15_000
            ).flowing():
                await running.wait_for(until_event, limit_s=90)
                await on.receiver.start_listening()
                await running.wait_for("outbox.recovered", limit_s=90)
            await on.arrived([sent.frame for sent in on.emulator.sent], limit_s=90)
            await written(on.config)
            await on.stopped(running)


@needs_tmpfs
@pytest.mark.parametrize(("padding", "fits"), [(0, True), (60_000, False)], ids=["little", "much"])
async def test_a_full_disk_does_not_hold_up_the_stop(tmp_path: Path, padding: int, fits: bool) -> None:
    with tmpfs(tmp_path / "small", size_mb=16) as small:
        async with bench(tmp_path, small / "outbox.db") as on, daemon(on.config) as running:
            await on.emulator.wait_connected()
            await on.receiver.stop_listening()  # nothing to prune
            async with Load(on.emulator, rate=300, padding=padding).flowing():
                await until(lambda: on.oracle.waiting() > 100, limit_s=90, what="some that wait")
                begun = len(
                    on.emulator.sent
                )  # not later: when the first write fails, memory may be as full as the disk
                fill(small / "filler")
                await running.wait_for("outbox.degraded")
                await until(lambda: len(on.emulator.sent) > begun + 100, limit_s=240, what="some in memory alone")
            running.send(signal.SIGTERM)
            code = await running.ended(15)
            say(f"{code}: {running.lines[-1]}")
            if fits:  # the reserve has room for it
                assert code == 0
                on.oracle.look()
                assert len(on.oracle.committed) == running.lines[-1]["matched"] > 200
            else:
                assert code == exit_codes.FAILURE
                assert "in memory alone" in running.lines[-1]["reason"]


@needs_tmpfs
async def test_a_disk_that_is_full_at_the_start_is_reported_in_a_sentence(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", size_mb=4) as small:
        fill(small / "filler")
        async with bench(tmp_path, small / "outbox.db") as on:
            async with daemon(on.config) as running:
                code = await running.ended()
            said = complaints(on.config)
            say(f"{code}: {said}")
            assert code == exit_codes.OUTBOX_UNWRITABLE
            assert said.count("\n") == 1
            assert "disk" in said
            (small / "filler").unlink()
            async with daemon(on.config) as running:
                await on.emulator.wait_connected()
                await on.arrived(await Load(on.emulator, rate=1).send(20))
                await on.stopped(running)


@needs_tmpfs
async def test_a_disk_that_is_full_at_a_later_start_keeps_what_waits(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "small", size_mb=8) as small:
        async with bench(tmp_path, small / "outbox.db") as on:
            load = Load(on.emulator, rate=1)
            await on.receiver.stop_listening()
            async with daemon(on.config) as running:
                await on.emulator.wait_connected()
                await load.send(50)
                await until(lambda: on.oracle.waiting() >= 40, limit_s=90, what="what waits, on disk")
                running.send(signal.SIGKILL)
                await running.ended()
            await on.emulator.wait_disconnected()
            on.oracle.look()
            fill(small / "filler")
            await on.receiver.start_listening()
            async with daemon(on.config) as running:
                ended = asyncio.ensure_future(running.ended(30))
                delivering = asyncio.ensure_future(on.arrived(list(on.oracle.bodies), limit_s=90))
                await asyncio.wait({ended, delivering}, return_when=asyncio.FIRST_COMPLETED)
                if delivering.done():
                    ended.cancel()
                    say("starts and delivers on a full disk")
                else:
                    delivering.cancel()
                    say(f"{ended.result()}: {complaints(on.config)}")
                    assert ended.result() == exit_codes.OUTBOX_UNWRITABLE
                    assert complaints(on.config).count("\n") == 1
                await asyncio.gather(ended, delivering, return_exceptions=True)
                if running.process.returncode is None:
                    running.send(signal.SIGKILL)
                    await running.ended()
            await on.emulator.wait_disconnected()
            (small / "filler").unlink()
            async with daemon(on.config) as running:
                await on.emulator.wait_connected()
                await on.stopped(running)


@pytest.mark.parametrize(
    "suffixes",
    [
        ("", "-wal", "-shm"),
        ("",),
        ("-wal",),
    ],
)
async def test_a_deleted_file_is_noticed_and_written_again(tmp_path: Path, suffixes: tuple[str, ...]) -> None:
    async with bench(tmp_path, tmp_path / "outbox.db") as on, daemon(on.config) as running:
        load = Load(on.emulator, rate=300, padding=5_000)
        await on.emulator.wait_connected()
        async with load.flowing():
            await on.receiver.wait_for(1_000)  # enough for a checkpoint
            await on.receiver.stop_listening()
            await until(lambda: on.oracle.waiting() > 20, limit_s=90, what="some that wait")
            on.oracle.look()
            for suffix in suffixes:
                on.outbox.with_name(on.outbox.name + suffix).unlink()
            deleted_at = monotonic()
            await running.wait_for("outbox.wal_deleted" if suffixes == ("-wal",) else "outbox.restored", limit_s=90)
            say(f"{suffixes}: noticed after {monotonic() - deleted_at:.1f} s")
            await on.receiver.start_listening()
            on.oracle.look()
            await on.receiver.wait_for(on.receiver.accepted + 200)
        await on.arrived([sent.frame for sent in on.emulator.sent])
        await on.stopped(running)
        assert {sent.frame for sent in on.emulator.sent} <= on.oracle.bodies
        assert on.outbox.stat().st_mode & 0o777 == 0o600


@needs_tmpfs
@pytest.mark.parametrize("is_freed", [True, False], ids=["room in time", "no room"])
async def test_a_file_deleted_on_a_full_disk_is_written_again_as_soon_as_there_is_room(
    tmp_path: Path, is_freed: bool
) -> None:
    with tmpfs(tmp_path / "small", size_mb=16) as small:
        async with bench(tmp_path, small / "outbox.db") as on, daemon(on.config) as running:
            load = Load(on.emulator, rate=1, padding=5_000)  # more than the reserve has room for
            await on.emulator.wait_connected()
            await on.receiver.stop_listening()
            sent = await load.send(500)
            await until(lambda: on.oracle.waiting() >= 450, limit_s=90, what="what waits, on disk")
            on.oracle.look()
            async with staying_full(small):
                on.outbox.unlink()  # to make room, by mistake
                await running.wait_for("outbox.deleted", limit_s=90)
                code, out, err = await command("status", "-c", str(on.config))
                assert (code, "deleted" in out) == (exit_codes.FAILURE, True), out + err
                if not is_freed:
                    running.send(signal.SIGTERM)
                    assert await running.ended() == exit_codes.FAILURE
                    assert "what it held is lost" in running.lines[-1]["reason"]
                    return
            await running.wait_for("outbox.restored", limit_s=90)
            on.oracle.look()
            await on.receiver.start_listening()
            await on.arrived(sent, limit_s=90)
            await on.stopped(running)


async def test_a_locked_database_drops_no_batch_and_delays_no_first_attempt(tmp_path: Path) -> None:
    held_s = 30 if LONG else 3
    async with bench(tmp_path, tmp_path / "outbox.db") as on, daemon(on.config) as running:
        load = Load(on.emulator, rate=100)
        await on.emulator.wait_connected()
        async with load.flowing():
            await on.receiver.wait_for(100)
            with holding(on.outbox, "BEGIN EXCLUSIVE"):
                held_from = monotonic()
                degraded = await running.wait_for("outbox.degraded", limit_s=90)
                assert degraded["fault"] == "busy"
                await until(
                    lambda: monotonic() - held_from > held_s, limit_s=held_s + 90, what="the lock's time is over"
                )
                during = [sent.frame for sent in on.emulator.sent if sent.at > held_from]
                await on.arrived(during)  # although nothing can be written
                assert not logged(running, "outbox.recovered")
            await running.wait_for("outbox.recovered", limit_s=90)
        frames = [sent.frame for sent in on.emulator.sent]
        await on.arrived(frames)
        await on.stopped(running)
        assert set(frames) <= on.oracle.bodies


async def test_an_open_reader_lets_the_log_grow_and_it_shrinks_when_that_ends(tmp_path: Path) -> None:
    async with bench(tmp_path, tmp_path / "outbox.db") as on, daemon(on.config) as running:
        wal = tmp_path / "outbox.db-wal"
        load = Load(on.emulator, rate=400, padding=20_000)
        await on.emulator.wait_connected()
        async with load.flowing():
            await on.receiver.wait_for(100)
            with holding(on.outbox, "BEGIN; SELECT count(*) FROM events"):
                warned = await running.wait_for("outbox.wal_growing", limit_s=90)
                largest = wal.stat().st_size
        released_at = monotonic()
        await until(lambda: wal.stat().st_size < largest / 2, limit_s=90, what="a smaller -wal file")
        say(f"warned at {warned['size'] >> 20} MiB, smaller {monotonic() - released_at:.1f} s after the reader ended")
        await on.arrived([sent.frame for sent in on.emulator.sent], limit_s=90)
        await on.stopped(running)


@needs_tmpfs
@pytest.mark.parametrize("is_killed", [False, True], ids=["runs on", "killed"])
@pytest.mark.parametrize(
    ("is_early", "others", "max_size"),
    [(False, True, "1GiB"), (True, False, "4MiB"), (True, True, "1GiB")],
    ids=["read after the events, with others", "read before the events", "read before the events, with others"],
)
async def test_a_reader_on_a_small_disk_jams_nothing_once_it_has_ended(
    tmp_path: Path, is_early: bool, others: bool, max_size: str, is_killed: bool
) -> None:
    """The WAL takes what there is meanwhile; the file keeps the room to grow by what the WAL holds, also where others fill the disk."""
    with tmpfs(tmp_path / "small", size_mb=12) as small, ExitStack() as reader:
        options = {"outbox_options": f", max_size: {max_size}", "stream_options": "    max_frame: 256KiB\n"}
        async with bench(tmp_path, small / "outbox.db", **options) as on:
            text = on.config.read_text(encoding="utf-8").replace(
                "timeout: 5s", "timeout: 5s\n    breaker: {enabled: false}"
            )
            on.config.write_text(text, encoding="utf-8")
            on.oracle.may_prune = True
            on.receiver.status = 503
            load = Load(on.emulator, rate=1, padding=1_000)
            async with daemon(on.config) as running:
                await on.emulator.wait_connected()
                read = holding(on.outbox, "BEGIN; SELECT count(*) FROM events")
                if is_early:
                    reader.enter_context(read)
                sent = await load.send(1_000)
                await until(lambda: on.oracle.waiting() >= 950, limit_s=90, what="what waits, on disk")
                if not is_early:
                    reader.enter_context(read)
                await running.wait_for("outbox.degraded", limit_s=90)  # by outcomes: each attempt fails, and is noted
                if others:
                    fill(small / "filler")
                if is_killed:
                    running.send(signal.SIGKILL)
                    await running.ended()
                else:
                    await ends_well(on, running, reader, sent, load)
            if is_killed:
                await on.emulator.wait_disconnected()
                on.oracle.look()
                sent = list(on.oracle.bodies)
                if others:
                    fill(small / "filler 2")
                async with daemon(on.config) as running:
                    await on.emulator.wait_connected()
                    await ends_well(on, running, reader, sent, load)


async def ends_well(on: Bench, running: Forwarder, reader: ExitStack, sent: Sequence[bytes], load: Load) -> None:
    """Everything is delivered although nothing can be written, and written once the reader has ended."""
    await reported(on.config, "another program keeps a read of the outbox open")
    on.receiver.status = 200
    await on.arrived(sent)
    reader.close()
    await until(lambda: on.oracle.waiting() == 0, limit_s=90, what="everything written")
    await on.arrived(await load.send(20))
    await written(on.config)
    await on.stopped(running)


@pytest.mark.skipif(why_no_disk() is not None, reason=why_no_disk() or "")
async def test_a_disk_that_turns_read_only_stops_no_delivery(tmp_path: Path) -> None:
    with disk(tmp_path, size_mb=32) as made:
        async with bench(tmp_path, made.mounted / "outbox.db") as on:
            async with daemon(on.config) as running:
                await on.emulator.wait_connected()
                async with Load(on.emulator, rate=50).flowing():
                    await on.receiver.wait_for(50)
                    on.oracle.look()
                    made.turn_read_only()
                    await running.wait_for("outbox.degraded", fault="read_only")
                    await on.receiver.wait_for(on.receiver.accepted + 100)
                await on.arrived([sent.frame for sent in on.emulator.sent])
                running.send(signal.SIGTERM)
                assert await running.ended() == exit_codes.FAILURE
                assert "in memory alone" in running.lines[-1]["reason"]
            await on.emulator.wait_disconnected()
            made.unmount()
            made.mount()
            async with daemon(on.config) as running:
                await on.emulator.wait_connected()
                await on.stopped(running)


@needs_tmpfs
@pytest.mark.parametrize("order", ["none", "sid"])
async def test_on_a_disk_that_stays_full_a_start_an_edit_and_a_stop_go_through(tmp_path: Path, order: str) -> None:
    """What is on disk is delivered from there, what comes from memory; the stop says what was in memory alone."""
    with tmpfs(tmp_path / "small", size_mb=8) as small:
        async with bench(tmp_path, small / "outbox.db") as on:
            text = on.config.read_text(encoding="utf-8").replace("timeout: 5s", f"timeout: 5s\n    order: {order}")
            on.config.write_text(f"{text}grace_period: 2s\n", encoding="utf-8")
            load = Load(on.emulator, rate=1)
            on.receiver.status = 503
            async with daemon(on.config) as running:
                await on.emulator.wait_connected()
                await load.send(300)
                await until(lambda: on.oracle.waiting() >= 290, limit_s=10, what="what waits, on disk")
                running.send(signal.SIGKILL)
                await running.ended()
            await on.emulator.wait_disconnected()
            on.oracle.look()
            on.oracle.may_prune = True  # of what is delivered, to make room
            on.receiver.status = 200
            async with staying_full(small), daemon(on.config) as running:
                await on.emulator.wait_connected(timeout=20)
                fresh = await load.send(20)
                await on.arrived([*on.oracle.bodies, *fresh], limit_s=20)
                edited = on.config.read_text(encoding="utf-8").replace("timeout: 5s", "timeout: 4s")
                on.config.write_text(edited, encoding="utf-8")
                await running.wait_for("reload.done")
                await on.arrived(await load.send(20), limit_s=20)
                assert logged(running, "outbox.degraded")
                running.send(signal.SIGTERM)
                assert await running.ended(20) == exit_codes.FAILURE
                assert "in memory alone" in running.lines[-1]["reason"]
            await on.emulator.wait_disconnected()
            async with daemon(on.config) as running:
                await on.emulator.wait_connected()
                await on.stopped(running)
