"""Takes the place out of a sentence about a config, so that the page can show it."""

import re

import msgspec

from forwarder.core.config.excerpt import SourceLine

_PLACE = re.compile(r"(?P<file>[^:\n]+):(?P<line>[0-9]+):(?:(?P<column>[0-9]+):)? ")


class ConfigProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with an edit of the config."""

    text: str
    """The whole sentence, with its place."""
    file: str | None = None
    line: int | None = None
    column: int | None = None
    lines: list[SourceLine] = []
    """The lines around it, without what may be a secret; only of the last refused edit, where its file was not changed since."""


def problem_of(text: str) -> ConfigProblem:
    """Return a problem with its place, if the sentence begins with one."""
    found = _PLACE.match(text)
    if found is None:
        return ConfigProblem(text=text)
    column = found["column"]
    return ConfigProblem(
        text=text, file=found["file"], line=int(found["line"]), column=None if column is None else int(column)
    )
