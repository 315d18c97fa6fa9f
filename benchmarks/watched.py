"""What it costs a daemon to be watched: latency and CPU at a steady rate, with nobody who watches and with everybody at once.

    python -m benchmarks.watched [--rate 500] [--seconds 20] [--pairs 7] [--folder DISK] [--json FILE]

The daemon runs in turns: without `admin.listen`; with it, and nobody there; and with three clients of the live stream of the page, one
`watch` and a status each second over the control socket (`top`), and a scrape of the metrics each second. Those who watch are a process
of their own (`benchmarks/watchers.py`). The goal: latency and CPU are at most 5 % above those of the first. Exit code 1: an event did not
arrive exactly once; a goal that is missed does not change it.
"""

import argparse
import json
import select
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from benchmarks import rig
from benchmarks.rig import BenchmarkError, LoadSide

MODES = ("off", "listening", "watched")
_WARM_UP_EVENTS = 400
_GOAL = 1.05
_MEASURES = {
    "median_ms": ("added latency, median ms", 3),
    "p95_ms": ("added latency, p95 ms", 2),
    "p99_ms": ("added latency, p99 ms", 2),
    "cpu_ms_per_event": ("CPU ms an event", 4),
    "rss_mib": ("memory MiB", 1),
}
_OF_THE_GOAL = ("median_ms", "p99_ms", "cpu_ms_per_event")


def _free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@contextmanager
def _watchers(address: str, outbox: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run those who watch; they are connected when the block begins."""
    command = [sys.executable, "-m", "benchmarks.watchers", address, f"{outbox}.sock"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - opened with a pipe
            if not select.select([process.stdout], [], [], 30)[0] or not process.stdout.readline():
                raise BenchmarkError("those who watch did not connect")
            yield process
        finally:
            process.terminate()


def _measure(load: LoadSide, mode: str, settings: argparse.Namespace) -> dict[str, Any]:
    """Return what one run of the daemon in this mode took."""
    with rig.fresh_folder(settings.folder) as folder:
        config, address = rig.write_config(folder, load), _free_address()
        if mode != "off":
            with config.open("a", encoding="utf-8") as file:
                file.write(f"admin: {{listen: '{address}'}}\n")
        with rig.running(rig.daemon_arguments(config, "info")) as daemon:
            load.do("wait_connected")
            load.do("send", count=_WARM_UP_EVENTS, rate=200, size_bytes=2048, within_s=60)
            if mode == "watched":
                with _watchers(address, folder / "outbox.db") as watching:
                    found = _send(load, daemon, settings)
                    if watching.poll() is not None:
                        raise BenchmarkError("those who watch have ended")
            else:
                found = _send(load, daemon, settings)
            if not daemon.is_running():
                raise BenchmarkError("the daemon ended")
            return found


def _send(load: LoadSide, daemon: rig.Subject, settings: argparse.Namespace) -> dict[str, Any]:
    count = settings.rate * settings.seconds
    before = daemon.cpu_s()
    answer = load.do("send", count=count, rate=settings.rate, size_bytes=2048, within_s=settings.seconds + 60)
    cpu_s = daemon.cpu_s() - before
    latencies = answer["latencies_ms"]
    return {
        "median_ms": statistics.median(latencies),
        "p95_ms": statistics.quantiles(latencies, n=100)[94],
        "p99_ms": statistics.quantiles(latencies, n=100)[98],
        "cpu_ms_per_event": cpu_s / count * 1000,
        "rss_mib": daemon.memory_mib()[0],
        "faults": answer["missing"] + answer["repeats"],
    }


def run(load: LoadSide, settings: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Return the runs of each mode; they take turns, and begin with another one each time."""
    runs: dict[str, list[dict[str, Any]]] = {mode: [] for mode in MODES}
    for pair in range(settings.pairs):
        for place in range(len(MODES)):
            mode = MODES[(pair + place) % len(MODES)]
            runs[mode].append(_measure(load, mode, settings))
            shown = "  ".join(f"{key} {runs[mode][-1][key]:.4g}" for key in _MEASURES)
            print(f"{pair + 1}/{settings.pairs} {mode}: {shown}", file=sys.stderr, flush=True)
    return runs


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what it costs a daemon to be watched.")
    parser.add_argument("--rate", type=int, default=500, help="events a second (default 500)")
    parser.add_argument("--seconds", type=int, default=20, help="how long each run lasts (default 20)")
    parser.add_argument("--pairs", type=int, default=7, help="runs of each mode (default 7)")
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
        runs = run(load, settings)
    medians = {mode: {key: statistics.median(each[key] for each in runs[mode]) for key in _MEASURES} for mode in MODES}
    rig.print_table(
        [f"{settings.rate} events a second", *MODES, "watched / off"],
        [
            [
                name,
                *(f"{medians[mode][key]:.{digits}f}" for mode in MODES),
                f"{medians['watched'][key] / medians['off'][key]:.3f}",
            ]
            for key, (name, digits) in _MEASURES.items()
        ],
    )
    for key in _OF_THE_GOAL:
        ratio = medians["watched"][key] / medians["off"][key]
        print(f"goal, at most {_GOAL}: {_MEASURES[key][0]}: {ratio:.3f}, {'met' if ratio <= _GOAL else 'missed'}")
    faults = sum(each["faults"] for mode in MODES for each in runs[mode])
    print("every event arrived exactly once" if not faults else f"{faults} events are missing or came twice")
    if settings.json is not None:
        rig.write_json(settings.json, {"machine": machine, "rate": settings.rate, "runs": json.loads(json.dumps(runs))})
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
