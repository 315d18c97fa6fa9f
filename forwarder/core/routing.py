"""From an event to the destinations that get it, and the routes that said so."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from forwarder.core.delivery import DestinationName
from forwarder.core.event import Event
from forwarder.core.matching import Condition, Subject
from forwarder.core.preference import WAIT, Prefer

UNMATCHED = "unmatched"
"""Stands for a route where an event went to the destination named under `unmatched:`."""


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


@dataclass(slots=True)
class Selection:
    """What the routes make of an event."""

    chosen: dict[DestinationName, tuple[str, ...]]
    """Each destination that gets it, with the names of the routes that chose it, in their order."""
    is_matched: bool
    """Whether a route wanted it, and not only `unmatched`."""


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

    def __post_init__(self) -> None:
        once = frozenset(route.name for route in self.routes if route.prefer is not Prefer.ALL)
        waits = {route.name: route.wait for route in self.routes if route.prefer is Prefer.FULL}
        object.__setattr__(self, "once", once)
        object.__setattr__(self, "waits", waits)

    def wait_of(self, routes: Sequence[str]) -> timedelta | None:
        """Return how long a first word that these routes chose waits for the full text; `None`: it goes at once."""
        if not all(name in self.waits for name in routes):
            return None
        return min((self.waits[name] for name in routes), default=None)

    def matching(self, subject: Subject) -> Iterator[Route]:
        """Yield the routes that the event meets, in their order, up to one that stops."""
        for route in self.routes:
            if route.condition.matches(subject):
                yield route
                if route.stop:
                    return

    def select(self, event: Event, now: datetime) -> Selection:
        """Return what becomes of an event that is matched now."""
        chosen: dict[DestinationName, tuple[str, ...]] = {}
        is_matched = False
        for route in self.matching(Subject(event, now)):
            is_matched = True
            for destination in route.to:
                chosen[destination] = (*chosen.get(destination, ()), route.name)
        if not is_matched and self.unmatched is not None:
            chosen[self.unmatched] = (UNMATCHED,)
        return Selection(chosen, is_matched)
