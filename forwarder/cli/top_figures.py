"""The figures of `top`: rates, which are the differences of two statuses, and latencies, of streams, destinations and routes. Pure."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from statistics import quantiles

import msgspec

from forwarder.cli.status_values import age, milliseconds
from forwarder.core.counted import counted
from forwarder.core.monitoring.condition import condition_of
from forwarder.core.monitoring.live import AttemptOutcome, Passing, PassingAttempt
from forwarder.core.monitoring.status import Backlog, DelaySummary, DestinationReport, StatusReport, StreamReport
from forwarder.core.streams.state import StreamCondition

_SPAN = 60
"""How many rates are kept of each row, one for each status."""
_LATENCIES = 500
"""How many latencies are kept of each route."""
_MOST_ROWS = 100
"""Of more destinations or routes, those with the highest rates are shown, after those in trouble."""
_BARS = "▁▂▃▄▅▆▇█"


class RowKind(StrEnum):
    """What a row is about."""

    STREAM = "stream"
    DESTINATION = "dest"
    ROUTE = "route"


RowKey = tuple[RowKind, str]


class TopRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of a stream, a destination or a route."""

    kind: RowKind
    name: str
    per_s: float | None
    """`None` until there were two statuses."""
    rates: tuple[float, ...]
    """The last rates, the newest at the end."""
    p50: str
    p99: str
    state: str
    is_in_trouble: bool = False
    is_paused: bool = False

    @property
    def key(self) -> RowKey:
        """What names the row."""
        return self.kind, self.name


class TopFigures:
    """Turns statuses and what passes into rows."""

    def __init__(self, *, routes: Sequence[str] = ()) -> None:
        """`routes` are those of the config, in their order; the status leaves out those that matched nothing."""
        self._routes = routes
        self._status = StatusReport()
        self._backlog: Backlog | None = None
        self._at_s = 0.0
        self._rates: dict[RowKey, deque[float]] = {}
        self._latencies: dict[str, deque[float]] = {}
        self.total = (0.0, 0.0)
        """Events and deliveries a second."""

    def note_status(self, status: StatusReport, backlog: Backlog | None, *, now_s: float) -> None:
        """Take the next status, which was asked for at that time."""
        before, passed_s = self._status, now_s - self._at_s
        if (before.pid, before.started_at) != (status.pid, status.started_at):
            self._rates.clear()
            self.total = (0.0, 0.0)
        elif passed_s > 0:
            old = dict(_counts(before))
            for key, count in _counts(status):
                # The status leaves out a route until it matches. A stream or a destination that is new has counted for longer.
                then_count = old.get(key, 0 if key[0] is RowKind.ROUTE else count)
                rates = self._rates.setdefault(key, deque(maxlen=_SPAN))
                rates.append(max(count - then_count, 0) / passed_s)
            now, then = status.since_start, before.since_start
            self.total = (now.seen - then.seen) / passed_s, (now.delivered - then.delivered) / passed_s
        self._status, self._backlog, self._at_s = status, backlog, now_s

    def note_passing(self, item: Passing) -> None:
        """Take what passes: the routes have their latencies from it."""
        if isinstance(item, PassingAttempt) and item.outcome is AttemptOutcome.DELIVERED and item.trigger == "first":
            for route in item.routes:
                self._latencies.setdefault(route, deque(maxlen=_LATENCIES)).append(item.since_received_ms)

    def rows(self, now: datetime) -> list[TopRow]:
        """Return the rows: streams, destinations, routes; of each those in trouble first. Before the first status there are none."""
        if not self._status.pid:
            return []
        kinds = (self._streams(now), self._destinations(now), self._route_rows())
        return [row for rows in kinds for row in _most_important(rows)]

    def summary(self, now: datetime) -> str:
        """Return the totals in one line."""
        events, delivered = self.total
        parts = [f"{events:.1f} events/s", f"{delivered:.1f} delivered/s"]
        if self._backlog is not None:
            parts.append(f"{sum(self._backlog.waiting.values()):,} waiting")
            parts.append(f"{sum(self._backlog.dead.values()):,} dead")
        parts.append(f"up {age(self._status.started_at, now)}")
        return "  ".join(parts)

    def _streams(self, now: datetime) -> Iterator[TopRow]:
        for name, stream in self._status.streams.items():
            lag = self._lag_of(stream)
            is_away = stream.condition != StreamCondition.OPEN
            state = f"open, {counted(stream.events, 'event')}"
            if is_away:
                state = (
                    f"{stream.condition} for {age(stream.away_since, now)}" if stream.away_since else stream.condition
                )
                state += f": {stream.reason}" if stream.reason else ""
            yield self._row(
                RowKind.STREAM,
                name,
                p50=milliseconds(lag.p50 if lag.count else None),
                p99=milliseconds(lag.p99 if lag.count else None),
                state=state,
                is_in_trouble=is_away,
            )

    def _lag_of(self, stream: StreamReport) -> DelaySummary:
        """Return how late events arrive of the source that the stream brings most of."""
        most = max(stream.sources, key=stream.sources.__getitem__, default="")
        return self._status.lag_ms.get(most, DelaySummary())

    def _destinations(self, now: datetime) -> Iterator[TopRow]:
        for name, destination in self._status.destinations.items():
            waiting = 0 if self._backlog is None else self._backlog.waiting.get(name, 0)
            dead = 0 if self._backlog is None else self._backlog.dead.get(name, 0)
            condition = condition_of(destination)
            why = _why(destination)
            parts = [str(condition) if why is None else f"{condition}: {why}"]
            if waiting:
                oldest = None if self._backlog is None else self._backlog.oldest.get(name)
                parts.append(f"{waiting:,} waiting" + (f" {age(oldest, now)}" if oldest else ""))
            if dead:
                parts.append(f"{dead:,} dead")
            yield self._row(
                RowKind.DESTINATION,
                name,
                p50=milliseconds(destination.recent.latency_p50_ms),
                p99=milliseconds(destination.recent.latency_p99_ms),
                state=", ".join(parts),
                is_in_trouble=condition.is_trouble,
                is_paused=destination.paused is not None,
            )

    def _route_rows(self) -> Iterator[TopRow]:
        for name in dict.fromkeys((*self._routes, *self._status.routes)):
            p50, p99 = _quantiles(self._latencies.get(name, ()))
            state = f"{counted(self._status.routes.get(name, 0), 'event')} matched"
            yield self._row(RowKind.ROUTE, name, p50=milliseconds(p50), p99=milliseconds(p99), state=state)

    def _row(
        self,
        kind: RowKind,
        name: str,
        *,
        p50: str,
        p99: str,
        state: str,
        is_in_trouble: bool = False,
        is_paused: bool = False,
    ) -> TopRow:
        rates = tuple(self._rates.get((kind, name), ()))
        return TopRow(
            kind=kind,
            name=name,
            per_s=rates[-1] if rates else None,
            rates=rates,
            p50=p50,
            p99=p99,
            state=state,
            is_in_trouble=is_in_trouble,
            is_paused=is_paused,
        )


