"""Problems of a file with their places, and how messages show them."""

import json
import re
from collections.abc import Iterable, Sequence

import msgspec

from forwarder.core.yaml.shown_keys import NOT_SHOWN, shown_key
from forwarder.core.yaml.sources import ALONE, Sources
from forwarder.core.yaml.tree import Path
from forwarder.core.yaml.words import nearest_word

MAX_REPORTED = 10_000
"""The most problems of one file that are reported. A file with more was written by a program or by an attacker."""
_PLAIN_KEY = re.compile(r"[\w-]+")
_MOST_NAMES = 20
"""The most names that a message lists."""
_SHOWN = 60
"""The most characters of a text that a message shows."""


class Problem(msgspec.Struct, frozen=True):
    """One mistake in a file. Line and column count from 1; `path` is written as `routes[2].to[0]`, empty for the whole file."""

    line: int
    column: int
    path: str
    message: str
    file: str = ""
    """The file, where it is not the one that the error names: an included one."""


class ConfigError(Exception):
    """The file is not valid. `problems` holds all reasons in the order of the file; `str()` shows each on one line."""

    def __init__(self, name: str, problems: Iterable[Problem], sources: Sources = ALONE) -> None:
        """`sources` knows which of several files a line is in."""
        self.name = name
        self.problems = sorted(problems, key=lambda problem: (problem.line, problem.column))
        if sources is not ALONE:
            self.problems = [_located(problem, sources) for problem in self.problems]
        super().__init__(name)

    def __str__(self) -> str:
        return "\n".join(
            printable(
                f"{problem.file or self.name}:{problem.line}:{problem.column}: {problem.path}{': ' if problem.path else ''}{problem.message}"
            )
            for problem in self.problems
        )


def _located(problem: Problem, sources: Sources) -> Problem:
    file, line = sources.place(problem.line)
    return msgspec.structs.replace(problem, file=file, line=line)


def render_path(path: Path) -> str:
    """Return a path as people write it: `routes[2].to[0]`. A key with other characters than letters, digits, _ and - is quoted.

    Of a key that may hold a value by mistake, only its beginning is shown.
    """
    parts: list[str] = []
    for index, step in enumerate(path):
        if isinstance(step, int):
            parts.append(f"[{step}]")
        else:
            parts.append(("." if parts else "") + _rendered(shown_key(step, path[:index])))
    return "".join(parts)


def _rendered(key: str | None) -> str:
    if key is None:
        return NOT_SHOWN
    return key if _PLAIN_KEY.fullmatch(key) else quote(key)


def quote(text: str) -> str:
    """Return the text in double quotes, shortened when it is long, with control characters escaped."""
    cut = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return printable(json.dumps(cut, ensure_ascii=False))


def printable(text: str) -> str:
    """Return the text on one line, with control characters escaped."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else json.dumps(mark)[1:-1] for mark in text)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?` for the nearest of the known words, whatever their case; an empty text where none is near."""
    nearest = nearest_word(word[:_SHOWN], known)
    return "" if nearest is None else f"; did you mean {quote(nearest)}?"


def no_such(what: str, name: str, known: Sequence[str], *, where: str = "the config", hint: str = "") -> str:
    """Return the sentence for a name that does not exist, with those that there are.

    `where` has none if there is none at all. `hint` is the one that was meant, where that is known better than by its letters.
    """
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    names = f"here are: {', '.join(map(printable, known[:_MOST_NAMES]))}{more}" if known else f"{where} has none"
    hint = hint or did_you_mean(name, known)
    return (
        f"no {what} is called {quote(name)}{f'{hint} T{names}' if hint else f'; t{names}' if known else f'; {names}'}"
    )
