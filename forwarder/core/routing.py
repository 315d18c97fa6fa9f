"""From an event to the destinations that get it, and the routes that said so."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from forwarder.core.books import Cause
from forwarder.core.delivery import DestinationName
from forwarder.core.event import Event
from forwarder.core.limits import Limit, Limiter
from forwarder.core.matching import Condition, Subject
from forwarder.core.matching.index import Index
from forwarder.core.preference import WAIT, Prefer
from forwarder.core.sampling import is_in_sample

UNMATCHED = "unmatched"
"""Stands for a route where an event went to the destination named under `unmatched:`."""
_WEIGHT = (Cause.SAMPLED, Cause.LIMITED)
"""Where several routes held an event back from a destination, the last of these that occurs is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A rule: events that meet the condition go to every destination in `to`; `stop` ends the walk there."""

    name: str
    condition: Condition
    to: tuple[DestinationName, ...]
    stop: bool = False
    prefer: Prefer = Prefer.ALL
    wait: timedelta = WAIT
    """How long a first word waits for the full text, where that is preferred."""
    sample: int | None = None
    """The share of the posts that it sends, of `WHOLE`; `None`: all of them."""
    limit: Limit | None = None

    def holds_back(self, subject: Subject, limiter: Limiter | None) -> Cause | None:
        """Return why it does not send an event that it matches, if it does not; the limiter counts what it is asked about."""
        if self.sample is not None and not is_in_sample(subject.event.mid, self.sample):
            return Cause.SAMPLED
        if self.limit is not None and limiter is not None and not limiter.lets_through(self.name, self.limit, subject):
            return Cause.LIMITED
        return None


@dataclass(slots=True)
class Selection:
    """What the routes make of an event."""

    chosen: dict[DestinationName, tuple[str, ...]]
    """Each destination that gets it, with the names of the routes that chose it, in their order."""
    is_matched: bool
    """Whether a route wanted it, and not only `unmatched`."""
    held: dict[DestinationName, tuple[Cause, tuple[str, ...]]] = field(default_factory=dict)
    """Each destination that does not get it because every route that chose it held it back: why, and their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """The routes in the order of the file, and what becomes of an event that none of them wants."""

    routes: Sequence[Route]
    unmatched: DestinationName | None = None
    """`None` drops it (counted)."""
    once: frozenset[str] = field(init=False)
    """The names of the routes that want one of the two events of a post: the first, or the full one."""
    waits: Mapping[str, timedelta] = field(init=False)
    """How long those that prefer the full one wait for it, by their names."""
    limits: Mapping[str, Limit] = field(init=False)
    """Those of the routes that have one, by their names."""
    index: Index = field(init=False, repr=False, compare=False)
    """Of ten thousand routes made in about a tenth of a second: not in the loop's thread."""

    def __post_init__(self) -> None:
        once = frozenset(route.name for route in self.routes if route.prefer is not Prefer.ALL)
        waits = {route.name: route.wait for route in self.routes if route.prefer is Prefer.FULL}
        object.__setattr__(self, "once", once)
        object.__setattr__(self, "waits", waits)
        limits = {route.name: route.limit for route in self.routes if route.limit is not None}
        object.__setattr__(self, "limits", limits)
        object.__setattr__(self, "index", Index([route.condition for route in self.routes]))

    def wait_of(self, routes: Sequence[str]) -> timedelta | None:
        """Return how long a first word that these routes chose waits for the full text; `None`: it goes at once."""
        if not all(name in self.waits for name in routes):
            return None
        return min((self.waits[name] for name in routes), default=None)

    def matching(self, subject: Subject) -> Iterator[Route]:
        """Yield the routes that the event meets, in their order, up to one that stops."""
        for number in self.index.matching(subject):
            route = self.routes[number]
            yield route
            if route.stop:
                return

    def select(self, event: Event, now: datetime, limiter: Limiter | None = None) -> Selection:
        """Return what becomes of an event that is matched now. Without a limiter no limit holds anything back."""
        chosen: dict[DestinationName, tuple[str, ...]] = {}
        held: dict[DestinationName, tuple[Cause, tuple[str, ...]]] = {}
        is_matched = False
        subject = Subject(event, now)
        for route in self.matching(subject):
            is_matched = True
            is_whole = route.sample is None and route.limit is None
            cause = None if is_whole else route.holds_back(subject, limiter)
            for destination in route.to:
                if cause is None:
                    chosen[destination] = (*chosen.get(destination, ()), route.name)
                else:
                    before, names = held.get(destination, (cause, ()))
                    held[destination] = (max(before, cause, key=_WEIGHT.index), (*names, route.name))
        if not is_matched and self.unmatched is not None:
            chosen[self.unmatched] = (UNMATCHED,)
        if held:
            held = {destination: why for destination, why in held.items() if destination not in chosen}
        return Selection(chosen, is_matched, held)
