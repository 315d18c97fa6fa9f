"""What a backlog costs: start, claim, memory and the delay of fresh events, against the deliveries that wait in the outbox.

    python -m benchmarks.backlog [ROWS ...] [--folder DISK] [--json FILE]

For each size an outbox is filled by the daemon's own code with that many pending deliveries of 2 KB (accepted at 200 a
second, up to now). Then the daemon is started on it twice: with a receiver that refuses everything, so that the backlog stays,
and with one that takes everything, so that it drains. Fresh events come at 200 a second meanwhile; their latency is that of
the first attempt, from just before the frame is written until the POST has been read. The file is in the page cache: it was
just written. A million rows take 8 GB of disk while it runs, and several minutes.
"""

import argparse
import shutil
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks import rig
from benchmarks.rig import BenchmarkError, LoadSide, Subject
from benchmarks.stream_and_receiver import build_events
from forwarder.cli.run import run_in_loop
from forwarder.core.delivery import DeliveryStatus, DestinationName, new_delivery
from forwarder.core.event import decode_event
from forwarder.core.ledger import LedgerEntry
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox

SIZES = (0, 1_000, 10_000, 100_000, 1_000_000)
DESTINATION = DestinationName("bot")
FIRST_WAITING_MID = 1_000_000_000_000_000_000
_RATE = 200
_CHUNK = 5_000
_CLAIMED_AT_ONCE = 64
"""What a lane with 16 connections takes in memory."""
_CLAIMS = 20
_START_WITHIN_S = 120

Figures = dict[str, float | None]

LINES = {
    "rows": ("deliveries that wait", "{:,.0f}"),
    "file_mib": ("file, MiB", "{:,.0f}"),
    "claim_ms": ("claim of 64, ms", "{:.2f}"),
    "ready_s": ("start to ready, s", "{:.2f}"),
    "first_delivery_s": ("start to first delivery, s", "{:.2f}"),
    "refused_median_ms": ("receiver refuses: fresh event, median ms", "{:.2f}"),
    "refused_p99_ms": ("receiver refuses: fresh event, p99 ms", "{:.2f}"),
    "refused_rss_mib": ("receiver refuses: peak memory, MiB", "{:.0f}"),
    "draining_median_ms": ("draining: fresh event, median ms", "{:.2f}"),
    "draining_p99_ms": ("draining: fresh event, p99 ms", "{:.2f}"),
    "draining_per_s": ("draining: of the backlog a second", "{:,.0f}"),
    "draining_rss_mib": ("draining: peak memory, MiB", "{:.0f}"),
}


def fill(path: Path, rows: int) -> None:
    """Make an outbox in which `rows` deliveries wait."""

    async def enqueue() -> None:
        begin = datetime.now(UTC) - timedelta(seconds=rows / _RATE)
        async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
            for first in range(0, rows, _CHUNK):
                frames = build_events(FIRST_WAITING_MID + first, min(_CHUNK, rows - first), 2048)
                for number, frame in enumerate(frames, first):
                    event, seq, now = decode_event(frame), outbox.new_seq(), begin + timedelta(seconds=number / _RATE)
                    delivery = new_delivery(event, DESTINATION, ("1",), event_seq=seq, accepted_at=now)
                    await outbox.wait_for_room()
                    outbox.enqueue(
                        event,
                        seq,
                        {DeliveryStatus.PENDING: [delivery]},
                        entry=LedgerEntry.MATCHED,
                        now=now,
                        read_at=time.monotonic(),
                    )

    run_in_loop(enqueue())


def measure_claim(path: Path) -> float | None:
    """Return how many milliseconds a claim takes, the median of some; `None` where nothing waits."""
    took: list[float] = []

    async def claim(outbox: SqliteOutbox) -> None:
        began = time.perf_counter()
        claimed = await outbox.claim(DESTINATION, now=datetime.now(UTC), limit=_CLAIMED_AT_ONCE)
        if claimed.deliveries:
            took.append((time.perf_counter() - began) * 1000)
        for delivery in claimed.deliveries:
            outbox.release(delivery)

    async def claim_often() -> None:
        async with open_outbox(FileSettings(path=path)) as outbox:
            for _ in range(_CLAIMS):
                await claim(outbox)

    run_in_loop(claim_often())
    return statistics.median(took) if took else None


