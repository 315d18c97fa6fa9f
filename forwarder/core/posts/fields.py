"""Reads fields that may be absent or of any type. No function raises: each returns the empty value of its type instead."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from forwarder.core.event import JSONValue

MAX_ELEMENTS = 100
"""How many elements of a list are read: links, pictures, embeds."""
MAX_TAGS = 1_000
"""How many cashtags, hashtags or mentions of a post are read, in the order of the post."""

WEB_ADDRESS = re.compile(r"https?://\w(?:[!-~]*[0-9A-Za-z/])?", re.IGNORECASE)
"""A web address within a text, up to its last letter, digit or slash."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_799_000
"""The end of the year 9999, in Unix milliseconds."""
_MONTHS = {
    "Jan": 1,
    "Feb": 2,
    "Mar": 3,
    "Apr": 4,
    "May": 5,
    "Jun": 6,
    "Jul": 7,
    "Aug": 8,
    "Sep": 9,
    "Oct": 10,
    "Nov": 11,
    "Dec": 12,
}


def mapping(value: JSONValue) -> dict[str, JSONValue]:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def elements(value: JSONValue, limit: int = MAX_ELEMENTS) -> list[JSONValue]:
    """Return the first elements of a list, else none."""
    return value[:limit] if isinstance(value, list) else []


def mappings(value: JSONValue, limit: int = MAX_ELEMENTS) -> Iterator[dict[str, JSONValue]]:
    """Yield the objects among the first elements of a list."""
    return (element for element in elements(value, limit) if isinstance(element, dict))


def text(value: dict[str, JSONValue], *keys: str) -> str:
    """Return the first text under one of the keys that is not empty. A whole number counts as text, because ids may be numbers."""
    for key in keys:
        found = value.get(key)
        if isinstance(found, str) and found:
            return found
        if isinstance(found, int) and not isinstance(found, bool) and abs(found) < 10**30:
            return str(found)
    return ""


def number(value: JSONValue) -> float:
    """Return a number, or 0."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def index(value: JSONValue) -> int:
    """Return a position in a text, counted from 0, or -1."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else -1


def is_digits(word: str) -> bool:
    """Return whether a text consists of ASCII digits only, as numeric ids do."""
    return word.isascii() and word.isdigit()


def time_of_ms(value: JSONValue) -> datetime | None:
    """Return a time given in Unix milliseconds."""
    ms = number(value)
    return _EPOCH + timedelta(milliseconds=ms) if 0 < ms <= _LAST_MS else None


def time_of_text(value: str) -> datetime | None:
    """Return a time in ISO 8601 or as X writes it: `Thu Jan 01 00:00:00 +0000 2026`."""
    if not 10 <= len(value) <= 40:
        return None
    try:
        words = value.split()
        if len(words) == 6 and words[1] in _MONTHS:
            hour, minute, second = map(int, words[3].split(":"))
            return datetime(int(words[5]), _MONTHS[words[1]], int(words[2]), hour, minute, second, tzinfo=UTC)
        at = datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
