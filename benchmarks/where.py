"""Where the time goes: what an event costs in which package, in calls and in CPU time.

    python -m benchmarks.where [--bursts 5] [--seconds 60] [--page docs/performance.md] [--picture docs/where.svg] [--json FILE]
    python -m benchmarks.where --dry --destinations 10

Calls are those of `tools.call_counts`, for one event to one destination, or to several. CPU time is measured in the daemon itself under the load of the other benchmarks,
in bursts of 20,000 events and at 200 a second, by a sampler (`benchmarks/sampled_daemon.py`): the share of a package in the samples, of the CPU
time that the loop's thread used. The rest of the process is SQLite's thread and the log's. Writes the table into the page, between its two marks, and
draws the picture (which needs matplotlib: `pip install -e '.[bench]'`).
"""

import argparse
import cProfile
import json
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import rig
from benchmarks.rig import BenchmarkError, LoadSide, Subject
from benchmarks.sampled_daemon import LOOP, WEBSOCKET
from tests.support import hot_path
from tools import call_counts

OTHER_THREADS = "SQLite's thread and the log's"
_BEGIN, _END = "<!-- where: made by `python -m benchmarks.where` -->", "<!-- end of where -->"
_SIZE_BYTES, _BURST, _RATE = 2048, 20_000, 200
_LEAST_US = 2.0
"""Smaller parts are in one line together."""
Costs = Mapping[str, float]
"""CPU µs of an event, by package."""


class Row(NamedTuple):
    """What an event costs in one package, or outside of them."""

    name: str
    calls: float
    burst_us: float
    steady_us: float


def count_calls(destinations: int) -> dict[str, float]:
    """Return the calls of an event to so many destinations, by package."""
    call_counts.discard_log()
    scenario, profile = hot_path.CONFIGS["ten destinations"]._replace(receivers=destinations), cProfile.Profile()
    hot_path.run(scenario, profile)
    made = call_counts.calls_of(profile.getstats())
    return call_counts.by_package({name: calls / scenario.events for name, calls in made.items()})


class SampledDaemon:
    """A daemon with a sampler, under load."""

    def __init__(self, load: LoadSide, process: Subject, samples: Path, destinations: int) -> None:
        self._destinations = destinations
        self._load = load
        self._process = process
        self._samples = samples

    def costs(self, *, times: int, count: int, rate: float) -> Costs:
        """Return what an event costs where, when `count` events are sent so many times."""
        self._snapshot()
        for _ in range(times):
            answer = self._load.do(
                "send",
                count=count,
                rate=rate,
                size_bytes=_SIZE_BYTES,
                receivers=self._destinations,
                within_s=120 + count / (rate or 1000),
            )
            if answer["missing"] or answer["repeats"]:
                raise BenchmarkError(f"{answer['missing']} events missing, {answer['repeats']} repeated")
            self._process.settle()
        found = self._snapshot()
        events, sampled = times * count, Counter(found["samples"])
        of_a_sample = found["thread_s"] / sampled.total() / events * 1e6
        costs = {place: samples * of_a_sample for place, samples in sampled.items()}
        return costs | {OTHER_THREADS: (found["process_s"] - found["thread_s"]) / events * 1e6}

    def _snapshot(self) -> Any:  # noqa: ANN401 - what the sampler wrote
        self._samples.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        for _ in range(1_000):
            if self._samples.exists():
                return json.loads(self._samples.read_text(encoding="utf-8"))
            time.sleep(0.01)
        raise BenchmarkError("the sampler wrote nothing")


