"""Replaces values of a revision by digests: those of variables and of lists that conditions only compare as a whole.

The outbox keeps revisions, and whoever may read a copy of it need not learn them. What a condition looks for within a text cannot be
found by a digest, and stays as it is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from forwarder.core.matching.conditions import AllOf, AnyOf, Condition, FieldTest, Matcher, Not, ValueTest, Where
from forwarder.core.matching.known_words import is_respelt
from forwarder.core.matching.literals import as_json
from forwarder.core.matching.sealed_equals import normal_form, seal
from forwarder.core.matching.texts import Equals
from forwarder.core.matching.values import Length
from forwarder.core.yaml.tree import Expanded, Scalar, Tree

_OF_JSON = frozenset(("", *"-0123456789tfnNI \t\r\n"))
"""What a number, true, false or null in JSON can begin with: most values of a list need no closer look."""

_Use = tuple[bool, str]
"""Whether case is ignored, and the mark that a value may begin with."""


def with_digests(
    tree: dict[str, Tree], lists: Mapping[str, Sequence[Scalar]], conditions: Iterable[Condition], *, salt: str
) -> tuple[dict[str, Tree], dict[str, Sequence[Scalar]]]:
    """Return the routing part of a config, and the values of its list files by their names, with digests.

    `conditions` are those that were compiled from them: they say how each value is used.
    """
    named, routes = tree.get("lists"), tree.get("routes")
    in_lists = _listed(named) if isinstance(named, dict) else ()
    listed = {id(each): each for each in (*in_lists, *(line for lines in lists.values() for line in lines))}
    varied = {
        id(each): each
        for below in (tree.get("matchers"), *(route.get("match") for route in _mappings(routes)))
        for each in _expanded(below)
    }
    if not listed and not varied:
        return tree, dict(lists)
    uses = _Uses(conditions)
    sealed = {
        number: seal(each, text, salt=salt)
        for number, each in {**varied, **listed}.items()
        if (text := uses.compared_text(each, is_listed=number in listed)) is not None
    }

    def replaced(below: Tree) -> Tree:
        if isinstance(below, dict):
            return {key: replaced(each) for key, each in below.items()}
        return [replaced(each) for each in below] if isinstance(below, list) else sealed.get(id(below), below)

    kept = {key: replaced(below) if key in {"lists", "matchers"} else below for key, below in tree.items()}
    if isinstance(routes, list):
        kept["routes"] = [
            {key: replaced(below) if key == "match" else below for key, below in route.items()}
            if isinstance(route, dict)
            else route
            for route in routes
        ]
    return kept, {name: [sealed.get(id(line), line) for line in lines] for name, lines in lists.items()}


def _listed(below: Tree) -> Iterator[Scalar]:
    """Yield the values in the section `lists`; a mapping refers to another list or to a file."""
    if isinstance(below, Scalar):
        yield below
        return
    for each in below.values() if isinstance(below, dict) else below:
        if not isinstance(each, dict):
            yield from _listed(each)


def _mappings(routes: Tree | None) -> Iterator[dict[str, Tree]]:
    yield from (route for route in routes if isinstance(route, dict)) if isinstance(routes, list) else ()


def _expanded(below: Tree | None) -> Iterator[Scalar]:
    """Yield the values with variables."""
    if isinstance(below, Expanded):
        yield below
    elif isinstance(below, dict | list):
        for each in below.values() if isinstance(below, dict) else below:
            yield from _expanded(each)


class _Uses:
    """How the conditions use each value, by the identity of its scalar."""

    def __init__(self, conditions: Iterable[Condition]) -> None:
        self._as_a_whole: dict[int, set[_Use]] = {}
        self._otherwise: set[int] = set()
        self._known: set[int] = set()
        for condition in conditions:
            self._read(condition)

    def compared_text(self, value: Scalar, *, is_listed: bool) -> str | None:
        """Return the one text as which a value is compared as a whole; `None` where the value must stay as it is."""
        if id(value) in self._otherwise or not _has_one_meaning(value):
            return None
        uses = self._as_a_whole.get(id(value), {(False, "")} if is_listed else set())
        texts = {normal_form(value, ignore_case=ignore_case, marker=marker) for ignore_case, marker in uses}
        return texts.pop() if len(texts) == 1 else None

    def _read(self, condition: Condition) -> None:
        match condition:
            case AllOf(conditions=parts) | AnyOf(conditions=parts):
                for part in parts:
                    self._read(part)
            case Not(condition=below):
                self._read(below)
            case Matcher(condition=below):
                if id(below) not in self._known:
                    self._known.add(id(below))
                    self._read(below)
            case FieldTest(field=field, of_element=of_element, of_node=of_node):
                for test in (*of_element, *of_node):
                    if isinstance(test, Equals) and not field.values:
                        for each in test.written:
                            if is_respelt(each, field):  # its digest would not mean the known word
                                self._otherwise.add(id(each))
                            self._as_a_whole.setdefault(id(each), set()).add((test.ignore_case, field.marker))
                    else:
                        self._read_test(test)

    def _read_test(self, test: ValueTest) -> None:
        if isinstance(test, Where):
            self._read(test.condition)
        for each in test.tests if isinstance(test, Length) else (test,):
            self._otherwise.update(map(id, getattr(each, "written", ())))


def _has_one_meaning(value: Scalar) -> bool:
    """Return whether a value is a text, or a whole number as every program writes it: what is equal to it looks the same."""
    if value.quoted or value[:1] not in _OF_JSON:
        return True
    meanings = tuple(as_json(value))
    return all(type(each) is int and len(value) <= 40 and str(each) == value for each in meanings)
