"""Tests of texts. Each takes several values and passes for any of them."""

import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from forwarder.core.matching.subject import Found, Subject
from forwarder.core.tree import Scalar

if TYPE_CHECKING:
    import re2


@dataclass(frozen=True, slots=True)
class Equals:
    """The value is one of these. Text compares as it stands in the file; numbers, true, false and null by their value."""

    written: tuple[Scalar, ...] = field(compare=False)
    texts: frozenset[str]
    """Folded where case is ignored."""
    others: tuple[bool | int | float | None, ...]
    """What the unquoted scalars `1.5`, `true`, `null` mean as JSON, beside their text."""
    ignore_case: bool
    types: tuple[type, ...] = field(init=False, repr=False)
    """Of the others, so that a test for 1 and one for true are not equal."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", tuple(map(type, self.others)))

    def passes(self, value: Found, subject: Subject) -> bool:  # noqa: D102 - said by the Protocol
        if isinstance(value, str):
            return (subject.fold(value) if self.ignore_case else value) in self.texts
        if not self.others or isinstance(value, list | dict):
            return False
        # True == 1 in Python, not in JSON.
        return any(value == other and isinstance(value, bool) == isinstance(other, bool) for other in self.others)


@dataclass(frozen=True, slots=True)
class _OfText:
    written: tuple[Scalar, ...] = field(compare=False)
    parts: tuple[str, ...]
    """Folded where case is ignored."""
    ignore_case: bool

    def _text(self, value: Found, subject: Subject) -> str | None:
        if not isinstance(value, str):
            return None
        return subject.fold(value) if self.ignore_case else value


class Contains(_OfText):
    """The value is a text that has one of these in it."""

    __slots__ = ()

    def passes(self, value: Found, subject: Subject) -> bool:  # noqa: D102
        text = self._text(value, subject)
        if text is None:
            return False
        for part in self.parts:  # noqa: SIM110
            if part in text:
                return True
        return False


class Word(_OfText):
    """The value is a text that has one of these in it as a word of its own."""

    __slots__ = ()

    def passes(self, value: Found, subject: Subject) -> bool:  # noqa: D102
        text = self._text(value, subject)
        return text is not None and any(_has_word(text, part) for part in self.parts)


class Prefix(_OfText):
    """The value is a text that begins with one of these."""

    __slots__ = ()

    def passes(self, value: Found, subject: Subject) -> bool:  # noqa: D102
        text = self._text(value, subject)
        return text is not None and text.startswith(self.parts)


class Suffix(_OfText):
    """The value is a text that ends with one of these."""

    __slots__ = ()

    def passes(self, value: Found, subject: Subject) -> bool:  # noqa: D102
        text = self._text(value, subject)
        return text is not None and text.endswith(self.parts)


@dataclass(frozen=True, slots=True)
class Wildcard:
    """The whole value is a text of one of these shapes: the pieces between the `*`, in their order."""

    written: tuple[Scalar, ...] = field(compare=False)
    shapes: tuple[tuple[str, ...], ...]
    """Folded where case is ignored; one piece alone has no `*`."""
    ignore_case: bool

    def passes(self, value: Found, subject: Subject) -> bool:  # noqa: D102
        if not isinstance(value, str):
            return False
        text = subject.fold(value) if self.ignore_case else value
        return any(_has_shape(text, pieces) for pieces in self.shapes)


@dataclass(frozen=True, slots=True)
class Regex:
    """The value is a text in which one of these RE2 patterns is found, anywhere."""

    written: tuple[Scalar, ...]
    patterns: tuple["re2._Regexp[str]", ...] = field(compare=False)
    ignore_case: bool

    def passes(self, value: Found, subject: Subject) -> bool:  # noqa: D102
        if not isinstance(value, str):
            return False
        encoded = subject.encode(value)
        for pattern in self.patterns:  # noqa: SIM110
            if pattern.search(encoded) is not None:
                return True
        return False


_JOINED_SCRIPTS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1100, 0x11FF),  # Korean letters
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0xA4CF),  # Chinese, Japanese, Yi
    (0xA960, 0xA97F),
    (0xAC00, 0xD7FF),  # Korean syllables
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),  # narrow Japanese
    (0x1B000, 0x1B16F),
    (0x20000, 0x3FFFF),
)
"""Scripts whose words stand side by side, or have their endings stuck on: a word is found wherever it stands."""


def is_word_character(character: str) -> bool:
    """Return whether a character makes one word with its like beside it."""
    code = ord(character)
    if code < 0x80:
        return character.isalnum() or character == "_"
    if any(first <= code <= last for first, last in _JOINED_SCRIPTS):
        return False
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def _has_word(text: str, word: str) -> bool:
    at = text.find(word)
    while at >= 0:
        if stands_alone(text, word, at):
            return True
        at = text.find(word, at + 1)
    return False


def stands_alone(text: str, word: str, at: int) -> bool:
    """Return whether the word at that place of the text is not a part of a longer one."""
    end = at + len(word)
    if at > 0 and is_word_character(word[0]) and is_word_character(text[at - 1]):
        return False
    return not (end < len(text) and is_word_character(word[-1]) and is_word_character(text[end]))


def _has_shape(text: str, pieces: tuple[str, ...]) -> bool:
    """Return whether the pieces stand in the text one after another: the first at its start, the last at its end."""
    first, *middle = pieces
    if not middle:
        return text == first
    last = middle.pop()
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
