"""Which of several streams brings an event first, how far behind the others are, and what one of them does not bring. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from forwarder.core.event import EventId
from forwarder.core.stream_state import StreamState

SETTLED_AFTER = timedelta(seconds=30)
"""What a stream has not brought so long after another one did is a miss."""
CAPACITY = 50_000
"""Events that are waited for at most, about 10 MB: beyond, the oldest are settled sooner."""


@dataclass(frozen=True, slots=True)
class Runner:
    """A stream, and what it asks the server for."""

    name: str
    use_fast_x: bool
    ignore_full_payload: bool

    def is_to_bring(self, source: str) -> bool:
        """Whether the server sends it events of this source."""
        if source == "fast-x":
            return self.use_fast_x
        return not (source == "x" and self.ignore_full_payload)


class _Event:
    __slots__ = ("at_s", "brought", "open_names", "source")

    def __init__(self, at_s: float, source: str, stream: str, open_names: frozenset[str]) -> None:
        self.at_s = at_s
        self.source = source
        self.brought = [stream]
        self.open_names = open_names


class Race:
    """Counts in the states of the streams. Times are monotonic seconds. With one stream there is no race, and nothing is kept."""

    def __init__(self, states: Mapping[str, StreamState]) -> None:
        """`states` has each stream that runs."""
        self._states = states
        self._runners: Sequence[Runner] = ()
        self._events: dict[EventId, _Event] = {}
        """In the order they came."""

    @property
    def is_on(self) -> bool:
        """Whether there is more than one stream."""
        return len(self._runners) > 1

    def follow(self, runners: Sequence[Runner]) -> None:
        """Have these run from now on."""
        self._runners = tuple(runners)
        if not self.is_on:
            self._events.clear()

    def note(self, event_id: EventId, source: str, stream: str, now_s: float, *, is_new: bool) -> None:
        """Take note of a copy; `is_new`: the first of all."""
        self.settle(now_s)
        if is_new:
            self._states[stream].wins += 1
            open_names = frozenset(each.name for each in self._runners if self._states[each.name].is_open)
            self._events[event_id] = _Event(now_s, source, stream, open_names)
            return
        event = self._events.get(event_id)
        if event is None or stream in event.brought:  # settled; or sent twice by one server, at a renewal say
            return
        event.brought.append(stream)
        state = self._states[stream]
        state.copies += 1
        state.behind.observe(max(now_s - event.at_s, 0.0))

    def settle(self, now_s: float) -> None:
        """Judge what has had its time."""
        before = now_s - SETTLED_AFTER.total_seconds()
        while self._events:
            event_id, event = next(iter(self._events.items()))
            if event.at_s > before and len(self._events) < CAPACITY:
                return
            del self._events[event_id]
            self._judge(event)

    def _judge(self, event: _Event) -> None:
        for runner in self._runners:
            if runner.name in event.brought or not runner.is_to_bring(event.source):
                continue
            state = self._states[runner.name]
            if runner.name in event.open_names:
                state.missed_open += 1
            else:
                state.missed_away += 1
