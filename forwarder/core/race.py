"""Which of several streams brings an event first, how far behind the others are, and what one of them does not bring. Pure."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from forwarder.core.event import EventId
from forwarder.core.stream_state import StreamState

SETTLED_AFTER = timedelta(seconds=40)
"""What a stream has not brought so long after another one did is a miss. A connection that is dead is known to be so by then: it is
quiet for 30 s, another one opens, and for 2 s more the old one is listened to."""
CAPACITY = 50_000
"""Events that some stream has still to bring, about 15 MB: beyond, the oldest are forgotten, and nobody counts as having missed them."""

WasOpen = Callable[[str, float, float], bool]
"""Returns whether a stream was open all the time between two moments."""


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


@dataclass(slots=True)
class _Event:
    sent_s: float
    """When it came to be, as far as is known,"""
    at_s: float
    """and when its first copy came."""
    waits_for: list[str]
    """The streams that are still to bring it."""


class Race:
    """Counts in the states of the streams. Times are monotonic seconds. With one stream there is no race, and nothing is kept."""

    def __init__(self, states: Mapping[str, StreamState], *, capacity: int = CAPACITY) -> None:
        """`states` has each stream that runs."""
        self._states = states
        self._capacity = capacity
        self._runners: Sequence[Runner] = ()
        self._events: OrderedDict[EventId, _Event] = OrderedDict()
        """In the order they came; an `OrderedDict`, because the oldest of a dict is found past all that were taken out before it."""

    @property
    def is_on(self) -> bool:
        """Whether there is more than one stream."""
        return len(self._runners) > 1

    def follow(self, runners: Sequence[Runner]) -> None:
        """Have these run from now on. Where they are others than before, what is under way is not judged."""
        if tuple(runners) != self._runners:
            self._runners = tuple(runners)
            self._events.clear()

    def note(self, event_id: EventId, source: str, stream: str, *, sent_s: float, now_s: float, is_new: bool) -> None:
        """Take note of a copy; `is_new`: the first of all. `sent_s` is when the event came to be, at the latest now."""
        event = self._events.get(event_id)
        if event is None:
            if is_new:
                self._begin(event_id, source, stream, sent_s, now_s)
        elif stream in event.waits_for:  # or it is sent twice by one server, at a renewal say
            event.waits_for.remove(stream)
            state = self._states[stream]
            state.copies += 1
            state.behind.observe(now_s - event.at_s)
            if not event.waits_for:
                del self._events[event_id]

    def _begin(self, event_id: EventId, source: str, stream: str, sent_s: float, now_s: float) -> None:
        rivals = [each.name for each in self._runners if each.name != stream and each.is_to_bring(source)]
        if not rivals:  # what nobody else is to bring is no race
            return
        self._states[stream].wins += 1
        if len(self._events) >= self._capacity:
            self._events.popitem(last=False)
        self._events[event_id] = _Event(sent_s, now_s, rivals)

    def settle(self, now_s: float, was_open: WasOpen) -> None:
        """Judge what has had its time: who has not brought it missed it, and was away unless open from its sending to its arrival."""
        before = now_s - SETTLED_AFTER.total_seconds()
        while self._events and next(iter(self._events.values())).at_s <= before:
            _, event = self._events.popitem(last=False)
            for name in event.waits_for:
                if was_open(name, event.sent_s, event.at_s):
                    self._states[name].missed_open += 1
                else:
                    self._states[name].missed_away += 1
