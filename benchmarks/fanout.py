"""What it costs to send one event to many destinations: to 10 and to 100, beside the plain script with a loop over its targets.

    python -m benchmarks.fanout [10] [100] [--pairs 5] [--folder DISK] [--json FILE]

The daemon (durable, `full`) and the script take turns, each run in a new process with a new outbox. The receivers are servers of the load
side, each at a port of its own. The added latency is that of the last delivery of an event: from just before its frame is written until
the last receiver has read its POST, at 2,000 deliveries a second. A burst is 20,000 deliveries. Exit code 1: a delivery did not arrive exactly once.
"""

import argparse
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks import rig
from benchmarks.endpoints import KEY
from benchmarks.rig import BenchmarkError, LoadSide, Subject

SUBJECTS = ("daemon", "script")
MEASURES = {
    "median_ms": "latency of the last one, median ms",
    "p99_ms": "latency of the last one, p99 ms",
    "steady_cpu_us": "CPU µs a delivery, steady",
    "deliveries_per_s": "deliveries a second, burst",
    "burst_cpu_us": "CPU µs a delivery, burst",
    "peak_rss_mib": "memory MiB, peak",
}
_WARM_UP_EVENTS = 50
_SIZE_BYTES = 2048
Run = dict[str, float]


@dataclass(frozen=True, slots=True)
class FanOut:
    """One number of destinations."""

    load: LoadSide
    urls: list[str]
    settings: argparse.Namespace

    def run(self, subject: str) -> tuple[Run, int]:
        """Return what a run of the daemon or of the script showed, and how many deliveries were missing or repeated."""
        with rig.fresh_folder(self.settings.folder) as folder:
            if subject == "daemon":
                others = {f"bot{number}": url for number, url in enumerate(self.urls[1:], 1)}
                config = rig.write_config(folder, self.load, others=others)
                arguments = rig.daemon_arguments(config, "info")
            else:
                arguments = ["benchmarks.plain_script", self.load.stream, KEY, *self.urls]
            with rig.running(arguments) as process:
                self.load.do("wait_connected")
                many = len(self.urls)
                rate = self.settings.rate / many
                self._send(process, _WARM_UP_EVENTS, rate)
                steady, steady_cpu_s = self._send(process, round(rate * self.settings.seconds), rate)
                burst, burst_cpu_s = self._send(process, max(self.settings.burst // many, 1), 0)
                peak = process.memory_mib()[1]
        latencies = steady["latencies_ms"]
        return {
            "median_ms": statistics.median(latencies),
            "p99_ms": statistics.quantiles(latencies, n=100)[98],
            "steady_cpu_us": steady_cpu_s / (steady["sent"] * many) * 1e6,
            "deliveries_per_s": (burst["sent"] * many - burst["missing"]) / burst["taken_s"],
            "burst_cpu_us": burst_cpu_s / (burst["sent"] * many) * 1e6,
            "peak_rss_mib": peak,
        }, sum(answer["missing"] + answer["repeats"] for answer in (steady, burst))

    def _send(self, process: Subject, count: int, rate: float) -> tuple[dict[str, Any], float]:
        process.settle()
        before = process.cpu_s()
        answer = self.load.do(
            "send", count=count, rate=rate, size_bytes=_SIZE_BYTES, receivers=len(self.urls), within_s=120
        )
        process.settle()
        if not process.is_running():
            raise BenchmarkError("the process ended")
        return answer, process.cpu_s() - before


def main() -> Literal[0, 1]:
    parser = argparse.ArgumentParser(description="Measure what it costs to send an event to many destinations.")
    parser.add_argument("destinations", nargs="*", type=int, default=[10, 100], help="how many (default 10 and 100)")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each (default 5)")
    parser.add_argument("--rate", type=int, default=2_000, help="deliveries a second for the latency (default 2,000)")
    parser.add_argument("--seconds", type=float, default=5, help="length of that (default 5)")
    parser.add_argument("--burst", type=int, default=20_000, help="deliveries of a burst (default 20,000)")
    parser.add_argument(
        "--folder", type=Path, help="where outboxes are made: a real disk (default: the temporary folder)"
    )
    parser.add_argument("--json", type=Path, help="write the results there")
    settings = parser.parse_args()
    machine = rig.describe_machine(settings.folder)
    print("; ".join(f"{name} {value}" for name, value in machine.items()), flush=True)
    results: dict[str, dict[str, list[Run]]] = {}
    wrong = 0
    for many in settings.destinations:
        with rig.load_side() as load:
            urls = [load.receiver, *load.do("more_receivers", count=many - 1)["urls"]]
            runs: dict[str, list[Run]] = {subject: [] for subject in SUBJECTS}
            for number in range(1, settings.pairs + 1):
                for subject in SUBJECTS:
                    figures, lost = FanOut(load, urls, settings).run(subject)
                    runs[subject].append(figures)
                    wrong += lost
                    shown = "  ".join(f"{name} {value:.3g}" for name, value in figures.items())
                    print(f"{many} destinations {number}/{settings.pairs} {subject}: {shown}", file=sys.stderr)
        results[str(many)] = runs
        _print_table(many, runs)
    print(f"\n{wrong} deliveries missing or repeated")
    if settings.json is not None:
        rig.write_json(settings.json, {"machine": machine, "runs": results, "wrong": wrong})
    return 1 if wrong else 0


def _print_table(many: int, runs: dict[str, list[Run]]) -> None:
    rows = []
    for key, name in MEASURES.items():
        daemon, script = (statistics.median(run[key] for run in runs[subject]) for subject in SUBJECTS)
        digits = 2 if key.endswith("ms") else 0
        rows.append(
            [name, f"{daemon:,.{digits}f}", f"{script:,.{digits}f}", f"{daemon / script:.2f}" if script else "-"]
        )
    print()
    rig.print_table([f"one event to {many} destinations", *SUBJECTS, "daemon / script"], rows)


if __name__ == "__main__":
    sys.exit(main())
