"""What a changed config would have sent of the history, beside what was sent. Pure: events and choices in, counts and examples out."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from forwarder.core.delivery import DestinationName
from forwarder.core.event import Event, event_text
from forwarder.core.limits import Limiter
from forwarder.core.preference import FAST, FULL, SOURCES, FirstWords, OnFull
from forwarder.core.routing import Router

Moment = tuple[Event, datetime]
"""An event, and when it was accepted."""
Chosen = dict[DestinationName, tuple[str, ...]]
"""Where an event goes, and by which routes."""

_LONGEST_TEXT = 60


class Simulation:
    """A config over the history, which has to come in its order: of the two events of a post the first decides."""

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
        """How far ahead it has to look: so long a first word waits for its full text."""
        return max(self._router.waits.values(), default=timedelta())

    def sent(self, event: Event, *, event_seq: int, now: datetime, full: Sequence[Moment] = ()) -> Chosen:
        """Return where the event would have been sent at that moment; `full` are the full texts of its post that came after it."""
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
        """Whether a first word waits for its full text, which comes in time and goes there too."""
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
    """Yield each event with the full texts of its post that came after it within that span. Keeps as many events as come in one."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An event that goes another way, in few words; `routes` are those that would choose it, or that chose it."""

    event_id: str
    source: str
    mid: str
    sid: str
    text: str
    at: datetime
    routes: tuple[str, ...]


@dataclass(slots=True)
class OfDestination:
    """What changes for one destination."""

    same: int = 0
    more: int = 0
    less: int = 0
    would_get: list[Example] = field(default_factory=list)
    would_miss: list[Example] = field(default_factory=list)

    @property
    def then(self) -> int:
        """How many it was sent."""
        return self.same + self.less

    @property
    def now(self) -> int:
        """How many it would have been sent."""
        return self.same + self.more


@dataclass(slots=True)
class Comparison:
    """Both sides, counted; `examples` of each kind are kept for each destination, the first ones."""

    examples: int = 5
    events: int = 0
    unreadable: int = 0
    """Of an earlier version's events, those that are none any more."""
    nowhere_then: int = 0
    nowhere_now: int = 0
    destinations: dict[DestinationName, OfDestination] = field(default_factory=dict)
    hits_then: Counter[str] = field(default_factory=Counter)
    hits_now: Counter[str] = field(default_factory=Counter)
    """By route, how many events it had a part in sending."""

    @property
    def is_changed(self) -> bool:
        """Whether any destination would have got more or less."""
        return any(found.more or found.less for found in self.destinations.values())

    def add(self, event: Event, at: datetime, *, then: Chosen, now: Chosen) -> None:
        """Count an event that was sent to the ones and would be sent to the others."""
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
        if len(examples) >= self.examples:
            return
        text = " ".join((event_text(event.payload) or "")[: 4 * _LONGEST_TEXT].split())
        examples.append(
            Example(
                event_id=event.id,
                source=event.source,
                mid=event.mid,
                sid=event.sid,
                text=text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…",
                at=at,
                routes=routes,
            )
        )
