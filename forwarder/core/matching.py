"""Conditions: compiled once from the config, then asked of each event.

Mappings are AND, lists are OR, `any` / `all` / `not` nest. A condition is total: no JSON value makes it fail; a field that
is absent or of another type simply does not match.
"""

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import re2

from forwarder.core.event import Event, JSONValue, event_text
from forwarder.core.tree import Path, Scalar, Tree

Report = Callable[[Path, str], None]
"""Takes each problem: its path below the condition's tree, and what is wrong."""

_BLOCKS = ("any", "all", "not")
_ENVELOPE_FIELDS: dict[str, Callable[[Event], JSONValue]] = {
    "source": lambda event: event.source,
    "sid": lambda event: event.sid,
    "mid": lambda event: event.mid,
    "text": lambda event: event_text(event.payload),
}
_JSON = json.JSONDecoder(parse_constant=lambda _: "")
_TESTS = ("equals", "contains", "regex")
_MAX_REGEX_MEMORY = 1 << 20
"""Bytes one compiled regex may take; RE2 refuses larger programs, such as `(a{1000}){1000}`."""


class Condition(Protocol):
    """One question about an event."""

    def matches(self, event: Event) -> bool:
        """Return whether the event is meant. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of its conditions holds; with none it holds for every event."""

    conditions: tuple[Condition, ...]

    def matches(self, event: Event) -> bool:  # noqa: D102 - said by the Protocol
        for condition in self.conditions:  # noqa: SIM110 - a generator would cost as much as most conditions
            if not condition.matches(event):
                return False
        return True


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of its conditions holds; with none it holds for no event."""

    conditions: tuple[Condition, ...]

    def matches(self, event: Event) -> bool:  # noqa: D102
        for condition in self.conditions:  # noqa: SIM110
            if condition.matches(event):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Not:
    """Its condition does not hold."""

    condition: Condition

    def matches(self, event: Event) -> bool:  # noqa: D102
        return not self.condition.matches(event)


@dataclass(frozen=True, slots=True)
class FieldIs:
    """At least one value found under a field passes the test."""

    name: str
    values: Callable[[Event], Iterable[JSONValue]] = field(repr=False)
    test: "ValueTest"

    def matches(self, event: Event) -> bool:  # noqa: D102
        return any(self.test.passes(value) for value in self.values(event))


class ValueTest(Protocol):
    """One question about one JSON value."""

    def passes(self, value: JSONValue) -> bool:
        """Return whether the value is meant. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Equals:
    """The value is one of these. Text compares as it stands in the file; numbers, true, false and null by their value."""

    texts: frozenset[str]
    others: tuple[JSONValue, ...]
    """What the unquoted scalars `1.5`, `true`, `null` mean as JSON, beside their text."""
    ignore_case: bool

    def passes(self, value: JSONValue) -> bool:  # noqa: D102
        if isinstance(value, str):
            return (value.casefold() if self.ignore_case else value) in self.texts
        if isinstance(value, list | dict):
            return False
        # True == 1 in Python, not in JSON.
        return any(value == other and isinstance(value, bool) == isinstance(other, bool) for other in self.others)


@dataclass(frozen=True, slots=True)
class Contains:
    """The value is a text that has one of these in it."""

    parts: tuple[str, ...]
    ignore_case: bool

    def passes(self, value: JSONValue) -> bool:  # noqa: D102
        if not isinstance(value, str):
            return False
        text = value.casefold() if self.ignore_case else value
        return any(part in text for part in self.parts)


@dataclass(frozen=True, slots=True)
class Regex:
    """The value is a text in which one of these RE2 patterns is found, anywhere."""

    patterns: tuple["re2._Regexp[str]", ...]

    def passes(self, value: JSONValue) -> bool:  # noqa: D102
        if not isinstance(value, str):
            return False
        try:
            return any(pattern.search(value) is not None for pattern in self.patterns)
        except UnicodeEncodeError:  # a lone surrogate, which JSON can hold and UTF-8 cannot
            return self.passes(value.encode("utf-8", "replace").decode())


@dataclass(frozen=True, slots=True)
class Every:
    """Every one of its tests passes."""

    tests: tuple[ValueTest, ...]

    def passes(self, value: JSONValue) -> bool:  # noqa: D102
        return all(test.passes(value) for test in self.tests)


NOTHING = AnyOf(())
"""Holds for no event."""
EVERYTHING = AllOf(())
"""Holds for every event."""


