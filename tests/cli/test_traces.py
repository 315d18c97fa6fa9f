"""How an explanation is written as lines."""

import pytest

from forwarder.cli.traces import lines_of
from forwarder.core.matching import Names, Subject, compile_condition
from forwarder.core.matching.explain import explain
from forwarder.core.routing.explain import AtRoute, Explanation, RouteOutcome
from forwarder.core.yaml.tree import Scalar, Tree
from tests.support.conditions import subject


def written(tree: Tree, of: Subject, names: Names, *, is_all: bool) -> list[str]:
    condition = compile_condition(tree, lambda _, message: pytest.fail(message), names)
    trace = explain(condition, of)
    outcome = RouteOutcome.MATCHED if trace.holds else RouteOutcome.NOT_MATCHED
    walk = Explanation(routes=(AtRoute(name="r", outcome=outcome, to=("bot",), trace=trace),), is_matched=trace.holds)
    return [str(line) for line in lines_of(walk, route=None, is_all=is_all)]


def test_a_matcher_is_shown_once_and_long_lists_of_parts_are_cut() -> None:
    names = Names(matchers={"m": compile_condition({"sid": Scalar("5")}, lambda _, message: pytest.fail(message))})
    twice: Tree = [{"matcher": Scalar("m")}, {"matcher": Scalar("m")}]
    assert written(twice, subject(), names, is_all=False) == [
        "✗ r → bot",
        "  ✗ any of",
        "    ✗ matcher m",
        '      ✗ sid is 5 — "2"',
        "    ✗ matcher m (as above)",
    ]
    many: Tree = [{"sid": Scalar(f"9{number}")} for number in range(1_000)]
    lines = written(many, subject(), names, is_all=False)
    assert (len(lines), lines[-1]) == (15, "    · 988 more like these (--all)")
    assert len(written(many, subject(), names, is_all=True)) == 1_002


def test_of_many_routes_that_do_not_match_the_first_are_shown() -> None:
    routes = [AtRoute(name=f"r{number}", outcome=RouteOutcome.NOT_MATCHED) for number in range(100)]
    walk = Explanation(routes=(*routes, AtRoute(name="last", outcome=RouteOutcome.MATCHED)), is_matched=True)
    lines = [str(line) for line in lines_of(walk, route=None, is_all=False)]
    assert (len(lines), lines[-2:]) == (32, ["✓ last → -", "· 70 more routes did not match (--all, or --route NAME)"])
    assert len(list(lines_of(walk, route=None, is_all=True))) == 101
