"""Folds texts, so that what looks the same to a person is the same text: for the tests that look for parts of a text.

Folding is NFKC_Casefold of the Unicode standard (section 3.13), and more: every dash is a hyphen, curly quotes and what stands for an
apostrophe are the plain ones, any white space is one space, and the four letters i of Turkish are one.
"""

import re
from enum import Enum, auto
from unicodedata import combining, normalize

_MOST_MARKS = 30
"""How many accents one letter keeps, as in the stream-safe format of Unicode (UAX #15). To sort them takes time quadratic in their number."""
_INVISIBLE = (
    *((0x00, 0x08), (0x0E, 0x1B), (0x7F, 0x84), (0x86, 0x9F)),  # control characters that are no white space
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF)),
    *((0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
"""What nobody sees: control characters, and what Unicode calls ignorable, such as zero-width characters and variation selectors."""
_PLAIN = {
    "-": "\u058a\u05be\u2010\u2011\u2012\u2013\u2014\u2015\u207b\u208b\u2212\u2e3a\u2e3b\ufe31\ufe32\ufe58",
    "'": "\u00b4\u02bb\u02bc\u2018\u2019\u201a\u201b\u2032\u1ffd",
    '"': "\u201c\u201d\u201e\u201f",
}
"""What is written in place of a plain character."""
_REPLACED = {
    **{mark: plain for plain, marks in _PLAIN.items() for mark in marks},
    "\u0149": "'n",
    "\u2033": "''",
    "\u2034": "'''",
    "\u2057": "''''",
    # The accents that normalization makes two of, or that it makes of a character that is none.
    "\u0344": "\u0308\u0301",
    "\u0f73": "\u0f71\u0f72",
    "\u0f75": "\u0f71\u0f74",
    "\u0f81": "\u0f71\u0f80",
    "\uff9e": "\u3099",
    "\uff9f": "\u309a",
}
_SPECIAL = re.compile(f"[{''.join(_REPLACED)}{''.join(f'{chr(first)}-{chr(last)}' for first, last in _INVISIBLE)}]")
_DOTTED = re.compile("i\u0307+")
_KEPT = re.compile("([™℠]|\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f)")
"""Signs that are no letters, so that a brand before one is a word, and flags of regions, whose letters are invisible ones."""
_MAY_BE_KEPT = ("™", "℠", "\U0001f3f4")


class Form(Enum):
    """The form in which a test compares texts."""

    WRITTEN = auto()
    """As they are written."""
    CASELESS = auto()
    """Upper and lower case are the same, and nothing else is."""
    FOLDED = auto()
    """Texts that look the same are the same: see `fold`."""


def form_of(text: str, form: Form) -> str:
    """Return a text in the form in which it is compared."""
    if form is Form.WRITTEN:
        return text
    return text.casefold() if form is Form.CASELESS else fold(text)


def fold(text: str) -> str:
    """Return the folded text, in lower case. To fold it again changes nothing.

    This takes linear time. White space at the ends stays, as one space.
    """
    if text.isascii():
        lower = text.lower()
        if lower.isprintable() and "  " not in lower:
            return lower
        lower = _spaced(lower)
        return lower if lower.isprintable() else _spaced(_SPECIAL.sub("", lower))
    for mark in _MAY_BE_KEPT:
        if mark in text:
            parts = _KEPT.split(text)
            return _spaced("".join(part if number % 2 else _folded(part) for number, part in enumerate(parts)))
    return _spaced(_folded(text))


def _folded(text: str) -> str:
    if _SPECIAL.search(text) is not None:
        text = _SPECIAL.sub(_replacement, text)
    text = normalize("NFKC", _with_few_marks(text))
    lower = text.casefold()
    if "\u0131" in lower or "i\u0307" in lower:
        lower = _DOTTED.sub("i", lower.replace("\u0131", "i"))
    return text if lower == text else normalize("NFKC", lower)


def _replacement(found: re.Match[str]) -> str:
    return _REPLACED.get(found[0], "")


def _spaced(text: str) -> str:
    """Return the text with one space for any white space."""
    if text.isprintable() and "  " not in text:  # the only printable white space is the space
        return text
    spaced = " ".join(text.split())
    if text[0].isspace():
        spaced = f" {spaced}"
    return f"{spaced} " if text[-1].isspace() and spaced != " " else spaced


def _with_few_marks(text: str) -> str:
    """Return the text with at most `_MOST_MARKS` accents in a row."""
    if any(map(combining, text[::_MOST_MARKS])):  # of a longer row, one is among these
        for at in range(0, len(text), _MOST_MARKS):
            if combining(text[at]) and _is_long_row(text, at):
                marks = "".join(filter(combining, set(text)))
                return re.sub(f"([{marks}]{{{_MOST_MARKS}}})[{marks}]+", r"\1", text)
    return text


def _is_long_row(text: str, at: int) -> bool:
    """Return whether the accent at this position is in a row of more than `_MOST_MARKS`."""
    begin, end = at, at + 1
    while begin > 0 and combining(text[begin - 1]):
        begin -= 1
    while end < len(text) and combining(text[end]) and end - begin <= _MOST_MARKS:
        end += 1
    return end - begin > _MOST_MARKS
