"""Reads frames of scrape.st's public stream: they have no ids, and their payload is the first 100 characters of a JSON text."""

import json
import re
from typing import Any, NoReturn

HAS_ID = b'"mid"'
"""Every other event has this in its JSON text; a frame of the public stream has not: within its payload quotation marks are escaped."""
_LONGEST = 4_000
"""How many characters are read of a text."""
_DEEPEST = 100
_WRITTEN = frozenset(
    {"text", "message", "content", "cleanContent", "title", "description", "summary", "note_tweet_text"}
)
"""The keys of texts that people wrote. The beginning of such a text is worth reading; a part of an id or a link is another id or link."""
_ENDS = {"{": "}", "[": "]"}
_HALF_AT_END = re.compile(
    r"((?<!\\)(?:\\\\)*)(?:[\ud800-\udbff]|\\u[dD][89abAB][0-9a-fA-F]{2})?(?:\\(?:u[0-9a-fA-F]{0,3})?)?\Z"
)
"""Half an escape and the first half of a surrogate pair at the end of a text, after backslashes that stand for themselves."""


def is_cut(envelope: dict[str, Any]) -> bool:
    """Return whether a decoded frame has the form of the public stream."""
    source, timestamp = envelope.get("source"), envelope.get("timestamp")
    return (
        isinstance(envelope.get("payload"), str)
        and not {"mid", "sid"} & envelope.keys()
        and isinstance(source, str)
        and source != ""
        and isinstance(timestamp, int | float)
        and not isinstance(timestamp, bool)
    )


def is_cut_body(body: bytes) -> bool:
    """Return whether a body is a frame of the public stream, byte for byte."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and is_cut(value)


def cut_mid(payload: dict[str, Any]) -> str:
    """Return the id of the post in what can be read of a cut payload; an empty text if it is not there."""
    id_ = payload.get("id")
    return str(id_) if isinstance(id_, str | int) and not isinstance(id_, bool) else ""


def read_cut(text: str) -> dict[str, Any]:
    """Return what can be read of an object whose JSON text ends somewhere, with `...` after it or without.

    A value that is not complete is left out, but the beginning of a text that a person wrote is kept. An empty object if nothing can
    be read. No input raises an error.
    """
    text = text[:_LONGEST].removesuffix("...")
    closed = _closed(text)
    try:
        value = json.loads(closed, parse_constant=_refuse) if closed is not None else None
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _closed(text: str) -> str | None:
    """Return the JSON text up to its last complete value, with everything closed that is open; `None` if nothing is complete."""
    scan = _Scan(text)
    for at, mark in enumerate(text):
        scan.take(at, mark)
        if len(scan.open) > _DEEPEST:
            return None
    return scan.closed()


class _Scan:
    """Goes through a JSON text, and knows where it could be closed. It relies on nothing: `json.loads` judges the result."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.open: list[str] = []
        """The brackets that are open."""
        self._complete: tuple[int, str] | None = None
        """Where the last complete value ends, and what closes the brackets that were open there."""
        self._string_at: int | None = None
        """Where the string that is being read begins."""
        self._is_escaped = False
        """Whether the next character in it comes after a backslash."""
        self._is_key = False
        """Whether the string that is being read, or the next one, is a key."""
        self._key = ""

    def take(self, at: int, mark: str) -> None:
        """Read one character."""
        if self._string_at is not None:
            self._take_in_string(at, mark, self._string_at)
        elif mark == '"':
            self._string_at = at
        elif mark in _ENDS:
            self.open.append(mark)
            self._is_key = mark == "{"
            self._complete_at(at + 1)
        elif mark in "}]":
            if self.open:
                self.open.pop()
            self._complete_at(at + 1)
        elif mark == ",":
            self._complete_at(at)
            self._is_key = self.open[-1:] == ["{"]
        elif mark == ":":
            self._is_key = False

    def _take_in_string(self, at: int, mark: str, began: int) -> None:
        if self._is_escaped:
            self._is_escaped = False
        elif mark == "\\":
            self._is_escaped = True
        elif mark == '"':
            self._string_at = None
            if self._is_key:
                self._key = self._text[began + 1 : at]
            else:
                self._complete_at(at + 1)

    def _complete_at(self, at: int) -> None:
        self._complete = at, "".join(_ENDS[mark] for mark in reversed(self.open))

    def closed(self) -> str | None:
        """Return the text, closed."""
        if self._string_at is not None and not self._is_key and self._key in _WRITTEN:
            ends = "".join(_ENDS[mark] for mark in reversed(self.open))
            return _HALF_AT_END.sub(r"\1", self._text, count=1) + '"' + ends
        if self._complete is None:
            return None
        at, ends = self._complete
        return self._text[:at] + ends


def _refuse(_name: str) -> NoReturn:
    raise ValueError
