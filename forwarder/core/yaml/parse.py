"""Reads bytes as nodes: the structure of the YAML file, each node with its place, nothing interpreted.

It uses libyaml's events instead of `yaml.compose`, for three reasons. An explicit tag can be distinguished from a resolved one.
The depth is limited before anything recurses. An alias is counted in full when it is read, so a bomb of aliases or merge keys is
refused before it is expanded. It uses the C loader, because that reads the largest allowed file well within a second (the Python
loader needs many), counts characters in the same way, and has fixed messages that never quote the file, which may hold a secret.
"""

import re
from typing import Protocol

import yaml

from forwarder.core.yaml.node_builder import MAX_DEPTH, NodeBuilder
from forwarder.core.yaml.nodes import Node, RefusedError
from forwarder.core.yaml.problems import Problem

MAX_BYTES = 8 << 20
EMPTY = "the file is empty"

_BOM = "\ufeff"
_LINE_BREAK = re.compile(r"\r\n?|\n")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The characters that YAML calls unprintable, and three (U+0085, U+2028, U+2029) that are line breaks in YAML but not in editors."""

_SINGLE_QUOTES = r"in double quotes a \ begins an escape of YAML; use single quotes, as in regex: '\d+'"
_HINTS = {
    "mapping values are not allowed in this context": 'write a value that contains ": " in quotes',
    "could not find expected ':'": "is a colon missing, or the space after it?",
    "did not find expected key": "is the line indented as its neighbours are?",
    "did not find expected '-' indicator": "is the line indented as its neighbours are?",
    "found unexpected end of stream": "is a quote missing?",
    "found unknown escape character": _SINGLE_QUOTES,
    "did not find expected hexdecimal number": _SINGLE_QUOTES,
    "found a tab character that violates indentation": "indent with spaces, not tabs",
}


_COMMENT = re.compile(r"[{\[,:].*\s#|[{\[,]#")
"""A comment behind something that is not closed yet."""


class _Mark(Protocol):
    line: int
    column: int


def read_nodes(data: bytes, *, lines_before: int = 0) -> tuple[Node, list[Problem]]:
    """Return the root of the file, and the problems that do not prevent reading: repeated keys, tags, wrong merges.

    `lines_before` counts the lines of the files before this one; they are added to each line. Raises `RefusedError` for those that do: a wrong encoding, wrong YAML, and a file beyond one of the limits.
    """
    text = _decode(data, lines_before)
    builder = NodeBuilder(lines_before)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, lines_before) from None
    if builder.root is None:
        raise RefusedError(1 + lines_before, 1, EMPTY)
    return builder.root, builder.problems


def _decode(data: bytes, lines_before: int) -> str:
    if len(data) > MAX_BYTES:
        raise RefusedError(1 + lines_before, 1, f"the file is {len(data)} bytes long; {MAX_BYTES} are allowed")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line, column = _place(data[: error.start].decode())
        raise RefusedError(
            line + lines_before, column, f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from None
    text = text.removeprefix(_BOM)
    if found := _FORBIDDEN.search(text):
        line, column = _place(text[: found.start()])
        raise RefusedError(line + lines_before, column, f"the character U+{ord(found[0]):04X} is not allowed here")
    return text


def _place(before: str) -> tuple[int, int]:
    """Return the line and column after this text, both from 1."""
    lines = _LINE_BREAK.split(before.removeprefix(_BOM))
    return len(lines), len(lines[-1]) + 1


def _position(mark: "_Mark | None") -> tuple[int, int]:
    """Return a line and column from 1; libyaml counts from 0."""
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _syntax_error(error: yaml.MarkedYAMLError, text: str, lines_before: int) -> RefusedError:
    mark, begin, said = error.problem_mark, error.context_mark, error.problem or ""
    line, column = _position(mark)
    line += lines_before
    context = f"{error.context} that begins on line {begin.line + 1}: " if error.context and begin else ""
    if "nesting depth" in said:  # libyaml has its own limit since 0.2.6, and reads further ahead
        return RefusedError(line, column, f"nested more than {MAX_DEPTH} deep")
    hint = _hint(error, said, _LINE_BREAK.split(text))
    return RefusedError(line, column, f"not valid YAML: {context}{said}{'; ' if hint else ''}{hint}")


def _hint(error: yaml.MarkedYAMLError, said: str, lines: list[str]) -> str:
    """Return what to do about a syntax error, from what is written at its place."""
    line, column = _position(error.problem_mark)
    begin, _ = _position(error.context_mark)
    here = lines[line - 1 : line]
    if said == "found character that cannot start any token":
        mark = here[0][column - 1 : column] if here else ""
        return (
            "indent with spaces, not tabs"
            if mark == "\t"
            else f"write a value that begins with {mark or '@'} in quotes"
        )
    if said.startswith("did not find expected ','"):
        if here and "${" in here[0]:
            return 'between { } or [ ] write "${NAME}" in quotes'
        if any(_COMMENT.search(each) for each in lines[begin - 1 : line]):
            return "a # after a space begins a comment; write a value with such a # in quotes"
    return _HINTS.get(said, "")
