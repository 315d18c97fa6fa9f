"""What a long run costs: memory, descriptors, threads and file sizes from minute to minute, and the commit lag at the end.

    python -m benchmarks.steady [--rate 200] [--minutes 10] [--max-size 64MB] [--folder DISK] [--json FILE]

With a small `--max-size` history is pruned all the while. Exit code 1: an event did not arrive exactly once.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

from benchmarks import rig
from benchmarks.rig import BenchmarkError, LoadSide, Subject

_WARM_UP_EVENTS = 200
_CHUNK_S = 10
"""Events are made and sent in pieces of so many seconds; a sample is taken after each."""


def _sample(process: Subject, folder: Path, minute: float, latencies_ms: list[float]) -> dict[str, float]:
    outbox = folder / "outbox.db"
    return {
        "minute": minute,
        "rss_mib": process.memory_mib()[0],
        "descriptors": process.descriptors(),
        "threads": process.threads(),
        "outbox_mib": outbox.stat().st_size / 1024**2,
        "wal_mib": outbox.with_name("outbox.db-wal").stat().st_size / 1024**2,
        "median_ms": statistics.median(latencies_ms),
        "p99_ms": statistics.quantiles(latencies_ms, n=100)[98],
        "max_ms": max(latencies_ms),
    }


def _commit_lag(config: Path) -> dict[str, float]:
    """Return what `forwarder status` says of it, since the start."""
    arguments = [sys.executable, "-m", "forwarder", "status", "--json", "-c", str(config)]
    said = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    lag: dict[str, float] = json.loads(said)["outbox"]["commit_lag_ms"]
    return lag


def run(load: LoadSide, settings: argparse.Namespace) -> dict[str, Any]:
    """Send for as long as asked; return the samples, the commit lag, and what went wrong."""
    samples: list[dict[str, float]] = []
    faults: list[str] = []
    with rig.fresh_folder(settings.folder) as folder:
        config = rig.write_config(folder, load, more_of_outbox=f", max_size: {settings.max_size}")
        with rig.running(rig.daemon_arguments(config, "info")) as process:
            load.do("wait_connected")
            load.do("send", count=_WARM_UP_EVENTS, rate=200, size_bytes=2048, within_s=60)
            began, cpu_before = time.monotonic(), process.cpu_s()
            while (lasted := time.monotonic() - began) < 60 * settings.minutes:
                answer = load.do(
                    "send", count=settings.rate * _CHUNK_S, rate=settings.rate, size_bytes=2048, within_s=60
                )
                if not process.is_running():
                    raise BenchmarkError("the process ended")
                if answer["missing"] or answer["repeats"]:
                    faults.append(f"after {lasted:.0f} s {answer['missing']} missing, {answer['repeats']} repeated")
                samples.append(_sample(process, folder, (time.monotonic() - began) / 60, answer["latencies_ms"]))
                if len(samples) % 6 == 0:
                    print("  ".join(f"{name} {value:.4g}" for name, value in samples[-1].items()), file=sys.stderr)
            cpu_ms = (process.cpu_s() - cpu_before) / (len(samples) * settings.rate * _CHUNK_S) * 1000
            return {
                "samples": samples,
                "commit_lag_ms": _commit_lag(config),
                "peak_rss_mib": process.memory_mib()[1],
                "cpu_ms_per_event": cpu_ms,
                "faults": faults,
            }


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure a long run at a steady rate.")
    parser.add_argument("--rate", type=int, default=200, help="events a second (default 200)")
    parser.add_argument("--minutes", type=float, default=10, help="how long (default 10)")
    parser.add_argument("--max-size", default="2GiB", help="of the outbox, as in the config (default 2GiB)")
    parser.add_argument(
        "--folder", type=Path, help="where the outbox is made: a real disk (default: the temporary folder)"
    )
    parser.add_argument("--json", type=Path, help="write the results there")
    return parser.parse_args()


def main() -> Literal[0, 1]:
    settings = _parse()
    machine = rig.describe_machine(settings.folder)
    print("; ".join(f"{name} {value}" for name, value in machine.items()) + "\n", flush=True)
    with rig.load_side() as load:
        results = run(load, settings)
    samples, lag = results["samples"], results["commit_lag_ms"]
    first = samples[min(60 // _CHUNK_S, len(samples)) - 1]  # after a minute, where it lasted longer
    columns = [name for name in first if name != "minute"]
    rig.print_table(
        [f"{settings.rate} events a second", *columns],
        [
            [f"after {at['minute']:.1f} min", *(f"{at[name]:.2f}".removesuffix(".00") for name in columns)]
            for at in (first, samples[len(samples) // 2], samples[-1])
        ],
    )
    print(
        f"\npeak memory {results['peak_rss_mib']:.1f} MiB; CPU {results['cpu_ms_per_event']:.2f} ms an event; "
        f"commit lag p50 {lag['p50']} ms, p99 {lag['p99']} ms, max {lag['max']} ms of {lag['count']} events"
    )
    print("every event arrived exactly once" if not results["faults"] else "\n".join(results["faults"]))
    if settings.json is not None:
        rig.write_json(settings.json, {"machine": machine, "rate": settings.rate, **results})
    return 1 if results["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
