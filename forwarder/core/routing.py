"""From an event to the destinations that get it, and the routes that said so."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from forwarder.core.delivery import DestinationName
from forwarder.core.event import Event
from forwarder.core.matching import Condition
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """The routes in the order of the file, and what becomes of an event that none of them wants."""

    routes: Sequence[Route]
    unmatched: DestinationName | None = None
    """`None` drops it (counted)."""
    first: frozenset[str] = field(init=False)
    """The names of the routes that prefer the first event of a post."""

    def __post_init__(self) -> None:
        first = frozenset(route.name for route in self.routes if route.prefer is Prefer.FIRST)
        object.__setattr__(self, "first", first)

    def choose(self, event: Event) -> dict[DestinationName, tuple[str, ...]]:
        """Return each destination that gets the event, with the names of the routes that chose it, in their order."""
        chosen: dict[DestinationName, tuple[str, ...]] = {}
        for route in self.routes:
            if route.condition.matches(event):
                for destination in route.to:
                    chosen[destination] = (*chosen.get(destination, ()), route.name)
                if route.stop:
                    break
        if not chosen and self.unmatched is not None:
            chosen[self.unmatched] = (UNMATCHED,)
        return chosen
