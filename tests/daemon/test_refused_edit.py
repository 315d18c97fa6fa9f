"""The lines around a mistake are those of the edit that was refused."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from forwarder.core.config.problem_places import ConfigProblem
from forwarder.daemon.refused_edit import with_excerpts

TEXT = "streams:\n  api_key: abc\nroutes:\n  - too: bot\n"


def problem(file: str, line: int = 4) -> ConfigProblem:
    return ConfigProblem(text=f"{file}:{line}:5: unknown key", file=file, line=line)


def lines(folder: Path, *problems: ConfigProblem) -> list[list[str]]:
    found = with_excerpts(problems, config=folder / "config.yaml", at=datetime.now(UTC))
    assert [each.text for each in found] == [each.text for each in problems]
    return [[line.text for line in each.lines if line.is_wrong] for each in found]


def test_lines_come_from_the_config_and_the_files_that_it_includes(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(TEXT, encoding="utf-8")
    (tmp_path / "more.yml").write_text("routes: []\n", encoding="utf-8")
    shown = lines(tmp_path, problem("config.yaml"), problem(str(tmp_path / "more.yml"), 1), problem("config.yaml", 2))
    assert shown == [["  - too: bot"], ["routes: []"], ["  api_key: …"]]


def test_an_edit_after_that_is_not_shown_for_it(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(TEXT, encoding="utf-8")
    later = (datetime.now(UTC) + timedelta(minutes=1)).timestamp()
    os.utime(tmp_path / "config.yaml", (later, later))
    assert lines(tmp_path, problem("config.yaml")) == [[]]


def test_other_files_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secrets.txt").write_text("routes: abc\n", encoding="utf-8")
    os.mkfifo(tmp_path / "pipe.yaml")
    asked = [
        problem("secrets.txt", 1),
        problem("pipe.yaml", 1),
        problem("missing.yaml"),
        ConfigProblem(text="no place"),
    ]
    assert lines(tmp_path, *asked) == [[], [], [], []]


def test_of_many_problems_the_first_have_lines(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(TEXT, encoding="utf-8")
    shown = lines(tmp_path, *[problem("config.yaml")] * 30)
    assert [bool(each) for each in shown] == [True] * 20 + [False] * 10
