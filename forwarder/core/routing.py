"""From an event to the destinations that get it, and the routes that said so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from forwarder.core.delivery import DestinationName
from forwarder.core.event import Event
from forwarder.core.matching import Condition
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
