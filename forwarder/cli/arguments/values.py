"""Types of arguments: each function reads the text of one argument.

argparse shows the message of an ArgumentTypeError as it is.
"""

import argparse
import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from time import time

from forwarder.core.destinations.networks import is_address
from forwarder.core.durations import read_duration
from forwarder.core.url import UrlError, read_host
from forwarder.core.yaml.words import known_word

_HIGHEST_RATE = 100_000
"""As `core.commands` has it."""

WHEN = "30m, 24h, 7d, 1w ago; today, yesterday, monday, 23:30, yesterday 23:30; or an ISO time"
"""The forms of a moment, for `--help`."""
_WEEKS = re.compile(r"([0-9]{1,5})w(.*)", re.ASCII)
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?", re.ASCII)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LEAST_OF_A_DAY = 3
"""A weekday may be cut to so many letters: mon, thurs."""
_YEAR_S = 365 * 24 * 3600


def named_path(text: str) -> Path:
    """Return the path of a file or folder; an empty one would be the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty; name a file or a folder (. is the current folder)")
    return Path(text)


def moment(text: str) -> int:
    """Return Unix milliseconds of a moment in one of the forms of `WHEN`; what names no zone is local time."""
    now_s = time()
    try:
        if (ago := _ago(text.strip().removeprefix("-"))) is not None:
            return max(round(now_s * 1000) - round(ago.total_seconds() * 1000), 0)
        at = _local(text.strip().lower(), datetime.fromtimestamp(now_s)) or datetime.fromisoformat(text)  # noqa: DTZ006 - local
        return max(int(at.astimezone().timestamp() * 1000), 0)
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a duration before now (30m, 24h, 7d, 1w), nor a day (today, yesterday, monday), nor a time of "
            "a day (23:30, yesterday 23:30), nor a date and time (2026-01-31, 2026-01-31T18:00, 2026-01-31T17:00Z)"
        ) from None


def _ago(text: str) -> timedelta | None:
    """Return a duration, which may begin with weeks; `None` for another text."""
    weeks = _WEEKS.fullmatch(text)
    rest = text if weeks is None else weeks[2] or "0"
    try:
        return read_duration(rest) + timedelta(weeks=0 if weeks is None else int(weeks[1]))
    except ValueError:
        return None


def _local(text: str, now: datetime) -> datetime | None:
    """Return the latest such day or time of a day that is not after `now`, in local time; `None` for another text."""
    day, _, clock = ("", "", text) if _TIME.fullmatch(text) else text.partition(" ")
    found = _TIME.fullmatch(clock)
    if clock and found is None:
        return None
    at = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if found is not None:
        at = at.replace(hour=int(found[1]), minute=int(found[2]), second=int(found[3] or 0))
    weekday = next((each for each in _WEEKDAYS if len(day) >= _LEAST_OF_A_DAY and each.startswith(day)), None)
    match day:
        case "today":
            return at
        case "yesterday":
            return at - timedelta(days=1)
        case "" if clock:
            return at if at <= now else at - timedelta(days=1)
        case _ if weekday is not None:
            at -= timedelta(days=(now.weekday() - _WEEKDAYS.index(weekday)) % 7)
            return at if at <= now else at - timedelta(weeks=1)
        case "now":
            return now
    return None


def one_of(*words: str) -> Callable[[str], str]:
    """Return the type of an argument that is one of these words, in upper or lower case."""

    def read(text: str) -> str:
        if (word := known_word(text, words)) is not None:
            return word
        raise argparse.ArgumentTypeError(
            f"invalid choice: {text!r} (choose from {', '.join(map(repr, map(str, words)))})"
        )

    return read


def source(text: str) -> str:
    """Return the name of a source; a known one may be written in upper or lower case."""
    from forwarder.core.event import KNOWN_SOURCES

    return known_word(text, KNOWN_SOURCES) or text


def not_empty(text: str) -> str:
    """Return a text that is not blank."""
    if text.strip():
        return text
    raise argparse.ArgumentTypeError("must not be empty")


def meant(text: str) -> str:
    """Return what a person writes for an event, without the spaces around it; a `webhook-id` may be in upper case."""
    from forwarder.core.delivery import event_of

    found = not_empty(text).strip()
    return found.lower() if event_of(found.lower()) is not None else found


def named_words(*words: str) -> str:
    """Return how `--help` shows an argument that is one of these words."""
    return f"{{{','.join(words)}}}"


def row_count(text: str) -> int:
    """Return a number from 1, as large as the outbox can count."""
    if not text.isdecimal() or not 1 <= int(text[:20]) < 1 << 63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 2⁶³-1")
    return int(text)


def delivery_rate(text: str) -> float:
    """Return deliveries per second; `50` and `50/s` are the same."""
    number = text.removesuffix("/s")
    try:
        value = float(number)
    except ValueError:
        value = 0
    if not 0 < value <= _HIGHEST_RATE:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate such as 50/s")
    return value


def replay_speed(text: str) -> float:
    """Return how many times the original speed `1x` or `60x` means; infinity for `max`. `60` and `60x` are the same."""
    try:
        value = math.inf if text == "max" else float(text.removesuffix("x"))
    except ValueError:
        value = 0.0
    if text == "max" or 0.001 <= value <= _HIGHEST_RATE:
        return value
    raise argparse.ArgumentTypeError(f"{text!r} is not a speed such as 1x, 60x or max (0.001x to {_HIGHEST_RATE}x)")


def event_rate(text: str) -> float:
    """Return events per second, above zero; `200` and `200/s` are the same."""
    try:
        value = float(text.removesuffix("/s"))
    except ValueError:
        value = math.nan
    if math.isfinite(value) and value > 0:
        return value
    raise argparse.ArgumentTypeError(f"{text!r} is no rate (events per second, above 0)")


def demo_rate(text: str) -> float:
    """Return the events per second of the demo."""
    value = float(text)
    if not 0 < value <= 10_000:
        raise argparse.ArgumentTypeError("must be more than 0 and at most 10000")
    return value


def whole_number(text: str) -> int:
    """Return a whole number from 1 on."""
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")


def port(text: str) -> int:
    """Return a TCP port; 0 is any free port."""
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port (0 to 65535)")


def host(text: str) -> str:
    """Return an address or a name to listen at."""
    try:
        return text if is_address(text) else read_host(text)
    except UrlError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither an address nor the name of a host") from None


def seconds(text: str) -> float:
    """Return a duration such as `5s`, `250ms` or `2` (seconds), in seconds."""
    try:
        value = float(text)
    except ValueError:
        try:
            value = read_duration(text).total_seconds()
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no duration (such as 250ms, 5s, 10m)") from None
    if not math.isfinite(value) or value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration (such as 250ms, 5s, 10m)")
    return value


def positive_seconds(text: str) -> float:
    """Return a duration above zero, in seconds."""
    if (value := seconds(text)) > 0:
        return value
    raise argparse.ArgumentTypeError(f"{text!r}: must be more than zero")


def pause_length(text: str) -> float:
    """Return how long a pause lasts, in seconds: above zero, and at most a year."""
    length = _ago(text)
    if length is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no duration: whole numbers with units (s, m, h, d or w), such as 90s, 30m, 1h30m, 1d, 1w"
        )
    if not length:
        raise argparse.ArgumentTypeError(f"{text!r}: must be more than zero")
    if length.total_seconds() <= _YEAR_S:
        return length.total_seconds()
    raise argparse.ArgumentTypeError(f"{text!r}: at most 365d; leave out --for for no end")


def http_status(text: str) -> int:
    """Return a final HTTP status."""
    if text.isascii() and text.isdigit() and 200 <= int(text) <= 599:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no HTTP status (200 to 599)")
