"""Keeps the states of the streams over reloads, and counts what they bring: who is first, who misses what, and how late events are."""

from collections.abc import Sequence
from datetime import datetime
from time import monotonic

from forwarder.core.config.model import StreamConfig
from forwarder.core.event import Event
from forwarder.core.histogram import Histogram
from forwarder.core.notices import OWN_SOURCE
from forwarder.core.ports import Clock
from forwarder.core.race import Race, Runner
from forwarder.core.stream_state import StreamState

_MAX_SOURCES = 32
_OTHER = "other"
"""Where more sources than that come, all further ones."""
_LONGEST_LAG_S = 86_400.0
"""What is older was not sent late: it is an old post."""


class StreamWatch:
    """Of all streams, by their names."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._states: dict[str, StreamState] = {}
        self._streams: Sequence[StreamConfig] = ()
        self._race = Race(self._states)
        self._lag: dict[str, Histogram] = {}

    def follow(self, streams: Sequence[StreamConfig]) -> None:
        """Have these be the streams in force."""
        self._streams = streams
        for stream in streams:
            self.state_of(stream.name)
        self._race.follow([Runner(each.name, each.use_fast_x, each.ignore_full_payload) for each in streams])

    def state_of(self, name: str) -> StreamState:
        """Return the state of a stream, over reloads the same."""
        if name not in self._states:
            self._states[name] = StreamState(name)
        return self._states[name]

    def note_arrival(self, event: Event, stream: str, is_new: bool) -> None:
        """Count a copy of an event."""
        now = self._clock()
        state = self.state_of(stream)
        state.events += 1
        state.last_event = now
        if is_new:
            self._note_lag(event, now)
        if self._race.is_on:
            self._race.note(event.id, event.source, stream, monotonic(), is_new=is_new)

    def _note_lag(self, event: Event, now: datetime) -> None:
        lag_s = now.timestamp() - event.timestamp / 1000
        if lag_s > _LONGEST_LAG_S or event.source == OWN_SOURCE:
            return
        lag = self._lag.get(event.source)
        if lag is None:
            source = event.source if len(self._lag) < _MAX_SOURCES else _OTHER
            lag = self._lag.setdefault(source, Histogram())
        lag.observe(max(lag_s, 0.0))

    # What the operator sees

    def status(self) -> dict[str, dict[str, object]]:
        """Return how each stream in force is, by its name."""
        self._race.settle(monotonic())
        won = sum(self._states[stream.name].wins for stream in self._streams)
        return {stream.name: self._fields(stream, won) for stream in self._streams}

    def _fields(self, stream: StreamConfig, won: int) -> dict[str, object]:
        state = self._states[stream.name]
        return {
            "transport": stream.transport,
            "condition": str(state.condition),
            "since": _written(state.since),
            "away_since": _written(state.away_since),
            "reason": state.reason or None,
            "next_try_at": _written(state.next_try_at),
            "connections": state.connections,
            "ends": dict(sorted(state.ends.items())),
            "last_heard": _written(state.last_heard),
            "events": state.events,
            "last_event": _written(state.last_event),
            "wins": state.wins,
            "share": round(state.wins / won, 4) if won else None,
            "copies": state.copies,
            "behind_ms": _in_ms(state.behind),
            "missed_open": state.missed_open,
            "missed_away": state.missed_away,
        }

    def lag(self) -> dict[str, dict[str, float]]:
        """Return by source how long after its timestamp an event came."""
        return {source: _in_ms(lag) for source, lag in sorted(self._lag.items())}


def _in_ms(of: Histogram) -> dict[str, float]:
    return {
        "count": of.count,
        "sum": round(of.sum_s * 1000, 2),
        "p50": round(of.quantile_s(0.5) * 1000, 2),
        "p99": round(of.quantile_s(0.99) * 1000, 2),
        "max": round(of.longest_s * 1000, 2),
    }


def _written(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds")
