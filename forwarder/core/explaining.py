"""What the routes make of one event and why, one after the other. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum

from forwarder.core.backtest import Chosen
from forwarder.core.durations import write_duration
from forwarder.core.event import Event
from forwarder.core.matching import Subject
from forwarder.core.matching.explain import Trace, explain
from forwarder.core.routing import Route, Router
from forwarder.core.sampling import write_share

_KNOWN = frozenset({"name", "condition", "to"})
"""What is shown of a route in words of its own."""


class Outcome(StrEnum):
    """What became of an event at a route."""

    MATCHED = "matched"
    NOT_MATCHED = "not matched"
    CUT_OFF = "cut off"
    """A route above stopped the walk."""
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRoute:
    """One route: what it came to, and the tree of its condition."""

    name: str
    outcome: Outcome
    to: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What else the route says, as the file does: `stop: true`, `prefer: first`."""
    trace: Trace | None = None
    """What was asked; `None` for a route that was not."""
    stopped_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The whole walk, and where it leads."""

    routes: tuple[AtRoute, ...]
    chosen: Chosen = field(default_factory=dict)
    sampled: Chosen = field(default_factory=dict)
    """Where it does not go because it is not in the sample of these routes."""
    is_matched: bool


def explain_walk(router: Router, event: Event, now: datetime, *, names: Sequence[str]) -> Explanation:
    """Return what the routes make of an event at that moment.

    `names` are all routes of the file in their order; one that the router has not is disabled.
    """
    subject = Subject(event, now)
    known = {route.name: route for route in router.routes}
    found: list[AtRoute] = []
    stopped_by = ""
    for name in names:
        route = known.get(name)
        if route is None:
            found.append(AtRoute(name=name, outcome=Outcome.DISABLED))
            continue
        shown = AtRoute(name=name, outcome=Outcome.CUT_OFF, to=route.to, notes=notes_of(route), stopped_by=stopped_by)
        if not stopped_by:
            trace = explain(route.condition, subject)
            shown = AtRoute(
                name=name,
                outcome=Outcome.MATCHED if trace.holds else Outcome.NOT_MATCHED,
                to=route.to,
                notes=shown.notes,
                trace=trace,
            )
            if trace.holds and route.stop:
                stopped_by = name
        found.append(shown)
    selection = router.select(event, now)
    sampled = {destination: routes for destination, (_, routes) in selection.held.items()}
    return Explanation(routes=tuple(found), chosen=selection.chosen, sampled=sampled, is_matched=selection.is_matched)


def notes_of(route: Route) -> tuple[str, ...]:
    """Return the settings of a route that are not their defaults, whatever it has."""
    return tuple(
        f"{each.name}: {_setting(each.name, getattr(route, each.name))}"
        for each in fields(route)
        if each.name not in _KNOWN and each.init and getattr(route, each.name) != each.default
    )


def _setting(name: str, value: object) -> str:
    match value:
        case int() if name == "sample":
            return write_share(value)
        case bool():
            return str(value).lower()
        case timedelta():
            return write_duration(value)
        case _:
            return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How two walks of one event differ, as sentences; `routes` are those that came to something else."""

    sentences: tuple[str, ...]
    routes: tuple[str, ...]


def difference(then: Explanation, now: Explanation) -> Difference:
    """Return how what the routes do now differs from what they did then."""
    before = {route.name: route for route in then.routes}
    after = {route.name: route for route in now.routes}
    sentences: list[str] = []
    for destination in {**then.chosen, **now.chosen}:
        by_then, by_now = then.chosen.get(destination), now.chosen.get(destination)
        if by_then is None:
            sentences.append(f"{destination} gets it now, by {', '.join(by_now or ())}")
        elif by_now is None:
            sentences.append(f"{destination} got it then, by {', '.join(by_then)}, and does not now")
        elif by_then != by_now:
            sentences.append(f"{destination} gets it by {', '.join(by_now)}, then by {', '.join(by_then)}")
    changed: list[str] = []
    for name, route in after.items():
        earlier = before.get(name)
        if earlier is None:
            if route.outcome is Outcome.MATCHED:
                sentences.append(f"the route {name} was not there then")
                changed.append(name)
        elif earlier.outcome is not route.outcome:
            sentences.append(f"the route {name}: {_came_to(earlier)} then, {_came_to(route)} now")
            changed.append(name)
    sentences += [
        f"the route {name}, which matched, is not there any more"
        for name, route in before.items()
        if name not in after and route.outcome is Outcome.MATCHED
    ]
    return Difference(sentences=tuple(sentences), routes=tuple(changed))


def _came_to(route: AtRoute) -> str:
    return f"cut off by {route.stopped_by}" if route.outcome is Outcome.CUT_OFF else route.outcome
