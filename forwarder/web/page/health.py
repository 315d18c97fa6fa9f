"""How well each stream and destination is, as a mark and a few words. Pure."""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from forwarder.core.dispatch.destination_state import PausedBy
from forwarder.core.monitoring.condition import DestinationCondition, condition_of
from forwarder.core.monitoring.status import DestinationReport, OutboxReport, StreamReport
from forwarder.core.monitoring.verdict import HealthLevel
from forwarder.core.streams.state import StreamCondition
from forwarder.web.page.words import seconds

_PAUSED_BY = {
    PausedBy.PERSON: "by hand",
    PausedBy.RECEIVER: "by itself: the receiver is gone",
    PausedBy.FAILURES: "by itself, after days of failures",
}


class HealthMark(StrEnum):
    """The colour and the shape of a mark."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    IDLE = "idle"
    """A person wants it so."""


class HealthWords(msgspec.Struct, frozen=True):
    """A mark with its words, and what else there is to say."""

    mark: HealthMark
    word: str
    more: tuple[str, ...] = ()
    """Whole remarks; one line each."""


LEVEL_MARKS = {HealthLevel.OK: HealthMark.OK, HealthLevel.DEGRADED: HealthMark.WARN, HealthLevel.DOWN: HealthMark.BAD}

_MARKS = {
    DestinationCondition.OK: HealthMark.OK,
    DestinationCondition.QUIET: HealthMark.IDLE,
    DestinationCondition.PAUSED: HealthMark.IDLE,
    DestinationCondition.PAUSED_ITSELF: HealthMark.BAD,
    DestinationCondition.UNREACHABLE: HealthMark.BAD,
    DestinationCondition.DOWN: HealthMark.BAD,
    DestinationCondition.FAILING: HealthMark.WARN,
    DestinationCondition.REFUSING: HealthMark.WARN,
    DestinationCondition.BEHIND: HealthMark.WARN,
    DestinationCondition.CANARY_MISSED: HealthMark.WARN,
}


def health_of_stream(stream: StreamReport) -> HealthWords:
    """Return how well a stream is."""
    if stream.condition == StreamCondition.OPEN:
        return HealthWords(HealthMark.OK, "open")
    more = (stream.reason,) if stream.reason else ()
    if stream.fault == "replaced":
        return HealthWords(HealthMark.BAD, "replaced", more)
    if stream.condition == StreamCondition.CONNECTING:
        return HealthWords(HealthMark.WARN, "connecting", more)
    return HealthWords(HealthMark.BAD, "away", more)


def health_of_destination(destination: DestinationReport, *, waiting: int) -> HealthWords:
    """Return how well a destination is; `waiting` is what it still has to get."""
    condition = condition_of(destination)
    more = tuple(_remarks(destination, condition, waiting))
    word = str(condition)
    if (pause := destination.paused) is not None:
        by = _PAUSED_BY[PausedBy(pause.by)] if pause.by in set(PausedBy) else f"by {pause.by}"
        word, more = f"paused {by}", (*((pause.why,) if pause.why else ()), *more)
    elif destination.ours is not None:
        more = (destination.ours, *more)
    elif condition.is_down:
        more = (f"next probe in {seconds(destination.next_probe_in_s or 0)}", *more)
    return HealthWords(_MARKS[condition], word, more)


def _remarks(destination: DestinationReport, condition: DestinationCondition, waiting: int) -> Iterator[str]:
    if destination.held_for_s:
        yield f"the receiver asks to wait another {seconds(destination.held_for_s)}"
    elif waiting and destination.limited_for_s:
        yield f"rate limited: the next one goes in {seconds(destination.limited_for_s)}"
    is_said = condition is DestinationCondition.CANARY_MISSED
    if destination.canary is not None and destination.canary.missed and not is_said:
        yield "the last canary is missing"


def health_of_outbox(outbox: OutboxReport) -> HealthWords:
    """Return how well the outbox is."""
    if outbox.is_ok:
        return HealthWords(HealthMark.OK, "ok")
    return HealthWords(HealthMark.BAD, outbox.health, (outbox.trouble,) if outbox.trouble else ())
