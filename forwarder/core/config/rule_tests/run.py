"""Runs a test of the rules, and explains each difference from what the test expects."""

import msgspec

from forwarder.core.config.model.rule_test import RuleTest
from forwarder.core.matching import Subject
from forwarder.core.routing.router import Route, Router

_MOST_REASONS = 5
"""How many routes are named as a reason why a destination does not get an event, where a test names none."""


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """One difference from what the test expects."""

    said: str
    missing: Route | None = None
    """A route that should match and does not; its condition shows why."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a test: where its event went, and the differences from what the test expects."""

    test: RuleTest
    got: dict[str, tuple[str, ...]]
    """The destinations that get the event, each with the routes that chose it."""
    differences: tuple[Mismatch, ...]


def run_test(router: Router, test: RuleTest) -> Result:
    """Return where a router sends the event of a test. Its routes have no `sample` and no `limit`; `prefer` is not applied."""
    got = {str(name): routes for name, routes in router.select(test.event, test.at).chosen.items()}
    return Result(test=test, got=got, differences=tuple(_differences(router, test, got)))


def _differences(router: Router, test: RuleTest, got: dict[str, tuple[str, ...]]) -> list[Mismatch]:
    found: list[Mismatch] = []
    subject = Subject(test.event, test.at)
    matched = [route.name for route in router.matching(subject)]
    routes = {route.name: route for route in router.routes}
    for name, wanted in test.expected.items():
        if name not in got:
            by = f" by {_quoted(wanted)}" if wanted else ""
            found.append(Mismatch(said=f"{name} does not get it{by}"))
            sending = [route.name for route in router.routes if name in route.to][:_MOST_REASONS]
            found += [_why_not(each, routes, matched, name) for each in wanted or sending]
        elif wanted is not None and wanted != got[name]:
            found.append(Mismatch(said=f"{name} gets it by {_quoted(got[name])}, not by {_quoted(wanted)}"))
            found += [_why_not(each, routes, matched, name) for each in wanted if each not in got[name]]
    for name, routes_there in got.items():
        if name not in test.expected:
            found.append(Mismatch(said=f"{name} also gets it, by {_quoted(routes_there)}"))
    return found


def _why_not(name: str, routes: dict[str, Route], matched: list[str], destination: str) -> Mismatch:
    route = routes.get(name)
    if route is None:
        return Mismatch(said=f'"{name}" is disabled' if name != "unmatched" else "a route matches it")
    if name in matched:
        return Mismatch(said=f'"{name}" matches, but its "to" does not contain {destination}')
    stops = [each for each in matched if routes[each].stop]
    order = list(routes)
    if stops and order.index(stops[0]) < order.index(name):
        return Mismatch(said=f'"{name}" is not reached, because "{stops[0]}" matches and has stop: true')
    return Mismatch(said=f'"{name}" does not match', missing=route)


def _quoted(names: tuple[str, ...] | None) -> str:
    return ", ".join(f'"{name}"' for name in names or ())
