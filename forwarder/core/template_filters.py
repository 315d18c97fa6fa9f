"""The filters of templates that Jinja2 has not, or has otherwise."""

import html
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import jinja2

from forwarder.core.text import shorten

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE_FORMAT = re.compile(r"(?:[^%]|%[aAbBdHIjmMpSyYf%]){1,100}", re.DOTALL)


class TemplateError(ValueError):
    """A template that cannot be used, or made nothing usable of an event; the text is for the user and shows no values."""


def as_text(value: Any) -> str:  # noqa: ANN401 - whatever a template has
    """Return a value as it stands in text. Raises `TemplateError` for what does not belong there."""
    match value:
        case str():
            return str(value)
        case None | jinja2.Undefined():
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            raise TemplateError("a list or a mapping cannot stand in text; put it through tojson, or through join")


def _tojson(value: Any) -> str:  # noqa: ANN401
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_null)
        text.encode()
        return text
    except UnicodeEncodeError:  # half a character: JSON can write it, UTF-8 cannot
        return json.dumps(value, allow_nan=False, default=_null)


def _null(value: object) -> None:
    if not isinstance(value, jinja2.Undefined):
        raise TemplateError("this cannot be written as JSON")


def _truncate(value: Any, length: int = 255) -> str:  # noqa: ANN401
    """Return at most `length` characters, cut after a word, with `…`."""
    return shorten(as_text(value), limit=max(length, 1))


def _urlencode(value: Any) -> str:  # noqa: ANN401
    return quote(as_text(value).encode("utf-8", "replace"), safe="")


def _escape(value: Any) -> str:  # noqa: ANN401
    return html.escape(as_text(value))


def _date(value: Any, format: str = "%Y-%m-%d %H:%M:%S") -> str:  # noqa: A002, ANN401 - its name in templates
    """Return a time in UTC; `value` is ISO 8601, as `post.at`, or Unix milliseconds, as `timestamp`."""
    if not _DATE_FORMAT.fullmatch(format):
        raise TemplateError("date takes a format of letters such as %Y-%m-%d %H:%M:%S")
    if isinstance(value, str) and value:
        try:
            return datetime.fromisoformat(value).astimezone(UTC).strftime(format)
        except (ValueError, OverflowError):
            return ""
    if isinstance(value, int | float) and 0 <= value < 253_402_300_799_000:
        return (_EPOCH + timedelta(milliseconds=value)).strftime(format)
    return ""


FILTERS: dict[str, Callable[..., Any]] = {
    "date": _date,
    "e": _escape,
    "escape": _escape,
    "tojson": _tojson,
    "truncate": _truncate,
    "urlencode": _urlencode,
}
