"""Keeps the states of the streams over reloads, and counts what they bring: who is first, who misses what, and how late events are."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from time import monotonic

from forwarder.clocks.periodic import periodic
from forwarder.core.config.model.stream import ExpectConfig, StreamConfig
from forwarder.core.event import OWN_SOURCE, Event
from forwarder.core.histogram import Histogram
from forwarder.core.matching import Subject
from forwarder.core.monitoring.status import DelaySummary, StreamReport, to_milliseconds
from forwarder.core.ports import Clock
from forwarder.core.streams.arrival_race import ArrivalRace, Runner
from forwarder.core.streams.state import StreamState, StreamStates

_SETTLE_EVERY = timedelta(seconds=1)
_MAX_SOURCES = 32
_LONGEST_NAME = 40
_OTHER = "other"
"""Where more sources than that come, all further ones; and those whose names, which come from outside, are too long or cannot be shown."""
_LONGEST_LAG_S = 86_400.0
"""What is older was not sent late: it is an old post."""


class StreamStats:
    """Counts what each stream brings: which was first, what it missed, and how late events are."""

    def __init__(
        self,
        states: StreamStates,
        clock: Clock,
        *,
        was_open: Callable[[str, datetime, datetime], bool],
        now_s: Callable[[], float] = monotonic,
    ) -> None:
        """`was_open` returns whether a stream was open all the time between two moments, as far as is known when it is asked."""
        self._clock = clock
        self._was_open = was_open
        self._now_s = now_s
        self._states = states
        self._by_name = states.by_name()
        self._streams: Sequence[StreamConfig] = ()
        self._expected: Sequence[ExpectConfig] = ()
        self._race = ArrivalRace(self._by_name)
        self._lag: dict[str, Histogram] = {}
        self.met = Counter[str]()
        """How many events met each expectation."""

    def follow(self, streams: Sequence[StreamConfig], expected: Sequence[ExpectConfig] = ()) -> None:
        """Use these as the active streams and expectations."""
        self._streams, self._expected = streams, expected
        for stream in streams:
            self._states.of(stream.name)
        self._race.follow(
            [Runner(each.name, each.use_fast_x, each.ignore_full_payload) for each in streams if not each.is_public]
        )

    def note_arrival(self, event: Event, stream: str, is_new: bool, now: datetime, now_s: float) -> None:
        """Count a copy of an event, which came from one of the streams at `now`, and at `now_s` by the monotonic clock."""
        state = self._by_name[stream]
        state.events += 1
        state.last_event = now
        source = event.source
        if source in state.sources:
            state.sources[source] += 1
        else:
            self._count_new_source(state, source)
        lag_s = now.timestamp() - event.timestamp / 1000
        if lag_s < 0.0:  # noqa: PLR1730 - without a call, because it is done for every event
            lag_s = 0.0
        if lag_s > _LONGEST_LAG_S:
            lag_s = 0.0
        elif is_new:
            lag = self._lag[source] if source in self._lag else self._lag_of_new(source)
            if lag is not None:
                lag.observe(lag_s)
        if self._race.is_on:
            self._race.note(event.id, event.source, stream, sent_s=now_s - lag_s, now_s=now_s, is_new=is_new)
        if self._expected and is_new:
            self._note_expected(Subject(event, now))

    def _lag_of_new(self, source: str) -> Histogram | None:
        """Return what counts the lag of a source that has none of its own yet; `None` for that of forwarder itself."""
        return None if source == OWN_SOURCE else self._lag.setdefault(_shown(source, self._lag), Histogram())

    def _count_new_source(self, state: StreamState, source: str) -> None:
        shown = _shown(source, state.sources)
        state.sources[shown] = state.sources.get(shown, 0) + 1

    def _note_expected(self, subject: Subject) -> None:
        for each in self._expected:
            if each.match.matches(subject):
                self.met[each.name] += 1

    async def run(self) -> None:
        """Settle now and then, so that little is kept, and not much is judged at once."""
        await periodic(_SETTLE_EVERY, self._settle)

    def _settle(self) -> None:
        now_s, now = self._now_s(), self._clock()

        def was_open(stream: str, since_s: float, until_s: float) -> bool:
            since, until = (now - timedelta(seconds=now_s - at_s) for at_s in (since_s, until_s))
            return self._was_open(stream, since, until)

        self._race.settle(now_s, was_open)

    # What the operator sees

    def status(self) -> dict[str, StreamReport]:
        """Return the state of each active stream, by its name."""
        self._settle()
        won = sum(self._states.of(stream.name).wins for stream in self._streams)
        return {stream.name: self._report(stream, won) for stream in self._streams}

    def _report(self, stream: StreamConfig, won: int) -> StreamReport:
        state = self._states.of(stream.name)
        return StreamReport(
            transport=stream.transport,
            condition=str(state.condition),
            since=to_milliseconds(state.since),
            away_since=to_milliseconds(state.away_since),
            reason=state.reason or None,
            fault=state.fault,
            next_try_at=to_milliseconds(state.next_try_at),
            connections=state.connections,
            ends=dict(sorted(state.ends.items())),
            last_heard=to_milliseconds(state.last_heard),
            events=state.events,
            last_event=to_milliseconds(state.last_event),
            sources=dict(sorted(state.sources.items())),
            wins=state.wins,
            share=round(state.wins / won, 4) if won else None,
            copies=state.copies,
            behind_ms=DelaySummary.of(state.behind),
            missed_open=state.missed_open,
            missed_away=state.missed_away,
        )

    def lags(self) -> dict[str, Histogram]:
        """Return the same as `lag` as histograms."""
        return {source: lag.copy() for source, lag in sorted(self._lag.items())}

    def behind(self) -> dict[str, Histogram]:
        """Return how long after the first copy of an event the copy of each active stream came, where it brought copies."""
        states = {stream.name: self._states.of(stream.name) for stream in self._streams}
        return {name: state.behind.copy() for name, state in states.items() if state.copies}

    def lag(self) -> dict[str, DelaySummary]:
        """Return for each source how long after their timestamps its events came."""
        return {source: DelaySummary.of(lag) for source, lag in sorted(self._lag.items())}


def _shown(source: str, known: Collection[str]) -> str:
    """Return what a new source is called in `status` and the metrics, beside those that are known."""
    is_fit = len(source) <= _LONGEST_NAME and source.isprintable()  # a lone surrogate is not printable either
    return source if is_fit and len(known) < _MAX_SOURCES else _OTHER
