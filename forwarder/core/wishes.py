"""What a receiver asks for in the headers and the body of its answer. Pure."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypedDict

_LONGEST = timedelta(days=366)
"""Longer ones are cut to it here, so that no sum of times runs over; `decide` cuts them further."""


class Wishes(TypedDict, total=False):
    """The fields of `Answered` that tell them."""

    retry_after: timedelta | None
    is_final: bool
    remaining: int | None
    reset_after: timedelta | None
    is_for_all: bool


def read_wishes(status: int, headers: Mapping[bytes, bytes], body: bytes, *, now: datetime) -> Wishes:
    """Return them; `headers` have their names in lower case. What cannot be read is passed over.

    `Retry-After` (RFC 9110, 10.2.3: seconds or a date; fractions are read too) with a negative number means no more tries,
    as with EventBridge; so does `webhook-delivery: abort-message`, as with Svix. A date counts from the answer's own `Date`
    where it has one, so that our clock need not be right. The body of a 429 is read for
    `retry_after` (Discord) and `parameters.retry_after` (Telegram), both in seconds; the longest wait holds.
    """
    wishes = Wishes()
    if headers.get(b"webhook-delivery", b"").strip().lower() == b"abort-message":
        wishes["is_final"] = True
    waits = []
    if (header := headers.get(b"retry-after")) is not None:
        text = header.decode("latin-1").strip()
        if (seconds := _number(text)) is not None and seconds < 0:
            wishes["is_final"] = True
        elif (wait := parse_retry_after(text, now=_sent_at(headers) or now)) is not None:
            waits.append(wait)
    if status == 429:
        told = _object(body)
        parameters = told.get("parameters")
        places = (told, parameters if isinstance(parameters, dict) else {})
        waits += [wait for place in places if (wait := _seconds(place.get("retry_after"))) is not None]
        is_global = headers.get(b"x-ratelimit-global", b"").strip().lower() == b"true"
        if told.get("global") is True or is_global:
            wishes["is_for_all"] = True
    if waits:
        wishes["retry_after"] = max(waits)
    remaining = _number(headers.get(b"x-ratelimit-remaining", b"").decode("latin-1"))
    reset_after = _seconds(_number(headers.get(b"x-ratelimit-reset-after", b"").decode("latin-1")))
    if remaining is not None and remaining >= 0 and reset_after is not None:
        wishes["remaining"], wishes["reset_after"] = int(min(remaining, 1_000_000)), reset_after
    return wishes


def parse_retry_after(value: str, *, now: datetime) -> timedelta | None:
    """Return how long a `Retry-After` header asks to wait, never negative; `None` when the text is neither number nor date."""
    text = value.strip()
    if (seconds := _number(text)) is not None:
        return _seconds(seconds)
    at = _date(text)
    return None if at is None else min(max(at - now, timedelta()), _LONGEST)


def _sent_at(headers: Mapping[bytes, bytes]) -> datetime | None:
    """Return when the receiver says that it answered, if it does."""
    header = headers.get(b"date")
    return None if header is None else _date(header.decode("latin-1"))


def _date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # OverflowError: a year of twenty digits
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _seconds(value: object) -> timedelta | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return timedelta(seconds=min(float(min(value, 1 << 40)), _LONGEST.total_seconds()))


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
