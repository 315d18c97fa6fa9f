"""Tests of texts. Each has several values and passes for any of them."""

import unicodedata
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from forwarder.core.matching.folding import Form
from forwarder.core.matching.subject import Found, Subject
from forwarder.core.yaml.tree import Scalar

if TYPE_CHECKING:
    import re2

_Hashable = TypeVar("_Hashable", bound=Hashable)


@lru_cache(maxsize=1_000)
def shared(value: _Hashable) -> _Hashable:
    """Return one object for all that are equal: thousands of routes name the same sources, or lists of values of the same types."""
    return value


@dataclass(frozen=True, slots=True)
class Equals:
    """Passes for a value that is one of these. Text is compared as written; numbers, true, false and null by their JSON value."""

    written: Sequence[Scalar] = field(compare=False)
    texts: frozenset[str]
    """The texts, without upper case if case is ignored."""
    others: tuple[bool | int | float | None, ...]
    """The JSON values of unquoted scalars such as `1.5`, `true` and `null`."""
    ignore_case: bool
    types: tuple[type, ...] = field(init=False, repr=False)
    """The types of `others`, so that a test for 1 and a test for true are not equal."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", shared(tuple(map(type, self.others))))

    def passes(self, value: Found, subject: Subject) -> bool:
        if isinstance(value, str):
            return (subject.caseless(value) if self.ignore_case else value) in self.texts
        if not self.others or isinstance(value, list | dict):
            return False
        # True == 1 in Python, but not in JSON.
        return any(value == other and isinstance(value, bool) == isinstance(other, bool) for other in self.others)


@dataclass(frozen=True, slots=True)
class _OfText:
    """What the tests for parts of a text have in common."""

    written: Sequence[Scalar] = field(compare=False)
    parts: tuple[str, ...]
    """The texts, in the form in which they are compared."""
    form: Form

    def _text(self, value: Found, subject: Subject) -> str | None:
        return subject.compared(value, self.form) if isinstance(value, str) else None


class Contains(_OfText):
    """Passes for a text that contains one of these."""

    __slots__ = ()

    def passes(self, value: Found, subject: Subject) -> bool:
        text = self._text(value, subject)
        if text is None:
            return False
        for part in self.parts:
            if part in text:
                return True
        return False


class Word(_OfText):
    """Passes for a text that contains one of these as a whole word."""

    __slots__ = ()

    def passes(self, value: Found, subject: Subject) -> bool:
        text = self._text(value, subject)
        return text is not None and any(_has_word(text, part) for part in self.parts)


class Prefix(_OfText):
    """Passes for a text that begins with one of these."""

    __slots__ = ()

    def passes(self, value: Found, subject: Subject) -> bool:
        text = self._text(value, subject)
        return text is not None and text.startswith(self.parts)


class Suffix(_OfText):
    """Passes for a text that ends with one of these."""

    __slots__ = ()

    def passes(self, value: Found, subject: Subject) -> bool:
        text = self._text(value, subject)
        return text is not None and text.endswith(self.parts)


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Passes for a text that has one of these shapes as a whole: the pieces between the `*`, in their order."""

    written: Sequence[Scalar] = field(compare=False)
    shapes: tuple[tuple[str, ...], ...]
    """The pieces of each shape, in the form in which they are compared. A single piece means that there is no `*`."""
    form: Form

    def passes(self, value: Found, subject: Subject) -> bool:
        if not isinstance(value, str):
            return False
        text = subject.compared(value, self.form)
        return any(_has_shape(text, pieces) for pieces in self.shapes)


@dataclass(frozen=True, slots=True)
class Regex:
    """Passes for a text in which one of these RE2 patterns matches anywhere."""

    written: tuple[Scalar, ...]
    patterns: tuple["re2._Regexp[str]", ...] = field(compare=False)
    """The patterns, which ignore case unless the form is `WRITTEN`."""
    form: Form
    """The form of the text that the patterns see. In `CASELESS` they see it as it is written, and ignore case."""

    def passes(self, value: Found, subject: Subject) -> bool:
        if not isinstance(value, str):
            return False
        encoded = subject.encode(subject.folded(value) if self.form is Form.FOLDED else value)
        for pattern in self.patterns:
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
"""Scripts that do not separate words with spaces. There a word is found anywhere."""


def is_word_character(character: str) -> bool:
    """Return whether a character forms a word together with neighbours of its kind."""
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
    """Return whether the word at this position of the text is not part of a longer word."""
    end = at + len(word)
    if at > 0 and is_word_character(word[0]) and is_word_character(text[at - 1]):
        return False
    return not (end < len(text) and is_word_character(word[-1]) and is_word_character(text[end]))


def _has_shape(text: str, pieces: tuple[str, ...]) -> bool:
    """Return whether the text consists of the pieces in this order: the first at its start, the last at its end, any text between."""
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
