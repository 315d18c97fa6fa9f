"""The coverage gate: how much of each part of the code its tests must run, in lines and branches together.

`python -m tools.coverage_gate` measures both parts, `python -m tools.coverage_gate core` one. The limits are in pyproject.toml, under
`tool.forwarder.coverage`. What falls short is listed by file, with the lines and branches that no test runs.
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

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("core", "elsewhere")
_WITHOUT = ("core", "crash", "e2e", "interop", "systemd", "tools")
"""Folders of tests that `elsewhere` leaves out: what they run is another part, no part, or a process that is killed."""


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
    parser = argparse.ArgumentParser(prog="python -m tools.coverage_gate", description="Measure coverage by part.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{' or '.join(PARTS)}; both without one")
    asked = parser.parse_args(arguments).parts or list(PARTS)
    if unknown := set(asked) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    limits = limits_of(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")))
    code = 0
    for part in asked:
        ran, report = measure(part)
        lines, is_enough = judged(report, part, limits[part])
        print("\n".join(lines), flush=True)
        if ran == pytest.ExitCode.TESTS_FAILED and part != "core":
            print("some of its tests failed; whether that may be, `pytest` without coverage judges", flush=True)
        elif ran:  # in CI only this run of the core makes all examples of each property
            is_enough = False
        if not is_enough:
            code = 1
    return code


def limits_of(pyproject: Mapping[str, Any]) -> dict[str, float]:
    """Return the least percentage of each part."""
    limits = pyproject["tool"]["forwarder"]["coverage"]
    return {part: float(limits[part]) for part in PARTS}


def measure(part: str) -> tuple[int, Mapping[str, Any]]:
    """Run the tests of a part; return the exit code of pytest and the report of coverage.py."""
    if part == "core":
        tests = ["tests/core"]
    else:
        folders = [path for path in sorted((ROOT / "tests").iterdir()) if any(path.glob("**/test_*.py"))]
        tests = [f"tests/{path.name}" for path in folders if path.is_dir() and path.name not in _WITHOUT]
    with TemporaryDirectory(prefix="forwarder-coverage-") as folder:
        report = Path(folder) / "coverage.json"
        # pytest-cov asks for -n before tests/conftest.py chooses it, so it is said here.
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            "auto",
            *tests,
            "-m",
            "not alone and not quiet",
            "-p",
            "no:cacheprovider",
        ]
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
