"""Which of several streams brings an event first, how late the others are, and what a stream does not bring. Pure."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from forwarder.core.event import EventId
from forwarder.core.streams.state import StreamState

SETTLED_AFTER = timedelta(seconds=40)
"""If a stream has not brought an event this long after another one did, that is a miss. By then a dead connection is known to be dead: it
was quiet for 30 s, another one was opened, and the old one was read for 2 s more."""
CAPACITY = 50_000
"""How many events may be outstanding, about 15 MB. Beyond that the oldest are forgotten, and no stream counts as having missed them."""

WasOpen = Callable[[str, float, float], bool]
"""Returns whether a stream was open all the time between two moments."""


class Runner(msgspec.Struct, frozen=True):
    """Is one stream in the race, with what it asks the server for."""

    name: str
    use_fast_x: bool
    ignore_full_payload: bool

    def is_to_bring(self, source: str) -> bool:
        """Return whether the server sends it events of this source."""
        if source == "fast-x":
            return self.use_fast_x
        return not (source == "x" and self.ignore_full_payload)


@dataclass(slots=True)
class _Arrival:
    sent_s: float
    """When the event was made, as far as is known."""
    at_s: float
    """When its first copy came."""
    waits_for: list[str]
    """The streams that have not brought it yet."""


class ArrivalRace:
    """Counts wins, copies and misses in the states of the streams. Times are monotonic seconds. With one stream nothing is kept."""

    def __init__(self, states: Mapping[str, StreamState], *, capacity: int = CAPACITY) -> None:
        """`states` has the state of each active stream."""
        self._states = states
        self._capacity = capacity
        self._runners: Sequence[Runner] = ()
        self._names: frozenset[str] = frozenset()
        self.is_on = False
        """Whether there is more than one stream."""
        self._events: OrderedDict[EventId, _Arrival] = OrderedDict()
        """Outstanding events in the order they came. An `OrderedDict`, because a dict finds its oldest entry only past all removed ones."""

    def follow(self, runners: Sequence[Runner]) -> None:
        """Let these streams run from now on. If they differ from those before, outstanding events are not judged."""
        if tuple(runners) != self._runners:
            self._runners = tuple(runners)
            self._names = frozenset(each.name for each in runners)
            self.is_on = len(runners) > 1
            self._events.clear()

    def note(self, event_id: EventId, source: str, stream: str, *, sent_s: float, now_s: float, is_new: bool) -> None:
        """Note a copy of an event. `is_new`: it is the first one. `sent_s` is when the event was made, not later than now."""
        event = self._events.get(event_id)
        if event is None:
            if is_new:
                self._begin(event_id, source, stream, sent_s, now_s)
        elif stream in event.waits_for:  # otherwise one server sent it twice, for example at a renewal
            event.waits_for.remove(stream)
            state = self._states[stream]
            state.copies += 1
            state.behind.observe(now_s - event.at_s)
            if not event.waits_for:
                del self._events[event_id]

    def _begin(self, event_id: EventId, source: str, stream: str, sent_s: float, now_s: float) -> None:
        if stream not in self._names:  # the public stream takes no part
            return
        rivals = [each.name for each in self._runners if each.name != stream and each.is_to_bring(source)]
        if not rivals:  # nobody else is to bring it
            return
        self._states[stream].wins += 1
        if len(self._events) >= self._capacity:
            self._events.popitem(last=False)
        self._events[event_id] = _Arrival(sent_s, now_s, rivals)

    def settle(self, now_s: float, was_open: WasOpen) -> None:
        """Judge events whose time is over: a stream that has not brought one missed it, while open or while away."""
        before = now_s - SETTLED_AFTER.total_seconds()
        while self._events and next(iter(self._events.values())).at_s <= before:
            _, event = self._events.popitem(last=False)
            for name in event.waits_for:
                if was_open(name, event.sent_s, event.at_s):
                    self._states[name].missed_open += 1
                else:
                    self._states[name].missed_away += 1
