"""The coverage gate counts lines and branches of each part, and holds them against their limits."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT
from tools.coverage_gate import PARTS, judged, limits_of, main


def file(lines: int, branches: int, *, missing: list[int], missing_branches: list[list[int]]) -> dict[str, Any]:
    summary = {"num_statements": lines, "covered_lines": lines - len(missing)}
    summary |= {"num_branches": branches, "covered_branches": branches - len(missing_branches)}
    return {"summary": summary, "missing_lines": missing, "missing_branches": missing_branches}


REPORT = {
    "files": {
        "forwarder/core/routing/router.py": file(6, 4, missing=[7], missing_branches=[[5, 7], [6, -1]]),
        "forwarder/core/event.py": file(10, 0, missing=[], missing_branches=[]),
        "forwarder/core/__init__.py": file(0, 0, missing=[], missing_branches=[]),
        "forwarder/streams/group.py": file(8, 2, missing=[], missing_branches=[]),
    }
}


def test_what_falls_short_is_listed_with_its_lines_and_branches() -> None:
    lines, is_enough = judged(REPORT, "core", 100)
    assert not is_enough
    assert "forwarder/core/routing/router.py: not run: 7 5->7 6->exit" in lines
    assert lines[-1] == "coverage: core has 85.00 % and does NOT reach its limit of 100 %"


def test_a_part_that_reaches_its_limit_passes_whatever_the_other_part_has() -> None:
    assert judged(REPORT, "core", 85)[1]
    lines, is_enough = judged(REPORT, "elsewhere", 100)
    assert is_enough
    assert [line.split() for line in lines[:-1]] == [["forwarder/streams", "100.0", "%"]]


def test_a_report_without_a_file_of_the_part_is_not_enough() -> None:
    assert not judged({"files": {}}, "core", 0)[1]


def test_each_part_has_a_limit() -> None:
    limits = limits_of(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")))
    assert set(limits) == set(PARTS)
    assert all(50 <= limit <= 100 for limit in limits.values())


def test_a_report_of_another_run_is_judged_without_running_tests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "coverage.json"
    report.write_text(json.dumps(REPORT))
    assert main(["elsewhere", "--report", str(report)]) == 0
    assert "coverage: elsewhere has 100.00 % and reaches its limit of 84 %" in capsys.readouterr().out
    assert main(["core", "--report", str(report)]) == 1
    assert "forwarder/core/routing/router.py: not run: 7" in capsys.readouterr().out
