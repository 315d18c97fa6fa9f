"""What one destination feels of two others that are broken: one hangs every request for ten seconds, one answers 503.

    python -m benchmarks.isolation [--pairs 5] [--rate 200] [--seconds 10] [--folder DISK] [--json FILE]

Runs with the good destination alone and with all three take turns, each in a new process with a new outbox. The latency is that of the
good one, from just before the frame is written until the POST has been read. Exit code 1: an event did not arrive exactly once there.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from benchmarks import rig
from benchmarks.rig import BenchmarkError, LoadSide

CASES = ("alone", "with both")
_WARM_UP_EVENTS = 200
Run = dict[str, float]


@contextmanager
def _listening(folder: Path, name: str, *options: str) -> Iterator[str]:
    """Run a receiver that misbehaves; give its URL."""
    log = folder / f"{name}.jsonl"
    with rig.running(["forwarder", "listen", "--port", "0", "--json", *options], log=log) as process:
        deadline = time.monotonic() + 20
        while not (lines := log.read_text().splitlines()):
            if time.monotonic() > deadline or not process.is_running():
                raise BenchmarkError(f"the receiver {name} does not listen")
            time.sleep(0.01)
        url: str = json.loads(lines[0])["url"]
        yield url


def _run(load: LoadSide, case: str, settings: argparse.Namespace) -> tuple[Run, int]:
    with rig.fresh_folder(settings.folder) as folder, ExitStack() as held:
        others = {}
        if case != "alone":
            others = {
                "hangs": held.enter_context(_listening(folder, "hangs", "--delay", "10s")),
                "refuses": held.enter_context(_listening(folder, "refuses", "--status", "503")),
            }
        config = rig.write_config(folder, load, others=others)
        process = held.enter_context(rig.running(rig.daemon_arguments(config, "info")))
        load.do("wait_connected")
        load.do("send", count=_WARM_UP_EVENTS, rate=settings.rate, size_bytes=2048, within_s=60)
        count = round(settings.rate * settings.seconds)
        answer = load.do("send", count=count, rate=settings.rate, size_bytes=2048, within_s=60 + settings.seconds)
        if not process.is_running():
            raise BenchmarkError("the daemon ended")
        latencies = answer["latencies_ms"]
        figures = {"median_ms": statistics.median(latencies), "p99_ms": statistics.quantiles(latencies, n=100)[98]}
        return figures, answer["missing"] + answer["repeats"]


def main() -> Literal[0, 1]:
    parser = argparse.ArgumentParser(description="Measure what a destination feels of two broken ones.")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each (default 5)")
    parser.add_argument("--rate", type=int, default=200, help="events a second (default 200)")
    parser.add_argument("--seconds", type=float, default=10, help="length of a run (default 10)")
    parser.add_argument(
        "--folder", type=Path, help="where outboxes are made: a real disk (default: the temporary folder)"
    )
    parser.add_argument("--json", type=Path, help="write the results there")
    settings = parser.parse_args()
    machine = rig.describe_machine(settings.folder)
    print("; ".join(f"{name} {value}" for name, value in machine.items()) + "\n", flush=True)
    runs: dict[str, list[Run]] = {case: [] for case in CASES}
    wrong = 0
    with rig.load_side() as load:
        for _ in range(settings.pairs):
            for case in CASES:
                figures, missed = _run(load, case, settings)
                runs[case].append(figures)
                wrong += missed
                print(case, "  ".join(f"{name} {value:.3f}" for name, value in figures.items()), file=sys.stderr)
    rows = []
    for key in ("median_ms", "p99_ms"):
        alone, both = (statistics.median(run[key] for run in runs[case]) for case in CASES)
        rows.append([key, f"{alone:.3f}", f"{both:.3f}", f"{both / alone:.2f}"])
    rig.print_table(["latency of the good one", *CASES, "ratio"], rows)
    print(f"\n{wrong} events missing or repeated there")
    if settings.json is not None:
        rig.write_json(settings.json, {"machine": machine, "runs": runs, "wrong": wrong})
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
