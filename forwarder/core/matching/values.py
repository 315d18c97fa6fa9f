"""Tests of numbers, types, lengths and times."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum
from operator import ge, gt, le, lt

import msgspec

from forwarder.core.event import JSONValue
from forwarder.core.matching.subject import Found, Subject
from forwarder.core.posts.fields import time_of_ms, time_of_text
from forwarder.core.yaml.tree import Scalar

_MAX_DIGITS = 40
"""The longest text that counts as a number. Ids often come as text."""
_MS_FROM = 10**11
"""Numbers from here on are times in milliseconds (from 1973), smaller ones times in seconds (up to 5138)."""


class Operator(StrEnum):
    """A comparison of numbers."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"


_COMPARE: dict[Operator, Callable[[float, float], bool]] = {
    Operator.GT: gt,
    Operator.GTE: ge,
    Operator.LT: lt,
    Operator.LTE: le,
}


@dataclass(frozen=True, slots=True)
class Compare:
    """Passes for a number on one side of the bound. Whole numbers of any size are compared exactly, also with decimals."""

    operator: Operator
    bound: int | float
    written: tuple[Scalar, ...] = field(default=(), compare=False, repr=False)

    def passes(self, value: Found, _subject: Subject) -> bool:
        number = number_of(value)
        return number is not None and _COMPARE[self.operator](number, self.bound)


@dataclass(frozen=True, slots=True)
class Between:
    """Passes for a number from `low` to `high`, both included."""

    low: int | float
    high: int | float
    written: tuple[Scalar, ...] = field(default=(), compare=False, repr=False)

    def passes(self, value: Found, _subject: Subject) -> bool:
        number = number_of(value)
        return number is not None and self.low <= number <= self.high


NumberTest = Compare | Between


class Length(msgspec.Struct, frozen=True):
    """Passes if the number of characters of a text, elements of an array, or keys of an object passes the tests."""

    tests: tuple[NumberTest, ...]

    def passes(self, value: Found, subject: Subject) -> bool:
        if not isinstance(value, str | list | dict):
            return False
        length = len(value)
        return all(test.passes(length, subject) for test in self.tests)


TYPES: dict[str, Callable[[Found], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


class TypeIs(msgspec.Struct, frozen=True):
    """Passes for a value of one of these JSON types."""

    types: tuple[str, ...]

    def passes(self, value: Found, _subject: Subject) -> bool:
        return any(TYPES[name](value) for name in self.types)


@dataclass(frozen=True, slots=True)
class Age:
    """Passes for a time that is at most this long ago (`within`; also in the future), or longer ago (`older_than`)."""

    than: timedelta
    is_older: bool
    written: tuple[Scalar, ...] = field(default=(), compare=False, repr=False)

    def passes(self, value: Found, subject: Subject) -> bool:
        at = time_of(value)
        return at is not None and (subject.now - at > self.than) == self.is_older


class Hours(msgspec.Struct, frozen=True):
    """A span of the day in wall-clock time. If it ends before it begins, it goes over midnight."""

    begin: time
    end: time
    """The end of the span, not included; 00:00 is the end of the day."""

    def day_offset(self, at: time) -> int | None:
        """Return 0 if the span of this day contains the time, -1 if that of the day before does, and `None` if neither does."""
        is_over_midnight = self.end <= self.begin
        if at >= self.begin and (is_over_midnight or at < self.end):
            return 0
        return -1 if is_over_midnight and at < self.end else None


@dataclass(frozen=True, slots=True)
class WallClock:
    """Passes for a time within these hours of these weekdays, in a time zone. Hours over midnight belong to the day they begin on."""

    hours: tuple[Hours, ...]
    """The spans of the day; none means the whole day."""
    days: frozenset[int]
    """The weekdays; Monday is 0."""
    zone: tzinfo = field(compare=False)
    zone_name: str = "UTC"
    written: tuple[Scalar, ...] = field(default=(), compare=False, repr=False)

    def passes(self, value: Found, _subject: Subject) -> bool:
        at = time_of(value)
        return at is not None and self.contains(at)

    def contains(self, at: datetime) -> bool:
        """Return whether the time is within the hours of these days."""
        try:
            local = at.astimezone(self.zone)
        except OverflowError:  # at the end of the calendar
            return False
        if not self.hours:
            return local.weekday() in self.days
        offsets = (hours.day_offset(local.time()) for hours in self.hours)
        return any(offset is not None and (local.weekday() + offset) % 7 in self.days for offset in offsets)


def number_of(value: Found) -> int | float | None:
    """Return the value as a number if it is a JSON number or a text that is a whole number, as ids are."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if (
        isinstance(value, str)
        and 0 < len(value) <= _MAX_DIGITS
        and value.isascii()
        and value.removeprefix("-").isdigit()
    ):
        return int(value)
    return None


def time_of(value: Found) -> datetime | None:
    """Return the value as a time: Unix seconds or milliseconds as number or text, ISO 8601 (UTC without a zone), or X's format."""
    if isinstance(value, datetime):
        return value
    number = number_of(value)
    if number is not None:
        return _time_of_number(number)
    return time_of_text(value) if isinstance(value, str) else None


def _time_of_number(number: float) -> datetime | None:
    ms: JSONValue = number if number >= _MS_FROM else number * 1_000
    return time_of_ms(ms)
