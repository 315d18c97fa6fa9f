"""Reads and writes durations as the config has them (`250ms`, `1h30m`, `7d`), and spells them for people (`3 h 20 min`)."""

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


_UNITS_MS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


def write_duration(duration: timedelta) -> str:
    """Return a duration as the config would have it: `5s`, `1h30m`; `0s` for zero."""
    left = round(duration / timedelta(milliseconds=1))
    parts: list[str] = []
    for unit, ms in _UNITS_MS:
        count, left = divmod(left, ms)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def spell(time: timedelta) -> str:
    """Return a time as a person says it: `45 s`, `12 min`, `2 h`, `3 h 20 min`, `2 d 4 h`."""
    seconds = round(time.total_seconds())
    if seconds < 100:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
