"""Writes explanations as lines: each route with a tick or a cross, and below it the parts of its condition that decided."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from forwarder.cli.listing import shown
from forwarder.core.counted import counted
from forwarder.core.matching.explain import Trace
from forwarder.core.routing.explain import AtRoute, Explanation, RouteOutcome

_MOST_CHILDREN = 12
"""How many parts of a condition that does not hold are shown without `--all`."""
_MOST_ROUTES = 30
"""How many routes that do not match are shown without `--all`."""


class Mark(StrEnum):
    """The mark before a line."""

    YES = "✓"
    NO = "✗"
    NEITHER = "·"


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `depth` is its indentation."""

    depth: int
    mark: Mark
    text: str

    def __str__(self) -> str:
        return f"{'  ' * self.depth}{self.mark} {self.text}"


def lines_of(explanation: Explanation, *, route: str | None, is_all: bool) -> Iterator[Line]:
    """Yield the lines of all routes, or of one; unless all is wanted, only what decided."""
    left_out = misses = 0
    for at_route in explanation.routes:
        if route is not None and at_route.name != route:
            continue
        misses += at_route.outcome is not RouteOutcome.MATCHED
        if route is None and not is_all and misses > _MOST_ROUTES and at_route.outcome is not RouteOutcome.MATCHED:
            left_out += 1
            continue
        yield from of_route(at_route, is_all=is_all)
    if left_out:
        yield Line(0, Mark.NEITHER, f"{counted(left_out, 'more route')} did not match (--all, or --route NAME)")


def of_route(at_route: AtRoute, *, is_all: bool) -> Iterator[Line]:
    """Yield the lines of one route."""
    notes = f"  ({', '.join(at_route.notes)})" if at_route.notes else ""
    head = f"{shown(at_route.name)} → {shown(list(at_route.to))}{notes}"
    match at_route.outcome:
        case RouteOutcome.DISABLED:
            yield Line(0, Mark.NEITHER, f"{shown(at_route.name)}: enabled: false")
        case RouteOutcome.CUT_OFF:
            yield Line(0, Mark.NEITHER, f"{head}: not reached, {shown(at_route.stopped_by)} stops")
        case outcome:
            yield Line(0, Mark.YES if outcome is RouteOutcome.MATCHED else Mark.NO, head)
            if at_route.trace is not None:
                yield from of_trace(at_route.trace, is_all=is_all)


def of_trace(trace: Trace, *, is_all: bool) -> Iterator[Line]:
    """Yield the lines of a condition."""
    yield from _of_trace(trace, 1, set(), is_all=is_all)


def _of_trace(trace: Trace, depth: int, shown_before: set[int], *, is_all: bool) -> Iterator[Line]:
    """Yield a part and those below it. A matcher that several parts use is shown in full once: `shown_before` has those that were."""
    is_matcher = trace.label.startswith("matcher ") and len(trace.children) == 1
    is_repeated = is_matcher and id(trace.children[0]) in shown_before
    text = trace.label
    if trace.seen:
        text += f" — {trace.seen}"
    if trace.hit and trace.hit != trace.seen:
        text += f", by {trace.hit}"
    yield Line(depth, Mark.YES if trace.holds else Mark.NO, f"{text} (as above)" if is_repeated else text)
    if is_repeated:
        return
    if is_matcher:
        shown_before.add(id(trace.children[0]))
    deciding = [child for child in trace.children if is_all or trace.label == "not" or child.holds == trace.holds]
    children = deciding or trace.children
    most = len(children) if is_all else _MOST_CHILDREN
    for child in children[:most]:
        yield from _of_trace(child, depth + 1, shown_before, is_all=is_all)
    if len(children) > most:
        yield Line(depth + 1, Mark.NEITHER, f"{len(children) - most:,} more like these (--all)")
