"""Where the bars of a drawing begin and how wide they are, in percent of its width: attempts from the acceptance on, gaps on a time line. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from forwarder.core.counted import counted
from forwarder.core.durations import spell
from forwarder.core.gaps.gap import Repair
from forwarder.core.monitoring.status import StreamReport
from forwarder.core.streams.state import StreamCondition
from forwarder.web.page.health import HealthMark, HealthWords
from forwarder.web.records import StoredAttempt, StoredDelivery, StoredGap

_LEAST_WIDTH = 0.6
"""In percent: what is shorter can still be seen."""
_MS = timedelta(milliseconds=1)
_HEALTH_OF_REPAIR: dict[str, HealthWords] = {
    Repair.DONE: HealthWords(HealthMark.OK, "repaired"),
    Repair.PENDING: HealthWords(HealthMark.WARN, "still to be repaired"),
    Repair.PARTIAL: HealthWords(HealthMark.BAD, "repaired in part"),
    Repair.FAILED: HealthWords(HealthMark.BAD, "repair failed"),
    Repair.OFF: HealthWords(HealthMark.WARN, "not repaired: off"),
}


class AttemptBar(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt."""

    attempt: StoredAttempt
    kind: str
    """`delivered`, `failed` or `under-way`."""
    after_ms: float
    """How long after the acceptance it began."""
    x: float
    width: float


class GapBar(msgspec.Struct, frozen=True, kw_only=True):
    """One gap."""

    kind: str
    """`gap` where posts may be missing, else `repaired`."""
    words: str
    x: float
    width: float


class StreamLine(msgspec.Struct, frozen=True, kw_only=True):
    """The time line of one stream."""

    name: str
    words: str
    bars: list[GapBar]


class GapRow(msgspec.Struct, frozen=True, kw_only=True):
    """One gap in the list."""

    gap: StoredGap
    health: HealthWords


def attempt_bars(delivery: StoredDelivery) -> list[AttemptBar]:
    """Return the attempts of a delivery, on a line from the acceptance of its event to the end of the last attempt."""
    begins = datetime.fromisoformat(delivery.accepted_at)
    starts = [max((datetime.fromisoformat(each.started_at) - begins) / _MS, 0.0) for each in delivery.attempts]
    whole = (
        max((at + (each.duration_ms or 0) for at, each in zip(starts, delivery.attempts, strict=True)), default=0) or 1
    )
    bars = []
    for at, attempt in zip(starts, delivery.attempts, strict=True):
        x, width = _placed(at / whole, (attempt.duration_ms or 0) / whole)
        is_last = attempt is delivery.attempts[-1]
        bars.append(
            AttemptBar(attempt=attempt, kind=_kind(attempt, delivery, is_last=is_last), after_ms=at, x=x, width=width)
        )
    return bars


def _kind(attempt: StoredAttempt, delivery: StoredDelivery, *, is_last: bool) -> str:
    if is_last and delivery.status == "delivered":
        return "delivered"
    return "under-way" if is_last and delivery.status == "in_flight" and attempt.duration_ms is None else "failed"


def health_of_gap(gap: StoredGap) -> HealthWords:
    """Return whether posts may be missing."""
    if gap.covered or gap.repair == Repair.NOT_NEEDED:
        return HealthWords(HealthMark.OK, "another stream was open")
    if gap.ended_at is None:
        return HealthWords(HealthMark.BAD, "not over")
    return _HEALTH_OF_REPAIR.get(gap.repair, HealthWords(HealthMark.WARN, gap.repair))


def gap_rows(gaps: Sequence[StoredGap]) -> list[GapRow]:
    """Return the rows of the list."""
    return [GapRow(gap=gap, health=health_of_gap(gap)) for gap in gaps]


def stream_lines(
    streams: Mapping[str, StreamReport], gaps: Sequence[StoredGap], *, begins: datetime, now: datetime
) -> list[StreamLine]:
    """Return a time line for each stream, those that only have gaps included."""
    return [
        _stream_line(name, streams.get(name), [gap for gap in gaps if gap.stream == name], begins=begins, now=now)
        for name in dict.fromkeys((*streams, *(gap.stream for gap in gaps)))
    ]


def _stream_line(
    name: str, stream: StreamReport | None, gaps: Sequence[StoredGap], *, begins: datetime, now: datetime
) -> StreamLine:
    bars, away = [], timedelta()
    for start, end, kind, words in _absences(stream, gaps, now):
        start, end = max(start, begins), min(end, now)  # noqa: PLW2901 - what is drawn of it
        if end <= begins or start > now:
            continue
        away += end - start
        x, width = _placed((start - begins) / (now - begins), (end - start) / (now - begins))
        bars.append(GapBar(kind=kind, words=f"{words}: {spell(end - start)}", x=x, width=width))
    said = f"{counted(len(bars), 'gap')}, {spell(away)} away" if bars else "no gap"
    is_away = stream is not None and stream.condition != StreamCondition.OPEN
    return StreamLine(name=name, words=f"{said}, not open now" if is_away else said, bars=bars)


def _absences(
    stream: StreamReport | None, gaps: Sequence[StoredGap], now: datetime
) -> Iterator[tuple[datetime, datetime, str, str]]:
    """Yield the times in which a stream was not open, the oldest first. One that was never open has no gap, but is away."""
    for gap in reversed(gaps):
        health = health_of_gap(gap)
        end = now if gap.ended_at is None else datetime.fromisoformat(gap.ended_at)
        kind = "repaired" if health.mark == HealthMark.OK else "gap"
        yield datetime.fromisoformat(gap.began_at), end, kind, f"{gap.reason}, {health.word}"
    if stream is not None and stream.away_since and all(gap.ended_at is not None for gap in gaps):
        yield datetime.fromisoformat(stream.away_since), now, "gap", stream.reason or "not open"


def _placed(begins: float, length: float) -> tuple[float, float]:
    """Return where a bar begins and its width, from parts of the whole; a bar at the end stays within the drawing."""
    width = min(max(100 * length, _LEAST_WIDTH), 100.0)
    return round(min(100 * begins, 100 - width), 2), round(width, 2)
