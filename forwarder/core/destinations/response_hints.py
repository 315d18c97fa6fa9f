"""Reads the hints of a response about retries and rate limits, from its headers and its body."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypedDict

_LONGEST = timedelta(days=366)
"""The longest wait that is returned, so that no sum of times overflows. `decide` has a lower limit."""
_NO_MORE_TRIES = -1


_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MILLISECONDS = 500, 2_000
"""How many times longer one wait is than another of the same response if it is in milliseconds and the other in seconds, rounded."""


class ResponseHints(TypedDict, total=False):
    """The hints, as fields of `Answered`."""

    retry_after: timedelta | None
    is_final: bool
    remaining: int | None
    reset_after: timedelta | None
    is_for_all: bool


def read_response_hints(status: int, headers: Mapping[bytes, bytes], body: bytes, *, now: datetime) -> ResponseHints:
    """Return the hints of a response; `headers` have their names in lower case. Hints that cannot be read are ignored.

    `Retry-After` (RFC 9110, 10.2.3) is seconds, also fractions, or a date. -1 means no more attempts, as with EventBridge; so does
    `webhook-delivery: abort-message`, as with Svix. A date counts from the response's own `Date`, if it has one, so the local clock may
    be wrong. The body of a 429 may have `retry_after` (Discord) or `parameters.retry_after` (Telegram), both in seconds. The longest
    wait wins. Zero, another negative number and a date that has passed ask for no wait, so they are no hint. Discord sends milliseconds
    in some of these places (its API before version 8): of two waits that differ by a factor of about 1,000 the shorter one counts.
    """
    hints = ResponseHints()
    if headers.get(b"webhook-delivery", b"").strip().lower() == b"abort-message":
        hints["is_final"] = True
    waits = []
    if (header := headers.get(b"retry-after")) is not None:
        text = header.decode("latin-1").strip()
        if _number(text) == _NO_MORE_TRIES:
            hints["is_final"] = True
        waits.append(parse_retry_after(text, now=_sent_at(headers) or now))
    if status == 429:
        fields = _object(body)
        parameters = fields.get("parameters")
        places = (fields, parameters if isinstance(parameters, dict) else {})
        waits += [_seconds(place.get("retry_after")) for place in places]
        is_global = headers.get(b"x-ratelimit-global", b"").strip().lower() == b"true"
        if fields.get("global") is True or is_global:
            hints["is_for_all"] = True
    remaining = _number(headers.get(b"x-ratelimit-remaining", b"").decode("latin-1"))
    reset_after = _seconds(_number(headers.get(b"x-ratelimit-reset-after", b"").decode("latin-1")))
    asked_for = [wait for wait in waits if wait]
    known = [*asked_for, reset_after] if reset_after else asked_for
    if asked_for:
        hints["retry_after"] = max((wait for wait in asked_for if _is_in_seconds(wait, known)), default=reset_after)
    if remaining is not None and remaining >= 0 and reset_after is not None:
        hints["remaining"] = int(min(remaining, 1_000_000))
        hints["reset_after"] = reset_after if _is_in_seconds(reset_after, known) else hints.get("retry_after")
    return hints


def _is_in_seconds(wait: timedelta, known: Sequence[timedelta]) -> bool:
    """Return whether none of the other waits of the same response shows that this one is in milliseconds."""
    least, most = _MILLISECONDS
    return not any(least * other <= wait <= most * other for other in known)


def parse_retry_after(value: str, *, now: datetime) -> timedelta | None:
    """Return the wait of a `Retry-After` header, never negative; `None` if the text is neither a number nor a date.

    `now` is when the response was sent.
    """
    text = value.strip()
    if (seconds := _number(text)) is not None:
        return _seconds(seconds)
    at = parse_date(text)
    return None if at is None else min(max(at - now, timedelta()), _LONGEST)


def _sent_at(headers: Mapping[bytes, bytes]) -> datetime | None:
    """Return the time of the response's `Date` header, if it has one."""
    header = headers.get(b"date")
    return None if header is None else parse_date(header.decode("latin-1"))


def parse_date(text: str) -> datetime | None:
    """Return the time of an HTTP date (RFC 9110, 5.6.7), or `None`."""
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # OverflowError: a year of twenty digits
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _number(text: str) -> float | None:
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    return number if math.isfinite(number) else None


def _seconds(value: object) -> timedelta | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        return None
    return timedelta(seconds=min(float(min(value, 1 << 40)), _LONGEST.total_seconds()))


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
