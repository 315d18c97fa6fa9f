"""Shows the lines of a config file around a mistake without what may be a secret in them. Pure.

The file could not be loaded, so nothing says which of its values are secrets. Values are shown only in the sections that hold rules,
and there not beside a word such as `key` or `url`; everywhere else only the keys are.
"""

import re

import msgspec

_AROUND = 3
_MOST_LINE = 300
_RULES = frozenset({"routes", "lists", "matchers", "unmatched", "tests"})
"""The sections that hold rules."""
_TOP = re.compile(r"([A-Za-z_][\w-]*)\s*:(?:\s|$)")
_KEY = re.compile(r"(\s*(?:- +)*(?:[A-Za-z_][\w.-]{0,29}\s*:(?=\s|$))?)(.*)", re.DOTALL)
_SECRET = re.compile(r"://|(?:key|token|secret|pass|url|cert|sign|auth|header|cookie|webhook)", re.IGNORECASE)
HIDDEN = "…"
"""Stands for a value that is not shown."""


class SourceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a config file."""

    number: int
    text: str
    is_wrong: bool
    """Whether the mistake is in this line."""


def excerpt_of(text: str, line: int) -> list[SourceLine]:
    """Return the lines around this one, counted from 1; none if the file has no such line."""
    lines = text.splitlines()
    if not 1 <= line <= len(lines):
        return []
    found, section = [], ""
    for number, each in enumerate(lines, 1):
        if (top := _TOP.match(each)) is not None:
            section = top[1]
        elif each[:1].strip(" #-"):  # neither indented nor empty: what this is part of is not known
            section = ""
        if abs(number - line) <= _AROUND:
            found.append(SourceLine(number=number, text=_shown(each[:_MOST_LINE], section), is_wrong=number == line))
        if number > line + _AROUND:
            break
    return found


def _shown(line: str, section: str) -> str:
    """Return a line without what may be a secret."""
    if section in _RULES and not _SECRET.search(line):
        return line
    found = _KEY.fullmatch(line)
    key, value = ("", line) if found is None else (found[1], found[2])
    return f"{key.rstrip()} {HIDDEN}" if value.strip() else line.rstrip()
