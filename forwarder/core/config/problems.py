"""What is wrong with a config file and where, and how that reads."""

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from forwarder.core.tree import Path

MAX_TOLD = 10_000
"""Mistakes of one file that are told. One with more is made by a program, or meant to be a burden."""
_PLAIN_KEY = re.compile(r"[\w-]+")
_SHOWN = 60
"""Characters of a text that a message shows: enough to find it again."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. Line and column count from 1; `path` is written as `routes[2].to[0]`, empty for the whole file."""

    line: int
    column: int
    path: str
    message: str


class ConfigError(Exception):
    """The file cannot be used; `problems` holds every reason, in the order of the file. `str()` is one line for each."""

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.name = name
        self.problems = sorted(problems, key=lambda problem: (problem.line, problem.column))
        super().__init__(name)

    def __str__(self) -> str:
        return "\n".join(
            f"{self.name}:{problem.line}:{problem.column}: {problem.path}{': ' if problem.path else ''}{problem.message}"
            for problem in self.problems
        )


def render_path(path: Path) -> str:
    """Return a path as people write it: `routes[2].to[0]`; a key that is no plain word stands in quotes."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        else:
            parts.append(("." if parts else "") + (step if _PLAIN_KEY.fullmatch(step) else quote(step)))
    return "".join(parts)


def quote(text: str) -> str:
    """Return the text in double quotes, cut when long, with whatever a terminal would act upon escaped."""
    cut = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return "".join(
        mark if mark.isprintable() else json.dumps(mark)[1:-1] for mark in json.dumps(cut, ensure_ascii=False)
    )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?` for the nearest of the known words, or nothing when none is near."""
    nearest = difflib.get_close_matches(word[:_SHOWN], known, n=1)
    return f"; did you mean {quote(nearest[0])}?" if nearest else ""
