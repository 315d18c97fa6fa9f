"""Compiles the tree of a `match:` to a condition. Each mistake is reported with its path, and the rest is compiled nevertheless."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from forwarder.core.matching.compile_tests import TESTS, compile_test
from forwarder.core.matching.conditions import (
    NOTHING,
    AllOf,
    AnyOf,
    Condition,
    Exists,
    FieldTest,
    Matcher,
    Not,
    ValueTest,
    Where,
)
from forwarder.core.matching.fields import NAMED_FIELDS, NOW, field_of, path_within
from forwarder.core.matching.folding import Form
from forwarder.core.matching.literals import Literals, Report, switch
from forwarder.core.matching.subject import Field
from forwarder.core.matching.values import Length, TypeIs
from forwarder.core.yaml.problems import did_you_mean
from forwarder.core.yaml.shown_keys import may_hold_value
from forwarder.core.yaml.tree import Path, Scalar, Tree

BLOCKS = ("any", "all", "not")
CLOCK = ("hours", "days", "timezone")


@dataclass(frozen=True, slots=True)
class Names:
    """The matchers and lists that a condition may refer to by name."""

    matchers: Mapping[str, Condition] = field(default_factory=dict)
    lists: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    read_list: Callable[[Scalar], tuple[Scalar, ...]] | None = None
    """Returns the lines of a list file. Raises `ValueError` with a sentence."""
    exact: bool = False
    """Whether texts are not folded, where a test does not say it itself."""


Observe = Callable[[Path, str, Field, Tree, ValueTest | Exists], None]
"""Is called with each test: its path, its name (empty if only values are written), its field, what is written, and the compiled test."""


def unobserved(_path: Path, _name: str, _field: Field, _tree: Tree, _test: ValueTest | Exists) -> None:
    """Do nothing."""


def compile_condition(
    tree: Tree, report: Report, names: Names | None = None, observe: Observe = unobserved, *, is_within: bool = False
) -> Condition:
    """Return the condition that `tree` describes.

    Each problem goes to `report` with its path. The part with the problem matches nothing, so the result is always usable.
    `observe` is called with each test. `is_within`: the condition is for any JSON and not for an event, so it has only paths, which begin at that JSON.
    """
    names = names or Names()
    literals = Literals(names.lists, names.read_list, report)
    return _Compiler(names, literals, observe, is_within=is_within).block(tree, ())


class _Compiler:
    """Compiles blocks and fields of one condition."""

    def __init__(self, names: Names, literals: Literals, observe: Observe, *, is_within: bool = False) -> None:
        """`is_within`: the condition is below a `where`, so it has only paths, which begin at the element."""
        self._names = names
        self._literals = literals
        self._report = literals.report
        self._observe = observe
        self._is_within = is_within

    def block(self, tree: Tree, path: Path) -> Condition:
        """Return the condition of a block: a mapping is AND, a list is OR."""
        match tree:
            case dict():
                conditions = [self._entry(name, below, (*path, name)) for name, below in tree.items()]
                return conditions[0] if len(conditions) == 1 else AllOf(tuple(conditions))
            case list():
                return AnyOf(self._each(tree, path))
            case _:
                self._report(path, f'expected a mapping of fields such as "source: x", got {str(tree)!r}')
                return NOTHING

    def _each(self, trees: list[Tree], path: Path) -> tuple[Condition, ...]:
        if not trees:
            self._report(path, "an empty list matches nothing; remove it or name a condition")
        return tuple(self.block(tree, (*path, index)) for index, tree in enumerate(trees))

    def _entry(self, name: str, below: Tree, path: Path) -> Condition:
        match name:
            case "any":
                return AnyOf(self._parts(below, path))
            case "all":
                return AllOf(self._parts(below, path))
            case "not":
                return Not(self.block(below, path))
            case "matcher" if not self._is_within:
                return self._matchers(below, path)
        found = path_within(name) if self._is_within else field_of(name)
        if found is None:
            self._report(path, self._unknown_field(name))
            return NOTHING
        return self._field_test(found, below, path)

    def _parts(self, below: Tree, path: Path) -> tuple[Condition, ...]:
        if isinstance(below, list):
            return self._each(below, path)
        if isinstance(below, dict) and below:
            return tuple(self._entry(name, tree, (*path, name)) for name, tree in below.items())
        self._report(path, "expected a list of conditions")
        return ()

    def _unknown_field(self, name: str) -> str:
        if self._is_within:
            return f"{name!r} is no path; write key.key, and a key that has a dot in it in double quotes"
        if name == "payload" or name.startswith("payload."):
            return 'unknown field: after "payload." comes a path, such as payload.author.id; a key that has a dot in it is written in double quotes'
        known = [*NAMED_FIELDS, *BLOCKS, "matcher"]
        from forwarder.core.matching.other_words import field_meant  # noqa: PLC0415 - only mistakes need it

        hint = field_meant(name, fields=known, tests=ALL_TESTS)
        return "unknown field" + (hint or f"; fields are {', '.join(known)} and payload.…")

    def _matchers(self, below: Tree, path: Path) -> Condition:
        found: list[Condition] = []
        for place, name in _names_in(below, path):
            if name is None:
                self._report(place, "expected the name of a matcher, or a list of names")
            elif (condition := self._names.matchers.get(name)) is None:
                hint = did_you_mean(name, self._names.matchers) or "; matchers are defined under the key matchers"
                self._report(place, f"there is no matcher of that name{hint}")
            else:
                found.append(Matcher(str(name), condition))
        if isinstance(below, list) and not below:
            self._report(path, "an empty list matches nothing; remove it or name a matcher")
        return found[0] if len(found) == 1 else AnyOf(tuple(found))

    def _field_test(self, field: Field, tree: Tree, path: Path) -> Condition:
        """Return the test of a field: from a single value, a list of values, or a mapping of tests."""
        if field is NOW and not (isinstance(tree, dict) and set(tree) <= set(CLOCK)):
            self._report(
                path,
                "of now there are hours, days and timezone to ask for; the age of a post is timestamp: {within: 5m}",
            )
            return NOTHING
        tests = _Tests(field, self._literals, path, self._observe, exact=self._names.exact)
        if isinstance(tree, dict):
            within = _Compiler(self._names, self._literals, self._observe, is_within=True)
            tests.read(tree, within.block)
        else:
            tests.read_values(tree)
        return tests.condition()


class _Tests:
    """Collects the tests of one field and combines them into one condition."""

    def __init__(self, field: Field, literals: Literals, path: Path, observe: Observe, *, exact: bool) -> None:
        self._exact = exact
        self._field = field
        self._observe = observe
        self._literals = literals
        self._report = literals.report
        self._path = path
        self._exists: Exists | None = None
        self._of_element: list[ValueTest] = []
        self._of_node: list[ValueTest] = []
        self._is_refused = False

    def read_values(self, tree: Tree) -> None:
        """Read a single value or a list of values."""
        test = self._test("equals", tree, self._path, Form.CASELESS if self._field.ignores_case else Form.WRITTEN)
        self._observe(self._path, "", self._field, tree, test)
        self._of_element.append(test)

    def read(self, tree: dict[str, Tree], within: Callable[[Tree, Path], Condition]) -> None:
        """Read a mapping of tests; `within` compiles the block below `where`."""
        forms = self._forms(tree)
        clock = {key: tree[key] for key in CLOCK if key in tree}
        if set(clock) == {"timezone"}:
            self._report((*self._path, "timezone"), "a time zone is for hours and days; there are none here")
            self._is_refused = True
        elif clock:
            test = self._test("clock", clock, self._path, Form.WRITTEN)
            self._observe((*self._path, "timezone"), "clock", self._field, clock, test)
            self._of_element.append(test)
        for name, below in tree.items():
            place = (*self._path, name)
            if name == "exists":
                wanted = switch(below, place, self._report)
                self._exists = None if wanted is None else Exists(self._field, wanted)
                self._is_refused |= wanted is None
                if self._exists is not None:
                    self._observe(place, name, self._field, below, self._exists)
            elif name == "where":
                self._of_element.append(Where(within(below, place)))
            elif name in TESTS:
                test = self._test(name, below, place, forms.get(name, forms[""]))
                self._observe(place, name, self._field, below, test)
                (self._of_node if _is_of_node(test) else self._of_element).append(test)
            elif name not in OPTIONS and name not in CLOCK:
                self._report(place, _unknown_test(name, self._field))
                self._is_refused = True

    def _forms(self, tree: dict[str, Tree]) -> dict[str, Form]:
        """Return the form in which each test of texts compares them; under the empty name that of the others."""
        ignores_case = self._option(tree, "ignore_case", default=self._field.ignores_case)
        caseless = Form.CASELESS if ignores_case else Form.WRITTEN
        is_exact = self._option(tree, "exact", default=self._exact or not ignores_case)
        is_seen_folded = self._option(tree, "fold", default=False)
        for name, is_meant in (("exact", not is_exact), ("fold", is_seen_folded)):
            if is_meant and not ignores_case:
                self._report((*self._path, name), _NO_CASE)
        of_parts = caseless if is_exact else Form.FOLDED
        return {
            **dict.fromkeys(OF_PARTS, of_parts),
            "regex": Form.FOLDED if is_seen_folded else caseless,
            "": caseless,
        }

    def _option(self, tree: dict[str, Tree], name: str, *, default: bool) -> bool:
        chosen = switch(tree[name], (*self._path, name), self._report) if name in tree else None
        return default if chosen is None else chosen

    def _test(self, name: str, tree: Tree, path: Path, form: Form) -> ValueTest:
        return compile_test(name, tree, path, self._literals, field=self._field, form=form)

    def condition(self) -> Condition:
        """Return the condition for all tests that were read."""
        has_tests = bool(self._of_element or self._of_node)
        if self._is_refused:
            return NOTHING
        if not has_tests and self._exists is None:
            self._report(self._path, f"no test here; tests are {', '.join(ALL_TESTS)}")
            return NOTHING
        if self._exists is not None and not self._exists.wanted and has_tests:
            self._report(self._path, "what does not exist passes no other test; write exists: false alone")
        test = FieldTest(self._field, tuple(self._of_element), tuple(self._of_node))
        if self._exists is None:
            return test
        return AllOf((self._exists, test)) if has_tests else self._exists


def _is_of_node(test: ValueTest) -> bool:
    """Return whether a test is of the value itself where that is an array: of its length, or of its type if it may be an array."""
    return isinstance(test, Length) or (isinstance(test, TypeIs) and "array" in test.types)


ALL_TESTS = (*TESTS, "exists", "where", *CLOCK)
_TESTS_LISTED = ", ".join(ALL_TESTS)
OF_PARTS = ("contains", "word", "prefix", "suffix", "wildcard")
"""The tests that look for parts of a text, and compare folded texts by default."""
OPTIONS = ("ignore_case", "exact", "fold")
"""Keys next to the tests of a field, which say how those compare texts."""
_NO_CASE = "folded text has no upper case, but case matters here; write ignore_case: true as well"


def _unknown_test(name: str, field: Field) -> str:
    from forwarder.core.matching.other_words import test_meant  # noqa: PLC0415 - only mistakes need it

    if not (meant := test_meant(name, field.name)) and (near := did_you_mean(name, [*ALL_TESTS, *OPTIONS])):
        return f"unknown test{near}"
    below = f"; a field within it is written {field.name}.{name}" if field.is_deep and not may_hold_value(name) else ""
    return f"unknown test{meant or f'; tests are {_TESTS_LISTED}'}{below}"


def _names_in(tree: Tree, path: Path) -> Iterable[tuple[Path, Scalar | None]]:
    places = [((*path, index), each) for index, each in enumerate(tree)] if isinstance(tree, list) else [(path, tree)]
    for place, each in places:
        yield place, each if isinstance(each, Scalar) and each else None