def _wait_for_log(log: Path, event: str, process: Subject, started: float) -> float:
    """Return the seconds since `started` until the log has a line of that event."""
    wanted = f'"event":"{event}"'.encode()
    while time.monotonic() - started < _START_WITHIN_S:
        if wanted in log.read_bytes():
            return time.monotonic() - started
        if not process.is_running():
            break
        time.sleep(0.002)
    raise BenchmarkError(f"the daemon did not say {event}")


def measure_daemon(folder: Path, load: LoadSide, *, status: int, seconds: float) -> Figures:
    """Start the daemon on the outbox in `folder`, send fresh events, and return what was seen."""
    load.do("forget_others")
    load.do("answer", status=status)
    # Refused, every delivery is to be tried: a breaker would leave the backlog and the fresh events in peace.
    no_breaker = "" if status == 200 else ", breaker: {enabled: false}"
    config = rig.write_config(folder, load, more_of_outbox=", max_size: 20GiB", more_of_destination=no_breaker)
    log = folder / "log.jsonl"
    started = time.monotonic()
    with rig.running(rig.daemon_arguments(config, "info"), log=log) as process:
        ready_s = _wait_for_log(log, "daemon.ready", process, started)
        before, before_at = load.do("others"), time.monotonic()
        answer = load.do("send", count=round(_RATE * seconds), rate=_RATE, size_bytes=2048, within_s=seconds + 30)
        after, after_at = load.do("others"), time.monotonic()
        memory_mib = process.memory_mib()[1]
    if answer["missing"]:
        raise BenchmarkError(f"{answer['missing']} fresh events were never tried")
    latencies = answer["latencies_ms"]
    is_draining = after["last_ns"] / 1e9 > after_at - 0.5  # else it ended in between, and shows no rate
    return {
        "ready_s": ready_s,
        "first_delivery_s": after["first_ns"] / 1e9 - started if after["count"] else None,
        "median_ms": statistics.median(latencies),
        "p99_ms": statistics.quantiles(latencies, n=100)[98],
        "per_s": (after["count"] - before["count"]) / (after_at - before_at) if is_draining else None,
        "rss_mib": memory_mib,
    }


def measure(rows: int, load: LoadSide, *, parent: Path | None, seconds: float) -> Figures:
    """Return the line of the table for so many rows."""
    with rig.fresh_folder(parent) as folder:
        refused, draining = folder / "refused", folder / "draining"
        refused.mkdir()
        fill(refused / "outbox.db", rows)
        figures: Figures = {"rows": rows, "file_mib": (refused / "outbox.db").stat().st_size / 1024**2}
        figures["claim_ms"] = measure_claim(refused / "outbox.db")
        shutil.copytree(refused, draining)
        held_up = measure_daemon(refused, load, status=503, seconds=seconds)
        shutil.rmtree(refused)
        drained = measure_daemon(draining, load, status=200, seconds=seconds)
    figures["ready_s"], figures["first_delivery_s"] = drained["ready_s"], drained["first_delivery_s"]
    for name in ("median_ms", "p99_ms", "rss_mib"):
        figures[f"refused_{name}"], figures[f"draining_{name}"] = held_up[name], drained[name]
    figures["draining_per_s"] = drained["per_s"]
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a backlog costs.")
    parser.add_argument("rows", nargs="*", type=int, default=SIZES, help="default: 0, and 1,000 to 1,000,000")
    parser.add_argument("--seconds", type=float, default=5, help="of fresh events in each run (default 5)")
    parser.add_argument(
        "--folder", type=Path, help="where outboxes are made: a real disk (default: the temporary folder)"
    )
    parser.add_argument("--json", type=Path, help="write the results there")
    arguments = parser.parse_args()
    machine = rig.describe_machine(arguments.folder)
    print("; ".join(f"{name} {value}" for name, value in machine.items()) + "\n", flush=True)
    lines: list[Figures] = []
    with rig.load_side() as load:
        for rows in arguments.rows:
            lines.append(measure(rows, load, parent=arguments.folder, seconds=arguments.seconds))
            print("  ".join(f"{name} {_show(name, lines[-1])}" for name in LINES), file=sys.stderr, flush=True)
    # One line a figure: the table stays narrow enough to read.
    rows_of_table = [[title, *(_show(name, line) for line in lines)] for name, (title, _) in LINES.items()]
    rig.print_table(rows_of_table[0], rows_of_table[1:])
    if arguments.json is not None:
        rig.write_json(arguments.json, {"machine": machine, "backlog": lines})


def _show(name: str, line: Figures) -> str:
    value = line[name]
    return "-" if value is None else LINES[name][1].format(value)


if __name__ == "__main__":
    main()
