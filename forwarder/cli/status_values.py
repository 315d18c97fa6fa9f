"""How `forwarder status` shows values, and what a line of it is. Pure."""

from datetime import datetime, timedelta
from typing import NamedTuple

from forwarder.core.durations import spell
from forwarder.core.monitoring.verdict import HealthLevel

_SECOND_MS = 1000
_MINUTE_MS = 100 * _SECOND_MS


class StatusLine(NamedTuple):
    """A line, and how bad it is what it says: on a terminal it has the colour of that."""

    text: str
    level: HealthLevel = HealthLevel.OK


def age(at: str | None, now: datetime) -> str:
    """Return how long ago a moment was; `-` if there is none. A moment to come is now: a clock may have been set."""
    if not at:
        return "-"
    return spell(max(now - datetime.fromisoformat(at), timedelta()))


def milliseconds(duration_ms: float | None) -> str:
    """Return a duration with three digits: from a second on in seconds, from 100 s on as a person says it."""
    if duration_ms is None:
        return "-"
    if duration_ms < _SECOND_MS - 0.5:
        return f"{duration_ms:.3g} ms"
    if duration_ms < _MINUTE_MS:
        return f"{duration_ms / _SECOND_MS:.1f} s"
    return spell(timedelta(milliseconds=duration_ms))


def rate(share: float | None) -> str:
    """Return a success rate. It is never rounded up: 100 % means all."""
    if share is None:
        return "-"
    per_mille = int(share * 1000 + 1e-6)
    whole, tenth = divmod(per_mille, 10)
    return f"{whole}.{tenth} %" if tenth else f"{whole} %"
