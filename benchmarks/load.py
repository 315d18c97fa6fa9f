"""How long a config of many routes takes to load, and what memory it costs.

    python -m benchmarks.load [--routes 100 1000 10000] [--runs 5] [--json FILE]

Each figure comes from a process of its own, which reads a file as the daemon does (`read_config`: from bytes to conditions that are
compiled) and as the commands beside it do (`load_outline`: where the outbox is). A route has a name, a source, ten authors and
either ten keywords or a regex; each destination serves 100 routes.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from forwarder.configfile.locations import without_collections
from forwarder.configfile.read import read_config
from forwarder.core.config.partial import load_outline

_HEAD = "streams: [{api_key: k}]\n"
_FIGURES = {
    "file, MiB": "file_mib",
    "load, s": "load_s",
    "outline, s": "outline_s",
    "memory before, MiB": "before_mib",
    "peak while loading, MiB": "peak_mib",
    "memory after, MiB": "after_mib",
}


def config_text(route_count: int) -> str:
    """Return a config of so many routes as people write them, each with words and authors of its own."""
    destinations = [
        f"  bot{number}: {{url: 'http://127.0.0.1:9000/{number}'}}\n" for number in range(route_count // 100 + 1)
    ]
    return f"{_HEAD}destinations:\n{''.join(destinations)}routes:\n{''.join(map(_route, range(route_count)))}"


def _route(number: int) -> str:
    authors = ", ".join(str(44_196_397 + 7_919 * (10 * number + each)) for each in range(10))
    words = ", ".join(f"word{(31 * number + each) % 99_991}" for each in range(10))
    test = f"{{contains: [{words}]}}" if number % 4 else rf"{{regex: '\bticker{number}[0-9a-f]{{4}}\b'}}"
    return (
        f"  - name: rule {number}\n    match:\n      source: [x, fast-x]\n      sid: [{authors}]\n      text: {test}\n"
        f"    to: bot{number // 100}\n    stop: {'true' if number % 2 else 'false'}\n"
    )


def _memory_mib() -> float:
    """Return the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1024**2


def _timed(work: Callable[[], object]) -> tuple[float, object]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def measure(path: Path) -> dict[str, float]:
    """Load the config in this process, once, and return what that cost."""
    before_mib = _memory_mib()
    load_s, config = _timed(lambda: read_config(path))
    figures = {
        "file_mib": path.stat().st_size / 1024**2,
        "before_mib": before_mib,
        "load_s": load_s,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "after_mib": _memory_mib(),
    }
    del config
    text = path.read_bytes()
    with without_collections():
        figures["outline_s"] = _timed(lambda: load_outline(text, name=str(path), env={}))[0]
    return figures


def _in_a_process_of_its_own(path: Path) -> dict[str, float]:
    arguments = [sys.executable, "-m", "benchmarks.load", "--measure", str(path)]
    figures: dict[str, float] = json.loads(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)
    return figures


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure how long a config of many routes takes to load.")
    parser.add_argument("--routes", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--runs", type=int, default=5, help="of each; the figures are medians (default: 5)")
    parser.add_argument("--json", type=Path, help="where to write every run")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    arguments = _parse()
    if arguments.measure is not None:
        print(json.dumps(measure(arguments.measure)))
        return
    runs: dict[int, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        for count in arguments.routes:
            path.write_text(config_text(count), encoding="utf-8")
            runs[count] = [_in_a_process_of_its_own(path) for _ in range(arguments.runs)]
    print(f"| {'routes':<24} | " + " | ".join(f"{count:>7,}" for count in runs) + " |")
    print(f"| {'-' * 24} | " + " | ".join("-" * 7 for _ in runs) + " |")
    for title, key in _FIGURES.items():
        cells = [statistics.median(run[key] for run in each) for each in runs.values()]
        print(f"| {title:<24} | " + " | ".join(f"{cell:>7.3g}" for cell in cells) + " |")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(runs), encoding="utf-8")


if __name__ == "__main__":
    main()
