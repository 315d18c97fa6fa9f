"""Conditions on the body of a response: on its text, and on the fields of its JSON. They have the form of the rules' conditions.

`{errcode: 0}` tests a field of the JSON by its path, `ok` or `[ok, "1"]` the whole text, `{contains: ok}` what is in the text. Mappings
are AND, lists are OR, `any` / `all` / `not` nest. Without a JSON object or array no condition on a field matches, also not below `not`.
"""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import msgspec

from forwarder.core.event import Event, JSONValue, decode_event
from forwarder.core.matching.compile import Names, Observe, compile_condition, unobserved
from forwarder.core.matching.compile_tests import compile_test
from forwarder.core.matching.conditions import NOTHING, AllOf, AnyOf, Condition, FieldTest, Not, ValueTest
from forwarder.core.matching.folding import Form
from forwarder.core.matching.literals import Literals, Report, switch
from forwarder.core.matching.subject import Field, Subject
from forwarder.core.yaml.tree import Path, Tree

TEXT_TESTS = ("equals", "contains", "word", "prefix", "suffix", "wildcard", "regex", "list", "file")
"""The tests of the text. A field of the JSON that has such a name is written in double quotes: `'"list"': 5`."""

_NO_EVENT: Event = decode_event(b'{"source":"x","mid":"1","sid":"1","timestamp":0,"payload":{}}')


class Body(Subject):
    """The body of a response at one moment, as conditions read it."""

    __slots__ = ("is_json", "text")

    def __init__(self, body: bytes, now: datetime) -> None:
        """`now` is an aware time, for conditions on the age of a value."""
        self.text = body.decode("utf-8-sig", "replace").strip()
        root: JSONValue = None
        with suppress(ValueError, RecursionError):
            root = json.loads(self.text)
        self.is_json = isinstance(root, dict | list)
        """Whether the body is a JSON object or array."""
        super().__init__(_NO_EVENT, now, root=root if self.is_json else {})


_TEXT = Field("body", lambda subject: (subject.text,) if isinstance(subject, Body) else (), is_single=True)


class _IsJson(msgspec.Struct, frozen=True):
    """Matches a body that is a JSON object or array."""

    def matches(self, subject: Subject) -> bool:
        return isinstance(subject, Body) and subject.is_json


class BodyCondition(msgspec.Struct, frozen=True):
    """A condition on the body of a response."""

    condition: Condition
    has_paths: bool
    """Whether it tests fields of the JSON."""
    has_texts: bool
    """Whether it tests the text."""


NO_BODY = BodyCondition(NOTHING, has_paths=False, has_texts=False)
"""Matches nothing; in place of a condition that could not be compiled."""


def compile_body(tree: Tree, report: Report, names: Names, observe: Observe = unobserved) -> BodyCondition:
    """Return the condition that `tree` describes. Each problem goes to `report` with its path, and that part matches nothing.

    `observe` is called with each test, as by `compile_condition`.
    """
    names = replace(names, exact=True)  # a response is written by a program
    return _Compiler(names, Literals(names.lists, names.read_list, report), observe).block(tree, ())


class _Compiler:
    def __init__(self, names: Names, literals: Literals, observe: Observe) -> None:
        self._names = names
        self._observe = observe
        self._literals = literals
        self._report = literals.report

    def block(self, tree: Tree, path: Path) -> BodyCondition:
        match tree:
            case dict():
                return _joined(AllOf, self._entries(tree, path))
            case list():
                if not tree:
                    self._report(path, "an empty list matches nothing; remove it or write what the body must be")
                return _joined(AnyOf, [self.block(each, (*path, index)) for index, each in enumerate(tree)])
            case _:
                if not tree:
                    self._report(path, "an empty text is never the body of a success; write what the body must be")
                    return NO_BODY
                return self._texts({"equals": tree}, path, at=path)

    def _entries(self, tree: dict[str, Tree], path: Path) -> list[BodyCondition]:
        if not tree:
            self._report(path, "no condition here; write a field of the JSON and its value, or a text")
        parts = [self._entry(name, below, (*path, name)) for name, below in tree.items() if not _is_of_text(name)]
        if texts := {name: below for name, below in tree.items() if _is_of_text(name)}:
            parts.append(self._texts(texts, path))
        return parts

    def _entry(self, name: str, below: Tree, path: Path) -> BodyCondition:
        match name:
            case "any" | "all":
                kind = AnyOf if name == "any" else AllOf
                if isinstance(below, dict):
                    return _joined(kind, self._entries(below, path))
                if isinstance(below, list) and below:
                    return _joined(kind, [self.block(each, (*path, index)) for index, each in enumerate(below)])
                self._report(path, "expected a list of conditions")
                return NO_BODY
            case "not":
                part = self.block(below, path)
                negated = Not(part.condition)
                condition = AllOf((_IsJson(), negated)) if part.has_paths else negated
                return BodyCondition(condition, part.has_paths, part.has_texts)
            case "matcher":
                self._report(path, "a matcher is for events; write the condition on the body here")
                return NO_BODY
        found = compile_condition(
            {name: below},
            lambda at, said: self._report((*path[:-1], *at), said),
            self._names,
            lambda at, test, field, tree, compiled: self._observe((*path[:-1], *at), test, field, tree, compiled),
            is_within=True,
        )
        return BodyCondition(AllOf((_IsJson(), found)), has_paths=True, has_texts=False)

    def _texts(self, tree: dict[str, Tree], path: Path, *, at: Path | None = None) -> BodyCondition:
        """Return the condition of tests of the text; `at` is the place of a test whose name is left out."""
        chosen = switch(tree["ignore_case"], (*path, "ignore_case"), self._report) if "ignore_case" in tree else False
        form = Form.CASELESS if chosen else Form.WRITTEN
        tests: list[ValueTest] = []
        for name, below in tree.items():
            if name != "ignore_case":
                place = (*path, name) if at is None else at
                test = compile_test(name, below, place, self._literals, field=_TEXT, form=form)
                self._observe(place, name, _TEXT, below, test)
                tests.append(test)
        if not tests:
            self._report((*path, "ignore_case"), f"no test here; tests of the text are {', '.join(TEXT_TESTS)}")
            return NO_BODY
        return BodyCondition(FieldTest(_TEXT, tuple(tests)), has_paths=False, has_texts=True)


def _is_of_text(name: str) -> bool:
    return name in TEXT_TESTS or name == "ignore_case"


def _joined(kind: type[AllOf | AnyOf], parts: list[BodyCondition]) -> BodyCondition:
    condition = parts[0].condition if len(parts) == 1 else kind(tuple(part.condition for part in parts))
    if not parts:
        condition = NOTHING
    return BodyCondition(condition, any(part.has_paths for part in parts), any(part.has_texts for part in parts))
