"""Decides which destinations get an event, and by which routes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from forwarder.core.delivery import DestinationName
from forwarder.core.dispatch.priority import Priority
from forwarder.core.event import Event
from forwarder.core.ledger import SkipReason
from forwarder.core.matching import EVERYTHING, Condition, Subject
from forwarder.core.matching.index import Index
from forwarder.core.routing.first_word import WAIT, Prefer
from forwarder.core.routing.limiter import Limiter, OfDestination, Owner, RouteLimit
from forwarder.core.routing.quiet import QuietHours
from forwarder.core.routing.sampling import is_in_sample

UNMATCHED = "unmatched"
"""The name that is recorded as the route of an event that went to the destination under `unmatched:`."""
_WEIGHT = (SkipReason.SAMPLED, SkipReason.LIMITED)
"""If several routes do not send an event to a destination, the last reason in this order is recorded."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: events that match the condition go to every destination in `to`. With `stop`, later routes are not evaluated."""

    name: str
    condition: Condition
    to: tuple[DestinationName, ...]
    stop: bool = False
    prefer: Prefer = Prefer.ALL
    wait: timedelta = WAIT
    """How long a first word waits for the full text, with `prefer: full`."""
    sample: int | None = None
    """The share of the posts that the route sends, in parts of `WHOLE`. `None` means all of them."""
    limit: RouteLimit | None = None
    priority: Priority = Priority.NORMAL
    """How soon its deliveries go, of those that wait for the same destination."""
    quiet: QuietHours | None = None
    """When what it chooses is kept."""

    def holds_back(self, subject: Subject, limiter: Limiter | None) -> SkipReason | None:
        """Return why the route does not send an event that it matches, or `None` if it sends it. The limiter counts the event."""
        if self.sample is not None and not is_in_sample(subject.event.mid, self.sample):
            return SkipReason.SAMPLED
        if self.limit is not None and limiter is not None and not limiter.lets_through(self.name, self.limit, subject):
            return SkipReason.LIMITED
        return None


