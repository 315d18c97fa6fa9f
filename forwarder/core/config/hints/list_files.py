"""Finds lines of a list file that contain more than their value: a comment, quotation marks, a comma, characters that nobody sees."""

import re
from collections.abc import Iterator

from forwarder.core.config.hints.characters import QUOTES, ZERO_WIDTH
from forwarder.core.yaml.problems import quote

_ODD = re.compile(rf"[ \t]#(?:[ \t#]|$)|^[ \t]*(?:- |[{QUOTES}])|[,;][ \t\r]*$|[{ZERO_WIDTH}]", re.MULTILINE)
_COMMENT = re.compile(r"[ \t]+#(?:[ \t#].*)?$")


def hints_of_list_file(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the line and the column of each odd value, and what is odd about it."""
    if not _ODD.search(text.removeprefix("\ufeff")):  # hundreds of thousands of lines are as they should be
        return
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        value = line.strip()
        if value and not (value[0] == "#" and value[1:2] in {"", "#", " ", "\t"}) and (said := _said(value)):
            yield number, line.index(value) + 1, said


def _said(value: str) -> str:
    instead = _COMMENT.sub("", value)
    if instead != value:
        return (
            f"{quote(value)} is one value, because a comment in a list file has a line of its own; "
            f"write {quote(instead)} on the line, and the comment above it"
        )
    bare = value.strip(ZERO_WIDTH + " \t")
    if bare and bare != value:
        return f"{quote(value)} begins or ends with a character that nobody sees; write {bare}"
    if value.startswith("- ") and value[2:].strip():
        return (
            f"{quote(value)} begins with a dash and a space, which are a part of the value; write {value[2:].strip()}"
        )
    if len(value) > 2 and value[0] in QUOTES and value[-1] in QUOTES:
        return f"the quotation marks are a part of the value {quote(value)}; write {value[1:-1]}"
    if len(value) > 1 and value[-1] in ",;" and value[:-1].strip(" ,;"):
        return f"{quote(value)} ends with {value[-1]!r}, which is a part of the value; write one value on each line, without it"
    return ""
