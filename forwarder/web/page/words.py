"""Numbers, times and amounts in the words of the page. Pure; the templates call these functions as filters."""

from datetime import UTC, datetime, timedelta

import msgspec

from forwarder.core.delivery import Trigger
from forwarder.core.durations import spell

NOTHING = "–"  # noqa: RUF001 - a dash, as it is set in tables
"""What is shown where there is no value."""
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


_TRIGGERS = {
    Trigger.FIRST: "",
    Trigger.RETRY: "",
    Trigger.MANUAL: "a dead letter that is tried again",
    Trigger.REPLAY: "replayed",
    Trigger.RESEND: "sent again by a person",
    Trigger.RECOVERED: "recovered",
    Trigger.CANARY: "canary",
    Trigger.FALLBACK: "fallback: it waited too long for another destination",
    Trigger.TEST: "test",
}


def trigger_words(trigger: str) -> str:
    """Return why a delivery is made; nothing where a route chose it and nothing else happened."""
    return _TRIGGERS[Trigger(trigger)] if trigger in set(Trigger) else trigger


def without_status(reason: str, status: int | None) -> str:
    """Return the reason of a failed attempt without the status, which is shown in front of it."""
    if status is None:
        return reason
    return reason.removeprefix(f"HTTP {status}").removeprefix(": ")


def number(value: float) -> str:
    """Return a number with its thousands apart."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def milliseconds(value: float | None) -> str:
    """Return a duration given in milliseconds: `0.8 ms`, `12 ms`, `1.2 s`, `3 min`."""
    if value is None:
        return NOTHING
    if value < 10:
        return f"{value:.1f} ms"
    if value < 1000:
        return f"{value:.0f} ms"
    if value < 100_000:
        return f"{value / 1000:.1f} s"
    return spell(timedelta(milliseconds=value))


def seconds(value: float) -> str:
    """Return a duration given in seconds."""
    return f"{value:.1f} s" if 0 < value < 10 else spell(timedelta(seconds=value))


def size(value: int) -> str:
    """Return a number of bytes: `512 B`, `4.0 MiB`."""
    amount = float(value)
    for unit in _UNITS:
        if amount < 1024 or unit == _UNITS[-1]:
            break
        amount /= 1024
    return f"{value} B" if unit == "B" else f"{amount:.1f} {unit}"


def share(value: float | None) -> str:
    """Return a part from 0 to 1 in percent; one that is nearly all is not rounded up to all."""
    if value is None:
        return NOTHING
    if 0.999 < value < 1:
        return "> 99.9 %"
    return f"{100 * value:.3g} %"


def ago(at: str | None, now: datetime) -> str:
    """Return how long a moment in ISO 8601 is past, or still to come."""
    if not at:
        return "never"
    distance = (now - datetime.fromisoformat(at)).total_seconds()
    if abs(distance) < 1:
        return "now"
    return f"{spell(timedelta(seconds=distance))} ago" if distance > 0 else f"in {spell(timedelta(seconds=-distance))}"


def clock(at: str | None, now: datetime) -> str:
    """Return a moment in ISO 8601 as time of day in UTC; with its date if that is not today's."""
    if not at:
        return NOTHING
    moment = datetime.fromisoformat(at).astimezone(UTC)
    shown = "%H:%M:%S" if moment.date() == now.astimezone(UTC).date() else "%Y-%m-%d %H:%M:%S"
    return f"{moment:{shown}} UTC"


def cut(text: str, most: int) -> str:
    """Return the text; one that is longer than `most` characters ends there with an ellipsis."""
    return text if len(text) <= most else f"{text[:most]}…"


def pretty_json(text: str) -> str | None:
    """Return JSON with a line for each value, as it was written otherwise; `None` for what is no JSON."""
    try:
        return msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