@dataclass(slots=True)
class Selection:
    """The result of routing one event."""

    chosen: dict[DestinationName, tuple[str, ...]]
    """The destinations that get the event, each with the names of the routes that chose it, in their order."""
    matched: tuple[str, ...]
    """The names of the routes that matched, whether they send the event or not; `unmatched` is none of them."""
    held: dict[DestinationName, tuple[SkipReason, tuple[str, ...]]] = field(default_factory=dict)
    """The destinations that were chosen only by routes that do not send the event: the reason, and the names of the routes."""

    @property
    def is_matched(self) -> bool:
        """Whether any route matched."""
        return bool(self.matched)


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """Selects the destinations of an event by the routes, in the order of the config, or by `unmatched` if no route matches."""

    routes: Sequence[Route]
    unmatched: DestinationName | None = None
    """Where events go that no route matches. `None` drops them; they are counted."""
    destination_limits: Mapping[DestinationName, RouteLimit] = field(default_factory=dict)
    """The limits of destinations, which hold over all their routes and `unmatched`."""
    once: frozenset[str] = field(init=False)
    """The names of the routes that want only one of the two events of a post: the first or the full one."""
    high: frozenset[str] | None = field(init=False)
    """The names of the routes with a high priority, if there are any."""
    waits: Mapping[str, timedelta] = field(init=False)
    """For each route with `prefer: full`, how long a first word waits for the full text."""
    limits: Mapping[Owner, RouteLimit] = field(init=False)
    """The limits of the routes and of the destinations that have one, by their owners."""
    index: Index = field(init=False, repr=False, compare=False)
    """Finds the routes that may match. Building it takes about 0.1 s for ten thousand routes, so it is not done in the loop's thread."""

    always: Selection | None = field(init=False, repr=False, compare=False)
    """The selection of every event, if no route asks anything of it; nobody may change it."""

    def __post_init__(self) -> None:
        once = frozenset(route.name for route in self.routes if route.prefer is not Prefer.ALL)
        waits = {route.name: route.wait for route in self.routes if route.prefer is Prefer.FULL}
        object.__setattr__(self, "once", once)
        high = frozenset(route.name for route in self.routes if route.priority is Priority.HIGH)
        object.__setattr__(self, "high", high or None)
        object.__setattr__(self, "waits", waits)
        limits: dict[Owner, RouteLimit] = {route.name: route.limit for route in self.routes if route.limit is not None}
        limits |= {OfDestination(name): limit for name, limit in self.destination_limits.items()}
        object.__setattr__(self, "limits", limits)
        object.__setattr__(self, "index", Index([route.condition for route in self.routes]))
        object.__setattr__(self, "always", self._always())

    def _always(self) -> Selection | None:
        """Return what is selected where all routes send everything, or `None` where it depends on the event."""
        if self.destination_limits:
            return None
        chosen: dict[DestinationName, tuple[str, ...]] = {}
        matched: list[str] = []
        for route in self.routes:
            if route.condition != EVERYTHING or route.sample is not None or route.limit is not None:
                return None
            _add(chosen, route)
            matched.append(route.name)
            if route.stop:
                break
        return Selection(chosen, tuple(matched)) if self.routes else None

    def wait_of(self, routes: Sequence[str]) -> timedelta | None:
        """Return how long a first word that these routes chose waits for the full text. `None` means that it is sent at once."""
        if not all(name in self.waits for name in routes):
            return None
        return min((self.waits[name] for name in routes), default=None)

    def matching(self, subject: Subject) -> Iterator[Route]:
        """Yield the routes that match the event, in their order, up to the first one with `stop`."""
        for number in self.index.matching(subject):
            route = self.routes[number]
            yield route
            if route.stop:
                return

    def select(self, event: Event, now: datetime, limiter: Limiter | None = None) -> Selection:
        """Return the selection for an event that is routed at `now`. Without a limiter, limits are ignored."""
        if self.always is not None:
            return self.always
        chosen: dict[DestinationName, tuple[str, ...]] = {}
        held: dict[DestinationName, tuple[SkipReason, tuple[str, ...]]] = {}
        matched: tuple[str, ...] = ()
        subject = Subject(event, now)
        for number in self.index.matching(subject):
            route = self.routes[number]
            matched += (route.name,)  # a call less than a list
            is_whole = route.sample is None and route.limit is None
            cause = None if is_whole else route.holds_back(subject, limiter)
            if cause is None:
                _add(chosen, route)
            else:
                for destination in route.to:
                    before, names = held.get(destination, (cause, ()))
                    held[destination] = (max(before, cause, key=_WEIGHT.index), (*names, route.name))
            if route.stop:
                break
        if not matched and self.unmatched is not None:
            chosen[self.unmatched] = (UNMATCHED,)
        if held:
            held = {destination: why for destination, why in held.items() if destination not in chosen}
        if self.destination_limits and limiter is not None:
            self._limit_destinations(chosen, held, subject, limiter)
        return Selection(chosen, matched, held)

    def _limit_destinations(
        self,
        chosen: dict[DestinationName, tuple[str, ...]],
        held: dict[DestinationName, tuple[SkipReason, tuple[str, ...]]],
        subject: Subject,
        limiter: Limiter,
    ) -> None:
        """Move from `chosen` to `held` what the limit of a destination does not let through."""
        for name, limit in self.destination_limits.items():
            if name in chosen and not limiter.lets_through(OfDestination(name), limit, subject):
                held[name] = (SkipReason.LIMITED, chosen.pop(name))


def _add(chosen: dict[DestinationName, tuple[str, ...]], route: Route) -> None:
    """Note that a route sends an event to its destinations."""
    for destination in route.to:
        chosen[destination] = (*chosen.get(destination, ()), route.name)
