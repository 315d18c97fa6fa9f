"""Compares what a config would have sent of the history with what was sent."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from forwarder.core.delivery import Chosen, DestinationName
from forwarder.core.event import Event, event_text
from forwarder.core.routing.first_word import FAST, FULL, SOURCES, FirstWords, OnFull
from forwarder.core.routing.limiter import Limiter
from forwarder.core.routing.router import Router

Moment = tuple[Event, datetime]
"""An event and the time at which it was accepted."""

_LONGEST_TEXT = 60


class Simulation:
    """Routes the events of the history by a config. They must come in their order, because earlier events affect later ones."""

    def __init__(
        self,
        router: Router,
        *,
        disabled: AbstractSet[DestinationName],
        on_full: Mapping[DestinationName, OnFull],
    ) -> None:
        self._router = router
        self._disabled = disabled
        self._on_full = on_full
        self._first_words = FirstWords()
        self._limiter = Limiter()
        self._limiter.follow(router.limits)

    @property
    def longest_wait(self) -> timedelta:
        """How far ahead the simulation must look: the longest time that a first word waits for its full text."""
        return max(self._router.waits.values(), default=timedelta())

    def sent(self, event: Event, *, event_seq: int, now: datetime, full: Sequence[Moment] = ()) -> Chosen:
        """Return where the event would have been sent at `now`; `full` are the full texts of its post that came later."""
        return {
            destination: routes
            for destination, routes in self._router.select(event, now, self._limiter).chosen.items()
            if destination not in self._disabled
            and not self._is_replaced(event, destination, routes, now, full)
            and self._is_wanted(event, destination, routes, event_seq, now)
        }

    def _is_replaced(
        self, event: Event, destination: DestinationName, routes: tuple[str, ...], now: datetime, full: Sequence[Moment]
    ) -> bool:
        """Return whether a first word is replaced by its full text, which comes in time and goes to the same destination."""
        wait = self._router.wait_of(routes) if event.source == FAST else None
        return wait is not None and any(
            at - now <= wait and destination in self._router.select(later, at).chosen for later, at in full
        )

    def _is_wanted(
        self, event: Event, destination: DestinationName, routes: tuple[str, ...], event_seq: int, now: datetime
    ) -> bool:
        if event.source not in SOURCES or not self._router.once.issuperset(routes):
            return True
        on_full = self._on_full.get(destination, OnFull.IGNORE)
        return self._first_words.judge(
            event.source, event.mid, destination, event_seq=event_seq, on_full=on_full, now=now
        ).is_wanted


def looking_ahead(moments: Iterable[Moment], span: timedelta) -> Iterator[tuple[Moment, tuple[Moment, ...]]]:
    """Yield each event with the full texts of its post that came later, within `span`. Keeps the events of one span in memory."""
    ahead: deque[Moment] = deque()
    full: dict[str, list[Moment]] = {}

    def leave() -> tuple[Moment, tuple[Moment, ...]]:
        moment = ahead.popleft()
        event, _ = moment
        later = full.get(event.mid, [])
        if later and later[0] is moment:
            del later[0]
            if not later:
                del full[event.mid]
        return moment, tuple(later)

    for moment in moments:
        event, at = moment
        while ahead and at - ahead[0][1] > span:
            yield leave()
        ahead.append(moment)
        if event.source == FULL:
            full.setdefault(event.mid, []).append(moment)
    while ahead:
        yield leave()


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A short description of an event whose destinations change; `routes` are those that would choose it, or that chose it."""

    event_id: str
    source: str
    mid: str
    sid: str
    text: str
    at: datetime
    routes: tuple[str, ...]


@dataclass(slots=True)
class OfDestination:
    """The differences for one destination: counts and examples."""

    same: int = 0
    more: int = 0
    less: int = 0
    would_get: list[Example] = field(default_factory=list)
    would_miss: list[Example] = field(default_factory=list)

    @property
    def then(self) -> int:
        """How many events the destination was sent."""
        return self.same + self.less

    @property
    def now(self) -> int:
        """How many events the destination would have been sent."""
        return self.same + self.more


@dataclass(slots=True)
class Comparison:
    """Counts what was sent and what would have been sent. Keeps the first `examples` of each kind for each destination."""

    examples: int = 5
    events: int = 0
    unreadable: int = 0
    """Stored events that this version cannot read any more."""
    nowhere_then: int = 0
    nowhere_now: int = 0
    destinations: dict[DestinationName, OfDestination] = field(default_factory=dict)
    hits_then: Counter[str] = field(default_factory=Counter)
    """By route, how many events it had a part in sending then."""
    hits_now: Counter[str] = field(default_factory=Counter)
    """By route, how many events it would have a part in sending now."""

    @property
    def is_changed(self) -> bool:
        """Whether any destination would have been sent more or fewer events."""
        return any(found.more or found.less for found in self.destinations.values())

    def add(self, event: Event, at: datetime, *, then: Chosen, now: Chosen) -> None:
        """Count an event that was sent to `then` and would have been sent to `now`."""
        self.events += 1
        self.nowhere_then += not then
        self.nowhere_now += not now
        self.hits_then.update({name for routes in then.values() for name in routes})
        self.hits_now.update({name for routes in now.values() for name in routes})
        for destination in {**then, **now}:
            found = self.destinations.setdefault(destination, OfDestination())
            if destination in then and destination in now:
                found.same += 1
            elif destination in now:
                found.more += 1
                self._keep(found.would_get, event, at, now[destination])
            else:
                found.less += 1
                self._keep(found.would_miss, event, at, then[destination])

    def _keep(self, examples: list[Example], event: Event, at: datetime, routes: tuple[str, ...]) -> None:
        if len(examples) < self.examples:
            examples.append(example_of(event, at, routes))


def example_of(event: Event, at: datetime, routes: tuple[str, ...]) -> Example:
    """Return a short description of an event that was accepted at this time."""
    text = " ".join((event_text(event.payload) or "")[: 4 * _LONGEST_TEXT].split())
    return Example(
        event_id=event.id,
        source=event.source,
        mid=event.mid,
        sid=event.sid,
        text=text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…",
        at=at,
        routes=routes,
    )
