"""Runs a test of the rules: what becomes of its event, and where that is not what was expected, why."""

from dataclasses import dataclass

from forwarder.core.config.rule_tests.model import RuleTest
from forwarder.core.matching import Subject
from forwarder.core.routing import Route, Router


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as it was expected."""

    said: str
    missing: Route | None = None
    """A route that was to match and did not: its condition says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a test."""

    test: RuleTest
    got: dict[str, tuple[str, ...]]
    """The destinations that get the event, with the routes that chose them."""
    differences: tuple[Difference, ...]


def run_test(router: Router, test: RuleTest) -> Result:
    """Return what becomes of the test's event, alone: what depends on other events (prefer, limit) holds nothing back, nor does a sample."""
    got = {str(name): routes for name, routes in router.select(test.event, test.at).chosen.items()}
    return Result(test=test, got=got, differences=tuple(_differences(router, test, got)))


def _differences(router: Router, test: RuleTest, got: dict[str, tuple[str, ...]]) -> list[Difference]:
    found: list[Difference] = []
    subject = Subject(test.event, test.at)
    matched = [route.name for route in router.matching(subject)]
    routes = {route.name: route for route in router.routes}
    for name, wanted in test.expected.items():
        if name not in got:
            by = f" by {_quoted(wanted)}" if wanted else ""
            found.append(Difference(said=f"{name} does not get it{by}"))
            found += [_why_not(each, routes, matched, name) for each in wanted or ()]
        elif wanted is not None and wanted != got[name]:
            found.append(Difference(said=f"{name} gets it by {_quoted(got[name])}, and not by {_quoted(wanted)}"))
            found += [_why_not(each, routes, matched, name) for each in wanted if each not in got[name]]
    for name, routes_there in got.items():
        if name not in test.expected:
            found.append(Difference(said=f"{name} gets it too, by {_quoted(routes_there)}"))
    return found


def _why_not(name: str, routes: dict[str, Route], matched: list[str], destination: str) -> Difference:
    route = routes.get(name)
    if route is None:
        return Difference(said=f'"{name}" is not in force' if name != "unmatched" else "some route wants it")
    if name in matched:
        return Difference(said=f'"{name}" matches, and does not name {destination} in its "to"')
    stops = [each for each in matched if routes[each].stop]
    order = list(routes)
    if stops and order.index(stops[0]) < order.index(name):
        return Difference(said=f'"{name}" is not reached: "{stops[0]}" stops there')
    return Difference(said=f'"{name}" does not match', missing=route)


def _quoted(names: tuple[str, ...] | None) -> str:
    return ", ".join(f'"{name}"' for name in names or ())
