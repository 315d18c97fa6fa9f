"""How well each stream and destination is, as a mark and a few words. Pure."""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from forwarder.core.dispatch.circuit_breaker import BreakerState
from forwarder.core.dispatch.destination_state import PausedBy
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
    more = tuple(_remarks(destination, waiting))
    if (pause := destination.paused) is not None:
        by = _PAUSED_BY[PausedBy(pause.by)] if pause.by in set(PausedBy) else f"by {pause.by}"
        mark = HealthMark.IDLE if pause.by == PausedBy.PERSON else HealthMark.BAD
        why = (pause.why,) if pause.why else ()
        return HealthWords(mark, f"paused {by}", (*why, *more))
    if destination.ours is not None:
        return HealthWords(HealthMark.BAD, "not reachable from here", (destination.ours, *more))
    if destination.breaker != BreakerState.CLOSED:
        probe = f"next probe in {seconds(destination.next_probe_in_s or 0)}"
        return HealthWords(HealthMark.BAD, "down", (probe, *more))
    if destination.failing_since is not None or (destination.canary is not None and destination.canary.missed):
        return HealthWords(HealthMark.WARN, "failing", more)
    if destination.refuses_all:
        return HealthWords(HealthMark.WARN, "refuses everything", more)
    if destination.quiet_until is not None:
        return HealthWords(HealthMark.IDLE, "quiet hours", more)
    return HealthWords(HealthMark.OK, "ok", more)


def _remarks(destination: DestinationReport, waiting: int) -> Iterator[str]:
    if destination.held_for_s:
        yield f"the receiver asks to wait another {seconds(destination.held_for_s)}"
    elif waiting and destination.limited_for_s:
        yield f"rate limited: the next one goes in {seconds(destination.limited_for_s)}"
    if destination.canary is not None and destination.canary.missed:
        yield "the last canary is missing"


def health_of_outbox(outbox: OutboxReport) -> HealthWords:
    """Return how well the outbox is."""
    if outbox.is_ok:
        return HealthWords(HealthMark.OK, "ok")
    return HealthWords(HealthMark.BAD, outbox.health, (outbox.trouble,) if outbox.trouble else ())
