"""Reads switches, whole numbers, choices, names and paths from the texts in the file.

Each `parse_…` takes the value of a key, of any kind, and returns what it means, or raises `WrongValueError` with a
sentence that says what was found and what is allowed. Where a variable was used, messages show the text as it is written in the
file, never what the variable holds.
"""

import re
import sys

from forwarder.core.config.values.secret import Secret
from forwarder.core.yaml.problems import did_you_mean, quote
from forwarder.core.yaml.tree import Expanded, Scalar
from forwarder.core.yaml.words import known_word

MAX_NAME_LENGTH = 64

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_YAML_1_1_BOOLEANS = frozenset({"y", "n", "yes", "no", "on", "off"})

_WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_GROUP = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


class WrongValueError(ValueError):
    """A value that its field does not accept; the text is the sentence for the user."""


class FileLine(Expanded):
    """One of several lines of a secret file; `written` says which line it is, and shows nothing of it."""

    __slots__ = ()


def show(value: object) -> str:
    """Return how a message shows a value."""
    return f"the value of {quote(value.written)}" if isinstance(value, Expanded) else quote(str(value))


def is_null(value: object) -> bool:
    """Return whether this scalar is null in YAML: empty, `~` or `null`, without quotes."""
    return isinstance(value, Scalar) and not isinstance(value, Expanded) and not value.quoted and value in _NULLS


def kind(value: object) -> str:
    """Return what kind of value this is, for a message."""
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else "a single value"


def text_of(value: object, expected: str) -> str:
    """Return the text of a scalar; `expected` says in a message what the file should contain."""
    if isinstance(value, Secret):
        return value.reveal()
    if is_null(value):
        raise WrongValueError(f"the value is missing; write {expected}")
    if not isinstance(value, str):
        raise WrongValueError(f"expected {expected}, got {kind(value)}")
    return value


def parse_bool(value: object) -> bool:
    """Return a switch: `true` or `false`, as in YAML 1.2. `yes` and `on` are refused."""
    if isinstance(value, bool):
        return value
    text = text_of(value, "true or false")
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text.lower() in _YAML_1_1_BOOLEANS:
        raise WrongValueError(f"{show(value)} is not true or false; write one of them")
    raise WrongValueError(f"expected true or false, got {show(value)}")


def parse_int(value: object, *, low: int, high: int) -> int:
    """Return a whole number from `low` to `high`, written in decimal without leading zeros."""
    if isinstance(value, int):
        number = value
    else:
        text = text_of(value, f"a whole number from {low} to {high}")
        if not _WHOLE_NUMBER.fullmatch(text):
            raise WrongValueError(f"expected a whole number from {low} to {high}, got {show(value)}")
        number = int(text)
    if not low <= number <= high:
        raise WrongValueError(f"{show(value)} is out of range; {low} to {high} are allowed")
    return number


def parse_choice(value: object, *allowed: str) -> str:
    """Return one of the allowed words. It may be written in upper or lower case."""
    words = " or ".join([", ".join(allowed[:-1]), allowed[-1]] if len(allowed) > 1 else allowed)
    text = text_of(value, words)
    if (word := known_word(text, allowed)) is not None:
        return word
    hint = "" if isinstance(value, Expanded) else did_you_mean(text, allowed)
    raise WrongValueError(f"expected {words}, got {show(value)}{hint}")


def parse_name(value: object) -> str:
    """Return the name of a stream, destination or route."""
    text = text_of(value, "a name")
    if not 1 <= len(text) <= MAX_NAME_LENGTH:
        raise WrongValueError(f"a name has 1 to {MAX_NAME_LENGTH} characters; this one has {len(text)}")
    if not text.isprintable() or text != text.strip():
        raise WrongValueError(
            f"{show(value)} is not a name: it contains invisible characters, or begins or ends with a space"
        )
    return sys.intern(str(text))  # thousands of routes name the same destination


def parse_file_path(value: object) -> str:
    """Return the path of a file. Messages show it as it is written."""
    text = text_of(value, "the path of a file")
    if not text or CONTROL.search(text):
        raise WrongValueError("expected the path of a file; this one is empty or contains a control character")
    if not is_path(text):
        raise WrongValueError(f"{show(value)} is not the path of a file: it is not UTF-8 text")
    return str(text)


def parse_group(value: object) -> str:
    """Return the name of a group of users. The group need not exist."""
    text = text_of(value, "the name of a group")
    if not _GROUP.fullmatch(text):
        raise WrongValueError(f"expected the name of a group of users on this machine, such as adm, got {show(value)}")
    return str(text)


def is_path(text: str) -> bool:
    """Return whether a text can be a path. A lone surrogate is accepted where it represents a byte, as in Python's own paths."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
