"""The coverage gate: how much of each part of the code its tests must run, in lines and branches together.

`python -m tools.coverage_gate core` runs the tests of the core and judges what they cover of it. `python -m tools.coverage_gate elsewhere`
runs all tests for the rest of the code; `--report FILE` judges a JSON report of coverage.py that another run has written, and runs nothing.
The limits are in pyproject.toml, under `tool.forwarder.coverage`. What falls short is listed by file, with the lines and branches that no
test runs.
"""

import argparse
import json
import os
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
PARTS = ("core", "elsewhere")
_TESTS = {"core": "tests/core", "elsewhere": "tests"}


@dataclass(frozen=True, slots=True)
class Covered:
    """How many lines and branches there are, and how many of them ran."""

    all: int = 0
    ran: int = 0

    @property
    def percent(self) -> float:
        """The share that ran; of nothing, all."""
        return 100 * self.ran / self.all if self.all else 100.0

    def __add__(self, other: "Covered") -> "Covered":
        return Covered(self.all + other.all, self.ran + other.ran)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and judge; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.coverage_gate", description="Measure coverage of one part.")
    parser.add_argument("part", choices=PARTS)
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="a JSON report of coverage.py to judge; runs no tests"
    )
    asked = parser.parse_args(arguments)
    limit = limits_of(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")))[asked.part]
    code = 0
    if asked.report is None:
        code, report = measure(asked.part)
    else:
        report = json.loads(asked.report.read_text(encoding="utf-8"))
    lines, is_enough = judged(report, asked.part, limit)
    print("\n".join(lines), flush=True)
    return code if is_enough else 1


def limits_of(pyproject: Mapping[str, Any]) -> dict[str, float]:
    """Return the least percentage of each part."""
    limits = pyproject["tool"]["forwarder"]["coverage"]
    return {part: float(limits[part]) for part in PARTS}


def measure(part: str) -> tuple[int, Mapping[str, Any]]:
    """Run the tests of a part; return the exit code of pytest and the report of coverage.py."""
    with TemporaryDirectory(prefix="forwarder-coverage-") as folder:
        report = Path(folder) / "coverage.json"
        # pytest-cov asks for -n before tests/conftest.py chooses it, so it is said here.
        command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", _TESTS[part], "-p", "no:cacheprovider"]
        command += ["--cov", "--cov-report=", f"--cov-report=json:{report}"]
        env = os.environ | {"COVERAGE_FILE": str(Path(folder) / "coverage")}
        code = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
        return code, json.loads(report.read_text(encoding="utf-8"))


def judged(report: Mapping[str, Any], part: str, limit: float) -> tuple[list[str], bool]:
    """Return what to print of a report, and whether the part reaches its limit."""
    files = {path: summary for path, summary in report["files"].items() if _part_of(path) == part}
    by_room: dict[str, Covered] = defaultdict(Covered)
    for path, file in files.items():
        by_room[_room_of(path)] += _covered(file["summary"])
    total = sum(by_room.values(), Covered())
    is_enough = bool(files) and total.percent >= limit
    lines = [f"{room:<28} {covered.percent:6.1f} %" for room, covered in sorted(by_room.items())]
    if not is_enough:
        lines += _missing(files)
    verdict = "reaches" if is_enough else "does NOT reach"
    return [*lines, f"coverage: {part} has {total.percent:.2f} % and {verdict} its limit of {limit:g} %"], is_enough


def _missing(files: Mapping[str, Any]) -> Iterator[str]:
    for path, file in sorted(files.items()):
        branches = [f"{start}->{end if end > 0 else 'exit'}" for start, end in file["missing_branches"]]
        if missing := [*map(str, file["missing_lines"]), *branches]:
            yield f"{path}: not run: {' '.join(missing)}"


def _covered(summary: Mapping[str, int]) -> Covered:
    return Covered(
        summary["num_statements"] + summary["num_branches"], summary["covered_lines"] + summary["covered_branches"]
    )


def _part_of(path: str) -> str:
    return "core" if Path(path).parts[:2] == ("forwarder", "core") else "elsewhere"


def _room_of(path: str) -> str:
    """Return the folder two or three levels down: forwarder/streams, forwarder/core/routing."""
    depth = 3 if _part_of(path) == "core" else 2
    return "/".join(Path(path).parts[:depth])


if __name__ == "__main__":
    sys.exit(main())
