"""Explains, route by route, how one event is routed and why, and how two explanations differ."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec.structs import fields

from forwarder.core.delivery import Chosen
from forwarder.core.durations import write_duration
from forwarder.core.event import Event
from forwarder.core.matching import Subject
from forwarder.core.matching.explain import Trace, explain
from forwarder.core.routing.router import Route, Router
from forwarder.core.routing.sampling import write_share

_KNOWN = frozenset({"name", "condition", "to"})
"""The fields of a route that are shown separately, and not as notes."""


class RouteOutcome(StrEnum):
    """The result of one route for an event."""

    MATCHED = "matched"
    NOT_MATCHED = "not matched"
    CUT_OFF = "cut off"
    """The route was not evaluated, because an earlier one had `stop`."""
    DISABLED = "disabled"


class AtRoute(msgspec.Struct, frozen=True, kw_only=True):
    """One route of an explanation: its result and the trace of its condition."""

    name: str
    outcome: RouteOutcome
    to: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """The other settings of the route, as in the config: `stop: true`, `prefer: first`."""
    trace: Trace | None = None
    """The evaluation of the condition, or `None` if it was not evaluated."""
    stopped_by: str = ""
    """The name of the route with `stop` because of which this one was not evaluated."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """How an event is routed: every route with its result, and the destinations."""

    routes: tuple[AtRoute, ...]
    chosen: Chosen = msgspec.field(default_factory=dict)
    sampled: Chosen = msgspec.field(default_factory=dict)
    """The destinations that do not get the event because it is not in the samples of these routes."""
    is_matched: bool


def explain_walk(router: Router, event: Event, now: datetime, *, names: Sequence[str]) -> Explanation:
    """Return how an event is routed at `now`.

    `names` are all routes of the config in their order. A route that the router does not have is disabled.
    """
    subject = Subject(event, now)
    known = {route.name: route for route in router.routes}
    found: list[AtRoute] = []
    stopped_by = ""
    for name in names:
        route = known.get(name)
        if route is None:
            found.append(AtRoute(name=name, outcome=RouteOutcome.DISABLED))
            continue
        shown = AtRoute(
            name=name, outcome=RouteOutcome.CUT_OFF, to=route.to, notes=notes_of(route), stopped_by=stopped_by
        )
        if not stopped_by:
            trace = explain(route.condition, subject)
            shown = AtRoute(
                name=name,
                outcome=RouteOutcome.MATCHED if trace.holds else RouteOutcome.NOT_MATCHED,
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
    """Return the settings of a route that differ from their defaults."""
    return tuple(
        f"{each.name}: {_setting(each.name, getattr(route, each.name))}"
        for each in fields(route)
        if each.name not in _KNOWN and getattr(route, each.name) != each.default
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


class WalkDifference(msgspec.Struct, frozen=True, kw_only=True):
    """How two explanations of one event differ, as sentences; `routes` are the names of those with another result."""

    sentences: tuple[str, ...]
    routes: tuple[str, ...]


def difference(then: Explanation, now: Explanation) -> WalkDifference:
    """Return how the routing now differs from the routing then."""
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
            if route.outcome is RouteOutcome.MATCHED:
                sentences.append(f"the route {name} did not exist then")
                changed.append(name)
        elif earlier.outcome is not route.outcome:
            sentences.append(f"the route {name}: {_result(earlier)} then, {_result(route)} now")
            changed.append(name)
    sentences += [
        f"the route {name}, which matched, no longer exists"
        for name, route in before.items()
        if name not in after and route.outcome is RouteOutcome.MATCHED
    ]
    return WalkDifference(sentences=tuple(sentences), routes=tuple(changed))


def _result(route: AtRoute) -> str:
    return f"cut off by {route.stopped_by}" if route.outcome is RouteOutcome.CUT_OFF else route.outcome
