"""Reads the tests under `tests`, and reports every mistake at its place, including unknown names."""

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime

import msgspec

from forwarder.core.config.model.rule_test import Expected, RuleTest
from forwarder.core.config.rule_tests.event import ReportMistake, make_event
from forwarder.core.config.values.scalars import is_null, show
from forwarder.core.matching import Condition, Names, compile_condition
from forwarder.core.routing.router import UNMATCHED
from forwarder.core.yaml.findings import Findings, Place
from forwarder.core.yaml.problems import did_you_mean
from forwarder.core.yaml.tree import Expanded, Path, Scalar, Tree
from forwarder.core.yaml.words import known_word

KEYS = ("name", "event", "expect", "at", "body")
NOWHERE = "nowhere"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""The default of `at`: a Thursday."""


class KnownNames(msgspec.Struct, frozen=True, kw_only=True):
    """The destinations, routes, lists and matchers that a test may name."""

    destinations: Collection[str]
    routes: Collection[str]
    names: Names
    read_file: Callable[[Scalar], str]
    """Returns the text of a file with an event. Raises `ValueError` with a sentence."""


def read_tests(
    tree: Tree | None,
    known: KnownNames,
    report: ReportMistake,
    findings: Findings,
    path: Path = ("tests",),
) -> tuple[RuleTest, ...]:
    """Return the tests in a tree; `findings` knows the places."""
    if tree is None or is_null(tree):
        return ()
    if not isinstance(tree, list):
        report(path, "expected a list of tests")
        return ()
    tests: list[RuleTest] = []
    seen: dict[str, Path] = {}
    for index, below in enumerate(tree):
        place = (*path, index)
        test = _TestReader(known, report, place).test(below, f"test {index + 1}", findings.place(place))
        if test is None:
            continue
        if test.name in seen:
            where = findings.elsewhere(place, seen[test.name])
            report((*place, "name"), f'"{test.name}" is already the name of another test{where}; choose another name')
        seen.setdefault(test.name, place)
        tests.append(test)
    return tuple(tests)


class _TestReader:
    def __init__(self, known: KnownNames, report: ReportMistake, path: Path) -> None:
        self._known = known
        self._report = report
        self._path = path

    def test(self, tree: Tree, name: str, where: Place) -> RuleTest | None:
        if not isinstance(tree, dict):
            self._report(self._path, "expected a test, which is a mapping with the keys event and expect")
            return None
        for key in tree:
            if key not in KEYS:
                hint = did_you_mean(key, KEYS) or f"; the keys of a test are {', '.join(KEYS)}"
                self._report((*self._path, key), f"unknown key{hint}")
        for key in ("event", "expect"):
            if key not in tree:
                self._report(self._path, f'the key "{key}" is missing')
        if not {"event", "expect"} <= set(tree):
            return None
        written = tree.get("name")
        if isinstance(written, Scalar) and written:
            name = str(written)
        at = self._at(tree.get("at"))
        event = make_event(tree["event"], (*self._path, "event"), at, self._known.read_file, self._report)
        expected = self._expected(tree["expect"], (*self._path, "expect"))
        bodies = dict(self._bodies(tree.get("body"), (*self._path, "body"), expected))
        if event is None:
            return None
        return RuleTest(
            name=name, event=event, at=at, expected=expected, bodies=bodies, line=where.line, file=where.file
        )

    def _at(self, tree: Tree | None) -> datetime:
        if tree is None:
            return NOON
        try:
            at = datetime.fromisoformat(tree if isinstance(tree, Scalar) else "")
            return at if at.tzinfo else at.replace(tzinfo=UTC)
        except ValueError:
            self._report((*self._path, "at"), "expected a time such as 2026-01-05T09:00:00+01:00")
            return NOON

    def _expected(self, tree: Tree, path: Path) -> Expected:
        match tree:
            case Scalar() if tree == NOWHERE or (
                tree not in self._known.destinations and known_word(tree, [NOWHERE]) is not None
            ):
                return {}
            case dict():
                return {
                    name: self._routes(below, (*path, name))
                    for name, below in tree.items()
                    if self._is_destination(name, (*path, name))
                }
            case _:
                names = self._listed(tree, path, f"expected the names of destinations, or {NOWHERE}")
                return {str(name): None for place, name in names if self._is_destination(name, place)}

    def _routes(self, tree: Tree, path: Path) -> tuple[str, ...] | None:
        if is_null(tree):
            return None
        names = list(self._listed(tree, path, "expected the names of routes"))
        for place, name in names:
            if name not in self._known.routes and name != UNMATCHED:
                hint = "" if isinstance(name, Expanded) else did_you_mean(name, self._known.routes)
                self._report(place, f"{show(name)} is not a route{hint}")
        return tuple(str(name) for _, name in names)

    def _is_destination(self, name: str, path: Path) -> bool:
        if name in self._known.destinations:
            return True
        near = did_you_mean(name, self._known.destinations) or did_you_mean(name, [NOWHERE])
        hint = "" if isinstance(name, Expanded) else near
        self._report(path, f"{show(name)} is not a destination{hint}")
        return False

    def _bodies(
        self, tree: Tree | None, path: Path, expected: Expected
    ) -> Iterator[tuple[str, tuple[str, ...] | Condition]]:
        if tree is None or is_null(tree):
            return
        if not isinstance(tree, dict):
            self._report(path, "expected a mapping from destinations to the texts in their bodies")
            return
        for name, below in tree.items():
            place = (*path, name)
            if self._is_destination(name, place):
                if name not in expected:
                    self._report(place, f"{name} is not in expect; add it there")
                yield name, self._body(below, place)

    def _body(self, tree: Tree, path: Path) -> tuple[str, ...] | Condition:
        if isinstance(tree, dict):
            return compile_condition(
                tree, lambda at, said: self._report((*path, *at), said), self._known.names, is_within=True
            )
        parts = self._listed(tree, path, "expected a text in the body, or a condition on its JSON")
        return tuple(str(part) for _, part in parts)

    def _listed(self, tree: Tree, path: Path, expected: str) -> Iterator[tuple[Path, Scalar]]:
        places = (
            [((*path, index), each) for index, each in enumerate(tree)] if isinstance(tree, list) else [(path, tree)]
        )
        for place, each in places:
            if isinstance(each, Scalar) and not is_null(each):
                yield place, each
            else:
                self._report(place, expected)
