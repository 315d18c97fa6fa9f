"""What the daemon costs over a plain script that keeps nothing.

    python -m benchmarks.compare [latency] [burst] [--floor] [--pairs 7] [--folder DISK] [--json FILE]

The daemon (durable, `full`) and `benchmarks/plain_script.py` take turns, each run in a new process with a new outbox, and
get the same events of 2 KB. Added latency is from just before the frame is written until the POST has been read. Each
figure is the median of the runs, with the lowest and the highest beside it. Below the tables each goal is met or missed
(`benchmarks/goals.py`). With `--floor` there is a third program, `benchmarks/floor.py`: what no design can leave out. Exit
code 1: an event did not arrive exactly once; a goal that is missed does not change it.
"""

import argparse
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks import goals, rig
from benchmarks.endpoints import KEY
from benchmarks.rig import BenchmarkError, LoadSide, Subject

Run = dict[str, float]
SUBJECTS = ("daemon", "script", "floor")
_WARM_UP_EVENTS = 200
"""At 200 a second. Imports, connections and first pages are paid for before anything is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One line of the table."""

    key: str
    name: str
    digits: int


MEASURES = {
    "latency": (
        Measure(key="median_ms", name="added latency, median ms", digits=2),
        Measure(key="p95_ms", name="added latency, p95 ms", digits=2),
        Measure(key="p99_ms", name="added latency, p99 ms", digits=2),
        Measure(key="max_ms", name="added latency, max ms", digits=1),
        Measure(key="cpu_ms_per_event", name="CPU ms an event", digits=3),
        Measure(key="rss_mib", name="memory MiB, steady", digits=1),
        Measure(key="peak_rss_mib", name="memory MiB, peak", digits=1),
    ),
    "burst": (
        Measure(key="events_per_s", name="events a second", digits=0),
        Measure(key="cpu_us_per_event", name="CPU µs an event", digits=0),
        Measure(key="peak_rss_mib", name="memory MiB, peak", digits=1),
        Measure(key="sending_s", name="s until the last frame was written", digits=2),
        Measure(key="load_cpu_us_per_event", name="(load side's own CPU µs an event)", digits=0),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is run."""

    folder: Path | None
    durability: str
    log_level: str
    rate: float
    seconds: float
    burst: int
    size_bytes: int
    within_s: float
    subjects: tuple[str, ...]


class Comparison:
    """Runs, and what came of them."""

    def __init__(self, load: LoadSide, settings: Settings) -> None:
        self._load = load
        self._settings = settings
        self.runs: dict[str, dict[str, list[Run]]] = {}
        self.latencies_ms: dict[str, list[float]] = {subject: [] for subject in settings.subjects}
        self.faults: list[str] = []

    def run(self, part: str, subject: str) -> Run:
        """Make one run in a process of its own."""
        with rig.fresh_folder(self._settings.folder) as folder:
            if subject == "daemon":
                config = rig.write_config(folder, self._load, durability=self._settings.durability)
                arguments = rig.daemon_arguments(config, self._settings.log_level)
            else:
                program = "benchmarks.floor" if subject == "floor" else "benchmarks.plain_script"
                arguments = [program, self._load.stream, KEY, self._load.receiver]
                arguments += [str(folder)] * (subject == "floor")
            with rig.running(arguments) as process:
                self._load.do("wait_connected")
                self._send(process, f"{subject}, warm-up", count=_WARM_UP_EVENTS, rate=200)
                found = self._latency(process, subject) if part == "latency" else self._burst(process, subject)
        self.runs.setdefault(part, {}).setdefault(subject, []).append(found)
        return found

    def _send(self, process: Subject, what: str, *, count: int, rate: float) -> tuple[dict[str, Any], float]:
        """Send, check that all arrived once, and return the answer with the CPU seconds the process used meanwhile."""
        process.settle()
        before = process.cpu_s()
        answer = self._load.do(
            "send", count=count, rate=rate, size_bytes=self._settings.size_bytes, within_s=self._settings.within_s
        )
        process.settle()
        if not process.is_running():
            raise BenchmarkError(f"{what}: the process ended")
        if answer["missing"] or answer["repeats"]:
            self.faults.append(f"{what}: of {count} events {answer['missing']} missing, {answer['repeats']} repeated")
            print(self.faults[-1], file=sys.stderr)
        return answer, process.cpu_s() - before

    def _latency(self, process: Subject, subject: str) -> Run:
        count = round(self._settings.rate * self._settings.seconds)
        answer, cpu_s = self._send(process, f"{subject}, latency", count=count, rate=self._settings.rate)
        latencies: list[float] = answer["latencies_ms"]
        self.latencies_ms[subject] += latencies
        now, peak = process.memory_mib()
        cuts = statistics.quantiles(latencies, n=1000)
        return {
            "median_ms": statistics.median(latencies),
            "p95_ms": cuts[949],
            "p99_ms": cuts[989],
            "max_ms": max(latencies),
            "cpu_ms_per_event": cpu_s / count * 1000,
            "rss_mib": now,
            "peak_rss_mib": peak,
        }

    def _burst(self, process: Subject, subject: str) -> Run:
        count = self._settings.burst
        answer, cpu_s = self._send(process, f"{subject}, burst", count=count, rate=0)
        return {
            "events_per_s": (count - answer["missing"]) / answer["taken_s"],
            "cpu_us_per_event": cpu_s / count * 1e6,
            "peak_rss_mib": process.memory_mib()[1],
            "sending_s": answer["sending_s"],
            "load_cpu_us_per_event": answer["load_cpu_s"] / count * 1e6,
        }

    def summary(self, part: str) -> list[dict[str, object]]:
        """Return the lines of the table as values: median and spread of both, and their ratio."""
        return [self._summarise(part, measure) for measure in MEASURES[part]]

    def _summarise(self, part: str, measure: Measure) -> dict[str, object]:
        subjects = self._settings.subjects
        values = {subject: [run[measure.key] for run in self.runs[part][subject]] for subject in subjects}
        medians = {subject: statistics.median(values[subject]) for subject in subjects}
        ratios = {
            "ratio" if other == "script" else f"ratio_{other}": medians["daemon"] / medians[other]
            if medians[other]
            else None
            for other in subjects[1:]
        }
        return {
            "measure": measure.key,
            **ratios,
            **{
                subject: {"median": medians[subject], "lowest": min(values[subject]), "highest": max(values[subject])}
                for subject in subjects
            },
        }

    def print_summary(self, part: str) -> None:
        """Print the table."""
        subjects, rows = self._settings.subjects, []
        for measure, line in zip(MEASURES[part], self.summary(part), strict=True):
            cells = [_cell(line[subject], measure.digits) for subject in subjects]
            ratios = [ratio for name, ratio in line.items() if name.startswith("ratio")]
            rows.append(
                [measure.name, *cells, *(f"{ratio:.2f}" if isinstance(ratio, float) else "-" for ratio in ratios)]
            )
        rig.print_table([part, *subjects, *(f"daemon / {other}" for other in subjects[1:])], rows)


def _cell(value: Any, digits: int) -> str:  # noqa: ANN401 - a part of the summary
    median, lowest, highest = (f"{value[name]:,.{digits}f}" for name in ("median", "lowest", "highest"))
    return f"{median} ({lowest} to {highest})"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare the daemon with a plain script that keeps nothing.")
    parser.add_argument("parts", nargs="*", metavar="latency|burst", help="default: both")
    parser.add_argument("--pairs", type=int, default=7, help="runs of each (default 7)")
    parser.add_argument("--floor", action="store_true", help="measure what no design can leave out, too")
    parser.add_argument("--rate", type=float, default=200, help="events a second of the latency runs (default 200)")
    parser.add_argument("--seconds", type=float, default=10, help="length of a latency run (default 10)")
    parser.add_argument("--burst", type=int, default=20_000, help="events of a burst (default 20,000)")
    parser.add_argument("--size", type=int, default=2048, help="bytes of an event (default 2048)")
    parser.add_argument(
        "--folder", type=Path, help="where outboxes are made: a real disk (default: the temporary folder)"
    )
    parser.add_argument("--durability", choices=("full", "normal"), default="full")
    parser.add_argument(
        "--log-level", choices=("debug", "info", "warning"), default="info", help="of the daemon (default info)"
    )
    parser.add_argument("--within", type=float, default=120, help="seconds after which a run is given up (default 120)")
    parser.add_argument("--json", type=Path, help="write the results there")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - MEASURES.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return arguments


def _plain(value: object) -> object:
    return None if isinstance(value, Path) else value  # a path of this machine is nobody else's business


def main() -> Literal[0, 1]:
    arguments = _parse()
    parts = [part for part in MEASURES if part in (arguments.parts or MEASURES)]
    settings = Settings(
        folder=arguments.folder,
        durability=arguments.durability,
        log_level=arguments.log_level,
        rate=arguments.rate,
        seconds=arguments.seconds,
        burst=arguments.burst,
        size_bytes=arguments.size,
        within_s=arguments.within,
        subjects=SUBJECTS if arguments.floor else SUBJECTS[:2],
    )
    machine = rig.describe_machine(settings.folder)
    print("; ".join(f"{name} {value}" for name, value in machine.items()))
    results: dict[str, object] = {
        "machine": machine,
        "settings": {name: _plain(value) for name, value in vars(arguments).items()},
    }
    with rig.load_side() as load:
        comparison = Comparison(load, settings)
        for part in parts:
            for number in range(1, arguments.pairs + 1):
                for subject in settings.subjects:
                    found = comparison.run(part, subject)
                    shown = "  ".join(f"{measure.key} {found[measure.key]:.3g}" for measure in MEASURES[part])
                    print(f"{part} {number}/{arguments.pairs} {subject}: {shown}", file=sys.stderr)
    for part in parts:
        print()
        comparison.print_summary(part)
        results[part] = {"summary": comparison.summary(part), "runs": comparison.runs[part]}
    print()
    results["goals"] = verdicts = goals.judge({part: comparison.summary(part) for part in parts})
    goals.print_verdict(verdicts, vars(arguments))
    results["latencies_ms"] = comparison.latencies_ms
    results["faults"] = comparison.faults
    print("\nevery event arrived exactly once" if not comparison.faults else "\n" + "\n".join(comparison.faults))
    if arguments.json is not None:
        results["settings"] = {
            name: str(value) if isinstance(value, Path) else value for name, value in vars(arguments).items()
        }
        rig.write_json(arguments.json, results)
    return 1 if comparison.faults else 0


if __name__ == "__main__":
    sys.exit(main())