def measure(settings: argparse.Namespace) -> dict[str, Costs]:
    """Return the costs in bursts and at a steady rate."""
    with rig.load_side() as load, rig.fresh_folder(settings.folder) as folder:
        urls = load.do("more_receivers", count=settings.destinations - 1)["urls"]
        others = {f"bot{number}": url for number, url in enumerate(urls, 1)}
        config, samples = rig.write_config(folder, load, others=others), folder / "samples.json"
        arguments = rig.daemon_arguments(config, "info")
        with rig.running(["benchmarks.sampled_daemon", str(samples), *arguments[1:]]) as process:
            load.do("wait_connected")
            daemon = SampledDaemon(load, process, samples, settings.destinations)
            daemon.costs(times=1, count=2_000 // settings.destinations, rate=0)  # imports, connections and first pages
            return {
                "burst": daemon.costs(times=settings.bursts, count=_BURST // settings.destinations, rate=0),
                "steady": daemon.costs(times=1, count=round(_RATE * settings.seconds), rate=_RATE),
            }


def rows_of(calls: Costs, costs: Mapping[str, Costs]) -> list[Row]:
    """Return the parts, the most expensive in a burst first; small ones are in one row together."""
    burst, steady = costs["burst"], costs["steady"]
    names = sorted(burst.keys() | steady.keys() | calls.keys(), key=lambda name: (-burst.get(name, 0.0), name))
    rows = [Row(name, calls.get(name, 0.0), burst.get(name, 0.0), steady.get(name, 0.0)) for name in names]
    small = [row for row in rows if max(row.burst_us, row.steady_us) < _LEAST_US]
    return [*(row for row in rows if row not in small), *([_sum("all others", small)] if small else [])]


def _sum(name: str, rows: Sequence[Row]) -> Row:
    return Row(
        name, sum(row.calls for row in rows), sum(row.burst_us for row in rows), sum(row.steady_us for row in rows)
    )


def table_of(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    header = ["where", "calls an event", "CPU µs an event, burst", f"CPU µs an event, {_RATE} a second"]
    outside = {LOOP, WEBSOCKET, OTHER_THREADS, "all others", "all"}
    cells = [
        [name if name in outside else f"`{name}`", f"{calls:.0f}" if calls else "", f"{burst:.1f}", f"{steady:.1f}"]
        for name, calls, burst, steady in (*rows, _sum("all", rows))
    ]
    return rig.table_text(header, cells)


def put_into(page: str, table: str) -> str:
    """Return the page with this table between its marks."""
    if page.count(_BEGIN) != 1 or page.count(_END) != 1:
        raise ValueError(f"the page needs each of these once: {_BEGIN} {_END}")
    before, _, rest = page.partition(_BEGIN)
    return f"{before}{_BEGIN}\n{table}\n{_END}{rest.partition(_END)[2]}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what an event costs where.")
    parser.add_argument("--bursts", type=int, default=5, help="how many bursts of 20,000 events (default 5)")
    parser.add_argument("--destinations", type=int, default=1, help="how many get each event (default 1)")
    parser.add_argument("--seconds", type=float, default=60, help="length of the run at 200 a second (default 60)")
    parser.add_argument(
        "--folder", type=Path, help="where the outbox is made: a real disk (default: the temporary folder)"
    )
    parser.add_argument("--page", type=Path, default=Path("docs/performance.md"), help="where the table goes")
    parser.add_argument("--picture", type=Path, default=Path("docs/where.svg"), help="where the picture goes")
    parser.add_argument("--dry", action="store_true", help="write neither the table nor the picture")
    parser.add_argument("--json", type=Path, help="write the results there")
    settings = parser.parse_args()
    machine = rig.describe_machine(settings.folder)
    print("; ".join(f"{name} {value}" for name, value in machine.items()) + "\n", flush=True)
    costs = measure(settings)
    rows = rows_of(count_calls(settings.destinations), costs)
    print(table_of(rows))
    if settings.json is not None:
        rig.write_json(settings.json, {"machine": machine, "rows": rows})
    if not settings.dry:
        from benchmarks import plots  # noqa: PLC0415 - it needs matplotlib

        page = settings.page.read_text(encoding="utf-8")
        settings.page.write_text(put_into(page, table_of(rows)), encoding="utf-8")
        plots.save(plots.draw_where(rows), settings.picture)


if __name__ == "__main__":
    main()