def values_at(value: JSONValue, keys: Sequence[str]) -> Iterator[JSONValue]:
    """Yield every value that the path `keys` leads to; an array on the way, or at its end, stands for its elements.

    A loop and not a recursion: a payload may be nested 500 deep.
    """
    waiting = [(value, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, list):
            waiting.extend((element, depth) for element in reversed(value))
        elif depth == len(keys):
            yield value
        elif isinstance(value, dict) and keys[depth] in value:
            waiting.append((value[keys[depth]], depth + 1))


def compile_condition(tree: Tree, report: Report) -> Condition:
    """Return the condition that `tree` describes.

    Each problem goes to `report`, with its path; the part it is in then matches nothing, so the result is always usable.
    """
    return _compile(tree, (), report)


def _compile(tree: Tree, path: Path, report: Report) -> Condition:
    match tree:
        case dict():
            conditions = [_compile_entry(name, below, (*path, name), report) for name, below in tree.items()]
            return conditions[0] if len(conditions) == 1 else AllOf(tuple(conditions))
        case list():
            return AnyOf(_compile_each(tree, path, report))
        case _:
            report(path, f'expected a mapping of fields such as "source: x", got {str(tree)!r}')
            return NOTHING


def _compile_each(trees: list[Tree], path: Path, report: Report) -> tuple[Condition, ...]:
    if not trees:
        report(path, "an empty list matches nothing; remove it or name a condition")
    return tuple(_compile(tree, (*path, index), report) for index, tree in enumerate(trees))


def _compile_entry(name: str, below: Tree, path: Path, report: Report) -> Condition:
    match name:
        case "any":
            return AnyOf(_compile_block(below, path, report))
        case "all":
            return AllOf(_compile_block(below, path, report))
        case "not":
            return Not(_compile(below, path, report))
    values = _reader(name)
    if values is None:
        known = [*_ENVELOPE_FIELDS, *_BLOCKS]
        report(path, f"unknown field{_did_you_mean(name, known)}; fields are {', '.join(known)} and payload.…")
        return NOTHING
    return FieldIs(name, values, _compile_test(below, path, report, ignore_case=name == "text"))


def _compile_block(below: Tree, path: Path, report: Report) -> tuple[Condition, ...]:
    if isinstance(below, list):
        return _compile_each(below, path, report)
    if isinstance(below, dict):
        return tuple(_compile_entry(name, tree, (*path, name), report) for name, tree in below.items())
    report(path, "expected a list of conditions")
    return ()


def _reader(name: str) -> Callable[[Event], Iterable[JSONValue]] | None:
    """Return what reads the values of field `name` from an event, or `None` when there is no such field."""
    if name in _ENVELOPE_FIELDS:
        read = _ENVELOPE_FIELDS[name]
        return lambda event: (read(event),)
    head, *keys = name.split(".")
    if head == "payload" and keys and all(keys):
        return lambda event: values_at(event.payload, keys)
    return None


def _compile_test(tree: Tree, path: Path, report: Report, *, ignore_case: bool) -> ValueTest:
    """Return the test that stands under a field: a bare value, a list of values, or a mapping of tests."""
    if not isinstance(tree, dict):
        return _equals(_scalars(tree, path, report), ignore_case=ignore_case)
    if "ignore_case" in tree:
        wish = tree["ignore_case"]
        if not isinstance(wish, Scalar) or wish.lower() not in {"true", "false"}:
            report((*path, "ignore_case"), "expected true or false")
        else:
            ignore_case = wish.lower() == "true"
    tests = [
        _compile_named_test(name, below, (*path, name), report, ignore_case=ignore_case)
        for name, below in tree.items()
        if name != "ignore_case"
    ]
    if not tests:
        report(path, f"no test here; tests are {', '.join(_TESTS)}")
    return Every(tuple(tests))


def _compile_named_test(name: str, tree: Tree, path: Path, report: Report, *, ignore_case: bool) -> ValueTest:
    match name:
        case "equals":
            return _equals(_scalars(tree, path, report), ignore_case=ignore_case)
        case "contains":
            parts = _scalars(tree, path, report)
            if any(not part for part in parts):
                report(path, "an empty text is contained in every text")
            return Contains(tuple(part.casefold() if ignore_case else str(part) for part in parts), ignore_case)
        case "regex":
            patterns = _scalars(tree, path, report)
            compiled = [_compile_regex(pattern, path, report, ignore_case=ignore_case) for pattern in patterns]
            return Regex(tuple(pattern for pattern in compiled if pattern is not None))
        case _:
            known = [*_TESTS, "ignore_case"]
            report(path, f"unknown test{_did_you_mean(name, known)}; tests are {', '.join(_TESTS)}")
            return _equals([], ignore_case=ignore_case)


def _equals(scalars: Sequence[Scalar], *, ignore_case: bool) -> Equals:
    return Equals(
        texts=frozenset(scalar.casefold() if ignore_case else str(scalar) for scalar in scalars),
        others=tuple(value for scalar in scalars if not scalar.quoted for value in _as_json(scalar)),
        ignore_case=ignore_case,
    )


def _as_json(text: str) -> Iterator[JSONValue]:
    """Yield the JSON number, true, false or null that an unquoted text also stands for, if any."""
    try:
        value: JSONValue = _JSON.decode(text)
    except (ValueError, RecursionError):
        return
    if value is None or isinstance(value, bool | int | float):
        yield value


def _compile_regex(pattern: str, path: Path, report: Report, *, ignore_case: bool) -> "re2._Regexp[str] | None":
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    options.max_mem = _MAX_REGEX_MEMORY
    try:
        return re2.compile(str(pattern), options)
    except re2.error as error:
        said = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        hint = ""
        if any(mark in pattern for mark in ("(?=", "(?!", "(?<=", "(?<!")):
            hint = "; look-around is not supported, because a rule must run in linear time (RE2)"
        elif "invalid escape sequence" in said and any(f"\\{digit}" in pattern for digit in "123456789"):
            hint = "; back-references are not supported, because a rule must run in linear time (RE2)"
        report(path, f"not a valid regex: {said}{hint}")
        return None
    except UnicodeEncodeError:
        report(path, "not a valid regex: it holds half a surrogate pair")
        return None


def _scalars(tree: Tree, path: Path, report: Report) -> list[Scalar]:
    """Return the values of a bare value or a list of them."""
    if isinstance(tree, Scalar):
        if not tree and not tree.quoted:
            report(path, 'the value is missing; write "" for an empty text')
        return [tree]
    if isinstance(tree, dict):
        report(path, "expected a value or a list of values, got a mapping")
        return []
    scalars = [element for element in tree if isinstance(element, Scalar)]
    for index, element in enumerate(tree):
        if not isinstance(element, Scalar):
            report((*path, index), "expected a value, got a list or a mapping")
    if not tree:
        report(path, "an empty list matches nothing; remove it or name a value")
    return scalars


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    return f'; did you mean "{nearest[0]}"?' if nearest else ""
