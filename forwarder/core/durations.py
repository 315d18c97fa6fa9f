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


def write_duration(duration: timedelta) -> str:
    """Return a duration of whole milliseconds as people write it, such as `1h30m`; `0s` for none."""
    rest_ms = duration // timedelta(milliseconds=1)
    parts = []
    for unit, length_ms in _UNITS_MS:
        number, rest_ms = divmod(rest_ms, length_ms)
        parts += [f"{number}{unit}"] if number else []
    return "".join(parts) or "0s"


_UNITS_MS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
