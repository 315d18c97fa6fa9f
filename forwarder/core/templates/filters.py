"""The template filters that Jinja2 does not have, or that work differently there. `limited` counts what they cost."""

import html
import json
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import jinja2
from jinja2.filters import do_float, do_int

from forwarder.core.text import shorten

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE_FORMAT = re.compile(r"(?:[^%\0\ud800-\udfff]|%[aAbBdHIjmMpSyYfzZ%]){1,100}", re.DOTALL)
_LONGEST_TIME = 100
_LONGEST_ZONE = 100
_LONGEST_NUMBER = 1_000
"""The longest text that is read as a number, in characters."""
_SHOWN = 4
"""How many of the arguments an error describes."""
_MOST_PLACES = 308
"""No float has more places before or after its point."""


class TemplateError(ValueError):
    """A template cannot be used, or failed for an event. The text is for the user and contains no values."""


class LargeNumber(float):
    """A number of an event that is too large for a float, such as `1e400`, or longer than Python reads. It is written as it came."""

    __slots__ = ("written",)

    written: str

    @classmethod
    def read(cls, written: str) -> float:
        """Return the number that is written so in JSON."""
        number = float(written)
        if math.isfinite(number):
            return number
        large = cls(number)
        large.written = written
        return large

    @classmethod
    def read_whole(cls, written: str) -> float:
        """Return the whole number that is written so in JSON."""
        try:
            return int(written)
        except ValueError:  # it has more digits than Python reads
            return cls.read(written)


def kind_of(value: Any) -> str:
    """Return what a value is, in a few words that do not show it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list() | tuple() | range():
            return "a list"
        case dict():
            return "a mapping"
        case jinja2.Undefined():
            return "a missing value"
        case _:
            return "something else"


def kinds_of(values: Sequence[Any]) -> str:
    """Return what the first few values are; an event may bring any number of them."""
    return ", ".join([*map(kind_of, values[:_SHOWN]), *(["…"] if len(values) > _SHOWN else [])])


def as_text(value: Any) -> str:
    """Return a value as text. Raises `TemplateError` for a list or a mapping."""
    match value:
        case str():
            return str(value)
        case None | jinja2.Undefined():
            return ""
        case bool():
            return "true" if value else "false"
        case LargeNumber():
            return value.written
        case int() | float():
            try:
                return str(value)
            except ValueError:  # Python has a limit
                raise TemplateError("a number is too long to be written") from None
        case _:
            raise TemplateError("a list or a mapping cannot be put into a text; put it through tojson, or through join")


# JSON


def _tojson(value: Any) -> str:
    try:
        return _json(value)
    except RecursionError:
        raise TemplateError("the value is nested too deep") from None


def _json(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
        text.encode()
        return text
    except UnicodeEncodeError:  # a lone surrogate: JSON can escape it, UTF-8 cannot encode it
        return json.dumps(value, allow_nan=False, default=_plain)
    except TemplateError:
        raise
    except ValueError:
        return _json_of_large_numbers(value)


def _json_of_large_numbers(value: Any) -> str:
    """Return the JSON of a value with numbers that are not finite: as they came, or null for a result of the template's arithmetic."""
    match value:
        case LargeNumber():
            return value.written
        case float() if not math.isfinite(value):
            return "null"
        case dict():
            pairs = []
            for key, each in value.items():
                pairs.append(f"{_json(as_text(key))}: {_json_of_large_numbers(each)}")
            return "{" + ", ".join(pairs) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_json_of_large_numbers, value)) + "]"
        case int() | float():
            return as_text(value)
        case _:
            return _json(value)


def _plain(value: object) -> object:
    """Return what JSON can hold instead of a value."""
    if isinstance(value, range):
        return list(value)
    if not isinstance(value, jinja2.Undefined):
        raise TemplateError("this cannot be written as JSON")
    return None


# Texts


def _truncate(value: Any, length: int = 255) -> str:
    """Return at most `length` characters, cut after a word, with `…`."""
    return shorten(as_text(value), limit=max(_whole(length, "length"), 1))


