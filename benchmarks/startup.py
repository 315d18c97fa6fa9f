"""What a command costs before and while it works: CPU time of the whole process, as the median of several runs, against its limit.

    python -m benchmarks.startup [--runs N] [--json FILE]

It measures the forwarder that `python -m forwarder` starts; PYTHONPATH=CHECKOUT measures another one. For `status` and `deliveries` a daemon
runs in a folder of its own, with a stream that nobody serves. The files are in the page cache and compiled: every command runs once before.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

CONFIG = """
streams: [{url: "ws://127.0.0.1:9/ws", api_key: key}]
destinations: {bot: {url: "http://127.0.0.1:9/hook"}}
routes: [{name: all, to: bot}]
"""
HELP_S = 0.25
LIMITS_S = {
    "--version": 0.15,
    "--help": 0.15,
    "check --help": HELP_S,
    "run --help": HELP_S,
    "deliveries --help": HELP_S,
    "listen --help": HELP_S,
    "check": 0.4,
    "status": 0.3,
    "deliveries": 0.3,
}
_READY_WITHIN_S = 30


def cpu_s(arguments: Sequence[str], folder: Path) -> float:
    """Run a command; return the user and system time of its process and of their children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "forwarder", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(folder: Path, runs: int) -> dict[str, float]:
    """Return the median of each line. The lines take turns, so that a slow moment of the machine is not all in one of them."""
    taken: dict[str, list[float]] = {line: [] for line in LIMITS_S}
    for number in range(runs + 1):
        for line, found in taken.items():
            took_s = cpu_s(line.split(), folder)
            if number:
                found.append(took_s)
    return {line: statistics.median(found) for line, found in taken.items()}


def main() -> int:
    """Measure, print the figures; exit code 1 where one is above its limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="forwarder-startup-") as name:
        folder = Path(name)
        (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
        daemon = subprocess.Popen(
            [sys.executable, "-m", "forwarder", "run"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            until = time.monotonic() + _READY_WITHIN_S
            while not (folder / "outbox.db.sock").exists():
                if time.monotonic() > until or daemon.poll() is not None:
                    print("the daemon does not start", file=sys.stderr)
                    return 1
                time.sleep(0.05)
            figures = measure(folder, arguments.runs)
        finally:
            daemon.terminate()
            daemon.wait()
    for line, took_s in figures.items():
        note = "" if took_s <= LIMITS_S[line] else "  ABOVE THE LIMIT"
        print(f"{line:<20} {took_s:.3f} s of CPU, limit {LIMITS_S[line]:.2f} s{note}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return int(any(took_s > LIMITS_S[line] for line, took_s in figures.items()))


if __name__ == "__main__":
    sys.exit(main())
