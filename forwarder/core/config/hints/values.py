"""Finds values of tests that contain more than their author sees, or that are several values in one."""

import re
from collections.abc import Iterator

from forwarder.core.config.hints.characters import BLANK, CLOSING, OPENING, ZERO_WIDTH
from forwarder.core.config.hints.show import in_single_quotes, listed, word
from forwarder.core.matching.literals import as_json
from forwarder.core.matching.subject import Field
from forwarder.core.yaml.tree import Expanded, Scalar

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_ESCAPES = {
    "\x00": r"\0",
    "\x07": r"\a",
    "\x08": r"\b",
    "\x0b": r"\v",
    "\x0c": r"\f",
    "\x1b": r"\e",
    "\x85": r"\N",
    "\u2028": r"\L",
    "\u2029": r"\P",
}
"""What YAML reads as each of these characters in double quotes."""
_COMMAS = re.compile(r"[^\s,;|]+(?:\s*[,;]\s*[^\s,;|]+)+[,;]?|[^\s,;|]+[,;]\s*")
_BARS = re.compile(r"[^|]*[^|\s][^|]*(?:\|[^|]*[^|\s][^|]*)+")
_ORS = re.compile(r"\S+(?: OR \S+)+")
_THOUSANDS = re.compile(r"[^\w\s]?[0-9]{1,3}(?:,[0-9]{3})+[^\w\s]?")
_PROSE = re.compile(r"[^\W\d_][^\s,;]*[,;] [^\s,;]+")
"""Two words of a sentence or of a name, such as `Hello, world`."""
_POINT = re.compile(r"[-+]?\.[0-9]+|-?[0-9]+\.")
_SPACED_BEFORE, _SPACED_AFTER = frozenset({"regex", "wildcard", "suffix"}), frozenset({"regex", "wildcard", "prefix"})
_NAMES = frozenset(
    {"sid", "mid", "author", "author_id", "channel", "lang", "symbols", "hashtags", "mentions", "reply_to"}
)
"""The fields that are compared as a whole and are no sentences."""
_OF_LISTS = frozenset({"word", "contains"})
_OF_BARS = frozenset({"word", "contains", "prefix", "suffix"})


def hints_of_value(test: str, value: Scalar, *, field: Field | None, is_alone: bool) -> Iterator[str]:
    """Yield the hints about one value of a test. `is_alone`: it is not an element of a list, so it may be meant to be one."""
    if found := _CONTROL.search(value):
        yield _of_control(value, found[0])
        return
    yield from _of_edges(test, value)
    if len(value) > 2 and value[0] in OPENING and value[-1] in CLOSING:
        yield (
            f"the quotation marks {value[0]} and {value[-1]} are a part of the value, as YAML knows only ' and \"; "
            f"write {in_single_quotes(value[1:-1], value, instead='it without them')}"
        )
    if is_alone and test != "regex":
        yield from _of_several(test, value, field)
    if test == "equals" and not value.quoted and _POINT.fullmatch(value) and not any(True for _ in as_json(value)):
        yield f"{word(value)} is compared as text, because JSON has no number like this; write it with a digit before and after the point"


def _of_control(value: Scalar, character: str) -> str:
    shown = f"\\x{ord(character):02x}" if ord(character) < 0x100 else f"\\u{ord(character):04x}"
    escape = _ESCAPES.get(character)
    if escape is None or (isinstance(value, Expanded) and character not in value.written):
        return f"{word(value)} contains the control character {shown}, which no text has; remove it"
    meant = "".join(_ESCAPES.get(each, each) for each in value)
    return (
        f"{word(value)} contains the control character {shown}, because YAML reads {escape} as this in double quotes; "
        f"use single quotes{in_single_quotes(meant, value, instead='', before=': ')}"
    )


def _of_edges(test: str, value: Scalar) -> Iterator[str]:
    """Yield a hint about characters at the edges that nobody sees. A value of nothing else is looked for as it is."""
    bare = value.strip(BLANK + ZERO_WIDTH)
    if not bare or bare == value:
        return
    before, after = value[: value.index(bare)], value[value.index(bare) + len(bare) :]
    odd = next((each for each in before + after if each != " "), None)
    if odd is None or (odd == "\t" and test == "regex"):
        # Spaces may be meant: those of a regex, before a suffix, after a prefix, and between a mark and a word.
        before = "" if test in _SPACED_BEFORE or (test == "contains" and not bare[0].isalnum()) else before
        after = "" if test in _SPACED_AFTER or (test == "contains" and not bare[-1].isalnum()) else after
    if not before and not after:
        return
    where = "begins and ends" if before and after else "begins" if before else "ends"
    what = (
        "a space"
        if odd is None
        else "a line break"
        if odd in "\r\n"
        else "a tab"
        if odd == "\t"
        else f"the character U+{ord(odd):04X}, which nobody sees"
    )
    if odd is None or odd not in ZERO_WIDTH:  # those are not compared where texts are folded
        what += ", which must be in the text too"
    instead = in_single_quotes(bare, value, instead="it without")
    yield f"{word(value)} {where} with {what}; write {instead}" + (
        f", or word: {instead} for a whole word" if test == "contains" and odd is None else ""
    )


def _is_one_text(test: str, value: str) -> bool:
    """Return whether a value with a comma is a number, or part of a sentence."""
    is_prose = test in _OF_LISTS and value[0].isupper() and not value.split(",", maxsplit=1)[0].isupper()
    return _THOUSANDS.fullmatch(value) is not None or (is_prose and _PROSE.fullmatch(value) is not None)


def _of_several(test: str, value: Scalar, field: Field | None) -> Iterator[str]:
    """Yield a hint about a single value that looks like several."""
    is_name = test == "equals" and (field is None or field.name in _NAMES)
    parts: list[str] = []
    if (test in _OF_LISTS or is_name) and "\n" in value.strip():
        parts = [each.strip() for each in value.split("\n") if each.strip()]
    elif (test in _OF_LISTS or is_name) and _COMMAS.fullmatch(value) and not _is_one_text(test, value):
        parts = [each for each in re.split(r"\s*[,;]\s*", value) if each]
    elif (test in _OF_BARS or is_name or test == "wildcard") and _BARS.fullmatch(value):
        parts = [each.strip() for each in value.split("|")]
    elif test in _OF_LISTS and _ORS.fullmatch(value):
        parts = re.split(" OR ", value)
    if parts:
        key = f"{test}: " if test != "equals" else ""
        yield (
            f"{word(value)} is one value; for any of several write a list: {key}{listed(parts, value)}; "
            f"if it is meant, write {key}[{word(value)}]"
        )