def _why(destination: DestinationReport) -> str | None:
    if destination.paused is not None:
        return destination.paused.why or None
    return destination.ours or destination.last_failure


def sparkline(rates: Sequence[float], width: int) -> str:
    """Return the last rates as bars, of which the highest is the highest of them; blanks where there are none yet."""
    shown = rates[-width:]
    highest = max(shown, default=0.0)
    bars = [_BARS[min(int(rate / highest * len(_BARS)), len(_BARS) - 1)] if highest else _BARS[0] for rate in shown]
    return "".join(bars).rjust(width)


def _counts(status: StatusReport) -> Iterator[tuple[RowKey, int]]:
    for name, stream in status.streams.items():
        yield (RowKind.STREAM, name), stream.events
    for name, destination in status.destinations.items():
        yield (RowKind.DESTINATION, name), destination.delivered
    for name, matched in status.routes.items():
        yield (RowKind.ROUTE, name), matched


def _most_important(rows: Iterable[TopRow]) -> list[TopRow]:
    """Return the rows in their order, those in trouble first; of too many, those with the lowest rates are left out."""
    found = list(rows)
    if len(found) > _MOST_ROWS:
        kept = sorted(found, key=lambda row: (not row.is_in_trouble, -(row.per_s or 0)))[:_MOST_ROWS]
        names = {row.name for row in kept}
        found = [row for row in found if row.name in names]
    return sorted(found, key=lambda row: not row.is_in_trouble)


def _quantiles(values: Iterable[float]) -> tuple[float | None, float | None]:
    found = [round(value, 1) for value in values]
    if not found:
        return None, None
    if len(found) == 1:
        return found[0], found[0]
    cuts = quantiles(found, n=100, method="inclusive")
    return round(cuts[49], 1), round(cuts[98], 1)
