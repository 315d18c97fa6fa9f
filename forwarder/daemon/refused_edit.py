"""Reads the lines around the mistakes of an edit that was refused, from the file as it is now."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from forwarder.core.config.excerpt import excerpt_of
from forwarder.core.config.problem_places import ConfigProblem
from forwarder.files import read_file

_MOST = 20
"""For so many problems lines are read."""
_LONGEST_BYTES = 4 * 1024 * 1024
_ENDINGS = frozenset({".yaml", ".yml"})
_SLACK_S = 2.0
"""A file with a later time than the refusal, by more than this, is another edit."""


def with_excerpts(problems: Sequence[ConfigProblem], *, config: Path, at: datetime) -> list[ConfigProblem]:
    """Return the problems with the lines around them, where the file is still the one that was refused at that time. It reads files."""
    texts: dict[str, str] = {}
    found = []
    for number, problem in enumerate(problems):
        if problem.file is None or problem.line is None or number >= _MOST:
            found.append(problem)
            continue
        if problem.file not in texts:
            texts[problem.file] = _text_of(config.parent / problem.file, at)
        found.append(replace(problem, lines=excerpt_of(texts[problem.file], problem.line)))
    return found


def _text_of(path: Path, at: datetime) -> str:
    """Return the text of a config file; nothing if it cannot be read, or was changed after that time."""
    try:
        if path.suffix not in _ENDINGS or path.stat().st_mtime > at.timestamp() + _SLACK_S:
            return ""
        return read_file(path, limit=_LONGEST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
