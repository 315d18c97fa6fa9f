"""Durations as people write them: `250ms`, `5s`, `1h30m`, `7d`."""

import re
from datetime import timedelta

_DURATION = re.compile(
    r"(?:(?P<days>[0-9]{1,6})d)?(?:(?P<hours>[0-9]{1,7})h)?(?:(?P<minutes>[0-9]{1,9})m(?!s))?"
    r"(?:(?P<seconds>[0-9]{1,9})s)?(?:(?P<milliseconds>[0-9]{1,12})ms)?"
)


def read_duration(text: str) -> timedelta:
    """Return a duration such as `250ms`, `5s`, `1h30m`, `7d` or `0`. Raises `ValueError` for any other text."""
    if text == "0":
        return timedelta()
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise ValueError("not a duration")
    return timedelta(**{unit: int(number) for unit, number in found.groupdict(default="0").items()})
