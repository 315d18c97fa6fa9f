"""Reads durations and sizes, and writes sizes, in the notation of the file."""

import re
from datetime import timedelta

from forwarder.core.config.values.scalars import WrongValueError, show, text_of
from forwarder.core.durations import read_duration

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_SIZE = re.compile(r"(?P<number>[0-9]{1,12})(?P<unit>[KMGT]i?B|B)")
_UNITS: dict[str, int] = {"B": 1} | {
    f"{letter}{kind}": int(base**power)
    for power, letter in enumerate("KMGT", start=1)
    for kind, base in (("B", 1000), ("iB", 1024))
}


def parse_duration(value: object, *, low: str, high: str) -> timedelta:
    """Return a duration from `low` to `high`, both written as in the file."""
    if isinstance(value, timedelta):
        duration = value
    else:
        text = text_of(value, "a duration such as 5s")
        try:
            duration = read_duration(text)
        except ValueError:
            if _NUMBER.fullmatch(text):
                raise WrongValueError(f"{show(value)} has no unit; write ms, s, m, h or d after the number") from None
            raise WrongValueError(
                f"{show(value)} is not a duration; write one such as 250ms, 5s, 1h30m or 7d"
            ) from None
    if not read_duration(low) <= duration <= read_duration(high):
        raise WrongValueError(f"{show(value)} is out of range; {low} to {high} are allowed")
    return duration


def read_size(text: str) -> int:
    """Return the bytes of a size such as `64KiB`, `2GiB` or `500MB`. Raises `ValueError` for any other text."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError("not a size")
    return int(found["number"]) * _UNITS[found["unit"]]


def write_size(count: int) -> str:
    """Return a size as the file would write it: `16MiB`, `8KiB`, `1000B`."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count and count % size == 0:
            return f"{count // size}{unit}"
    return f"{count}B"


def parse_size(value: object, *, low: str, high: str) -> int:
    """Return a number of bytes from `low` to `high`, both written as in the file."""
    if isinstance(value, int):
        size = value
    else:
        text = text_of(value, "a size such as 2GiB")
        try:
            size = read_size(text)
        except ValueError:
            if _NUMBER.fullmatch(text):
                raise WrongValueError(f"{show(value)} has no unit; write KiB, MiB or GiB after the number") from None
            raise WrongValueError(f"{show(value)} is not a size; write one such as 64MiB or 2GiB") from None
    if not read_size(low) <= size <= read_size(high):
        raise WrongValueError(f"{show(value)} is out of range; {low} to {high} are allowed")
    return size
