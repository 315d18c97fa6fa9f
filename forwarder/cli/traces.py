"""Explanations as lines of text: each route with a tick or a cross, and below it the parts of its condition that decided."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from forwarder.cli.records import shown
from forwarder.core.explaining import AtRoute, Explanation, Outcome
from forwarder.core.matching.explain import Trace

_MOST_CHILDREN = 12
"""Of a part that does not hold, where not everything is asked for."""
_MOST_ROUTES = 30
"""That do not match, likewise."""


class Mark(StrEnum):
    """What stands before a line."""

    YES = "✓"
    NO = "✗"
    NEITHER = "·"


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `depth` is how far it stands to the right."""

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
        misses += at_route.outcome is not Outcome.MATCHED
        if route is None and not is_all and misses > _MOST_ROUTES and at_route.outcome is not Outcome.MATCHED:
            left_out += 1
            continue
        yield from of_route(at_route, is_all=is_all)
    if left_out:
        yield Line(0, Mark.NEITHER, f"{left_out:,} more routes did not match (--all, or --route NAME)")


def of_route(at_route: AtRoute, *, is_all: bool) -> Iterator[Line]:
    """Yield the lines of one route."""
    notes = f"  ({', '.join(at_route.notes)})" if at_route.notes else ""
    head = f"{shown(at_route.name)} → {shown(list(at_route.to))}{notes}"
    match at_route.outcome:
        case Outcome.DISABLED:
            yield Line(0, Mark.NEITHER, f"{shown(at_route.name)}: enabled: false")
        case Outcome.CUT_OFF:
            yield Line(0, Mark.NEITHER, f"{head}: not asked, {shown(at_route.stopped_by)} stops")
        case outcome:
            yield Line(0, Mark.YES if outcome is Outcome.MATCHED else Mark.NO, head)
            if at_route.trace is not None:
                yield from of_trace(at_route.trace, is_all=is_all)


def of_trace(trace: Trace, *, is_all: bool) -> Iterator[Line]:
    """Yield the lines of a condition."""
    yield from _of_trace(trace, 1, set(), is_all=is_all)


def _of_trace(trace: Trace, depth: int, told: set[int], *, is_all: bool) -> Iterator[Line]:
    """Yield a part and what is below it. A matcher that several parts use is told in full once: `told` are those that were."""
    is_matcher = trace.label.startswith("matcher ") and len(trace.children) == 1
    is_told = is_matcher and id(trace.children[0]) in told
    text = trace.label
    if trace.seen:
        text += f" — {trace.seen}"
    if trace.hit and trace.hit != trace.seen:
        text += f", by {trace.hit}"
    yield Line(depth, Mark.YES if trace.holds else Mark.NO, f"{text} (as above)" if is_told else text)
    if is_told:
        return
    if is_matcher:
        told.add(id(trace.children[0]))
    deciding = [child for child in trace.children if is_all or trace.label == "not" or child.holds == trace.holds]
    children = deciding or trace.children
    most = len(children) if is_all else _MOST_CHILDREN
    for child in children[:most]:
        yield from _of_trace(child, depth + 1, told, is_all=is_all)
    if len(children) > most:
        yield Line(depth + 1, Mark.NEITHER, f"{len(children) - most:,} more like these (--all)")
