"""Compares which routes match the events of the history with folded texts and with exact ones."""

from dataclasses import dataclass, field
from datetime import datetime

from forwarder.core.event import Event
from forwarder.core.matching import Subject
from forwarder.core.routing.backtest import Example, example_of
from forwarder.core.routing.router import Router


@dataclass(slots=True)
class OfRoute:
    """What folding changes for one route: counts and examples."""

    same: int = 0
    more: int = 0
    less: int = 0
    would_match: list[Example] = field(default_factory=list)
    would_not_match: list[Example] = field(default_factory=list)

    @property
    def exact(self) -> int:
        """How many events the route matches with exact texts."""
        return self.same + self.less

    @property
    def folded(self) -> int:
        """How many events the route matches with folded texts."""
        return self.same + self.more


class FoldingEffect:
    """Counts the matches of each route of a config. Keeps the first `examples` of each kind for each route.

    A route after one with `stop: true` that matches is not reached, so it may match less because another one matches more.
    """

    def __init__(self, *, exact: Router, folded: Router, examples: int) -> None:
        """`exact` and `folded` have the same routes, compiled in these two ways."""
        self._exact = exact
        self._folded = folded
        self._examples = examples
        self.events = 0
        self.unreadable = 0
        """Stored events that this version cannot read any more."""
        self.routes: dict[str, OfRoute] = {route.name: OfRoute() for route in folded.routes}

    @property
    def is_changed(self) -> bool:
        """Whether any route matches more or fewer events."""
        return any(found.more or found.less for found in self.routes.values())

    def add(self, event: Event, at: datetime) -> None:
        """Count the routes that match an event that arrived at this time."""
        self.events += 1
        exact, folded = (_matching(router, event, at) for router in (self._exact, self._folded))
        for name in dict.fromkeys((*exact, *folded)):
            found = self.routes[name]
            if name in exact and name in folded:
                found.same += 1
            elif name in folded:
                found.more += 1
                self._keep(found.would_match, event, at, folded)
            else:
                found.less += 1
                self._keep(found.would_not_match, event, at, exact)

    def _keep(self, examples: list[Example], event: Event, at: datetime, routes: tuple[str, ...]) -> None:
        if len(examples) < self._examples:
            examples.append(example_of(event, at, routes))


def _matching(router: Router, event: Event, at: datetime) -> tuple[str, ...]:
    return tuple(route.name for route in router.matching(Subject(event, at)))
