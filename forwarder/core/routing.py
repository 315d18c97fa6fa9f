"""From an event to the destinations that get it, and the routes that said so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from forwarder.core.delivery import DestinationName
from forwarder.core.event import Event
from forwarder.core.matching import Condition, Subject
from forwarder.core.matching.index import Index
from forwarder.core.preference import Prefer

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
    first: frozenset[str] = field(init=False)
    """The names of the routes that prefer the first event of a post."""
    index: Index = field(init=False, repr=False, compare=False)
    """Of ten thousand routes made in about a tenth of a second: not in the loop's thread."""

    def __post_init__(self) -> None:
        first = frozenset(route.name for route in self.routes if route.prefer is Prefer.FIRST)
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "index", Index([route.condition for route in self.routes]))

    def matching(self, subject: Subject) -> Iterator[Route]:
        """Yield the routes that the event meets, in their order, up to one that stops."""
        for number in self.index.matching(subject):
            route = self.routes[number]
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