def _urlencode(value: Any) -> str:
    return quote(as_text(value).encode("utf-8", "replace"), safe="")


def _escape(value: Any) -> str:
    return html.escape(as_text(value))


# Times


def _date(value: Any, format: str = "%Y-%m-%d %H:%M:%S", zone: str = "UTC") -> str:  # noqa: A002 - its name in templates
    """Return a time in a time zone; `value` is ISO 8601, as `post.at`, or Unix milliseconds, as `timestamp`."""
    check_date_format(format)
    in_zone = time_zone(zone)
    try:
        if isinstance(value, str) and value:
            at = datetime.fromisoformat(value[:_LONGEST_TIME])
            return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(in_zone).strftime(format)
        if isinstance(value, int | float) and 0 <= value < 253_402_300_799_000:
            return (_EPOCH + timedelta(milliseconds=value)).astimezone(in_zone).strftime(format)
    except (ValueError, OverflowError):
        return ""
    return ""


def check_date_format(format_: Any) -> None:
    """Raise `TemplateError` if this is no format of `date`."""
    if not isinstance(format_, str):
        raise TemplateError(f"its format must be a text such as '%Y-%m-%d %H:%M', not {kind_of(format_)}")
    if not _DATE_FORMAT.fullmatch(format_):
        raise TemplateError("date takes a format of letters such as %Y-%m-%d %H:%M:%S, of at most 100 characters")


def time_zone(name: Any) -> tzinfo:
    """Return the time zone of that name. Raises `TemplateError` if there is none."""
    if not isinstance(name, str):
        raise TemplateError(f"its time zone must be a text such as 'Europe/Berlin', not {kind_of(name)}")
    zone = UTC if name == "UTC" else _zone(name[:_LONGEST_ZONE])
    if zone is not None:
        return zone
    if _zone("Europe/Berlin") is None:
        raise TemplateError("this machine knows no time zone but UTC; install the package tzdata")
    raise TemplateError("there is no such time zone; write one such as 'Europe/Berlin', 'America/New_York' or 'UTC'")


def _zone(name: str) -> tzinfo | None:
    try:
        return _read_zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, or one that is too long
        return None


@lru_cache(maxsize=2048)  # there are not so many, and to read one from its file takes long
def _read_zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


# Numbers


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TemplateError(f"its {name} must be a whole number, not {kind_of(value)}")
    return value


def _int(value: Any, default: Any = 0, base: int = 10) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST_NUMBER:
        return default
    try:
        return do_int(value, default, base)
    except OverflowError:
        return default


def _float(value: Any, default: Any = 0.0) -> Any:
    if isinstance(value, LargeNumber):
        return value
    if isinstance(value, str) and len(value) > _LONGEST_NUMBER:
        return default
    try:
        number = do_float(value, math.nan)
    except OverflowError:
        return default
    return number if math.isfinite(number) else default


def _abs(value: Any) -> Any:
    return LargeNumber.read(value.written.removeprefix("-")) if isinstance(value, LargeNumber) else abs(value)


def _round(value: Any, precision: int = 0, method: str = "common") -> Any:
    """Return a number rounded to `precision` places; `method` is common, ceil or floor."""
    places = _whole(precision, "precision")
    if abs(places) > _MOST_PLACES:
        raise TemplateError(f"its precision must be from -{_MOST_PLACES} to {_MOST_PLACES}")
    if method not in {"common", "ceil", "floor"}:
        raise TemplateError("its method must be common, ceil or floor")
    if isinstance(value, float) and not math.isfinite(value):
        return value
    if method == "common":
        return round(value, places)
    factor = 10**places
    try:
        return (math.ceil if method == "ceil" else math.floor)(value * factor) / factor
    except OverflowError:  # the number is so large that there is nothing to round
        return value


FILTERS: dict[str, Callable[..., Any]] = {
    "abs": _abs,
    "date": _date,
    "e": _escape,
    "escape": _escape,
    "float": _float,
    "int": _int,
    "round": _round,
    "tojson": _tojson,
    "truncate": _truncate,
    "urlencode": _urlencode,
}
