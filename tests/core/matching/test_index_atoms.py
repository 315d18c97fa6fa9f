"""What must be true of an event for a condition to match: atoms, covers, and which of them is rare."""

import pytest

from forwarder.core.matching import EVERYTHING, NOTHING, Condition, Names
from forwarder.core.matching.index_atoms import Atom, Atoms, Cover, json_key
from tests.support.conditions import condition

NAMES = Names(matchers={"nova": condition("author: nova")})


def covers(text: str | Condition) -> tuple[Cover, ...]:
    of = condition(text, NAMES) if isinstance(text, str) else text
    return Atoms([of]).covers(of)


def texts_of(found: tuple[Cover, ...]) -> list[set[str]]:
    """Return the texts of each cover, in an order of their own."""
    return sorted(({text for atom in cover for text in atom.texts} for cover in found), key=sorted)


@pytest.mark.parametrize(
    ("text", "is_part", "texts"),
    [
        ("sid: [a, b]", False, {"a", "b"}),
        ("author: Nova", False, {"nova"}),
        ("text: {contains: [Moon, mars]}", True, {"moon", "mars"}),
        ("text: {word: moon}", True, {"moon"}),
        ("text: {prefix: moon}", True, {"moon"}),
        ("text: {suffix: moon}", True, {"moon"}),
        ("text: {wildcard: moon}", False, {"moon"}),
        ("text: {wildcard: 'a*longest*b'}", True, {"longest"}),
        ("text: {regex: 'moon+shot'}", True, {"nshot"}),
    ],
)
def test_a_test_of_texts_has_one_atom(text: str, is_part: bool, texts: set[str]) -> None:
    (cover,) = covers(text)
    (atom,) = cover
    assert atom.is_part is is_part
    assert atom.texts == texts


def test_an_unquoted_number_and_true_are_different_values_of_an_atom() -> None:
    ((atom,),) = covers("payload.a: [1, true]")
    assert atom.others == {(False, 1), (True, True)}
    assert json_key(1) != json_key(True)
    assert set(atom.values()) == {"1", "true", (False, 1), (True, True)}


@pytest.mark.parametrize(
    "text",
    [
        "payload.a: {gt: 1}",
        "payload.a: {exists: true}",
        "text: {regex: '.*'}",
        "text: {wildcard: '*'}",
        "not: {sid: a}",
        "any: [{sid: a}, {payload.a: {gt: 1}}]",
        "{}",
    ],
)
def test_of_some_conditions_nothing_is_known(text: str) -> None:
    assert covers(text) == ()


def test_each_part_of_an_and_is_a_cover_and_the_parts_of_an_or_are_one_together() -> None:
    assert texts_of(covers("{sid: a, author: nova, payload.n: {gt: 1}}")) == [{"a"}, {"nova"}]
    assert texts_of(covers("any: [{sid: a}, {author: nova}]")) == [{"a", "nova"}]
    assert texts_of(covers("any: [{matcher: nova}, {sid: a}]")) == [{"a", "nova"}]


def test_what_never_matches_has_an_empty_cover() -> None:
    assert covers(NOTHING) == (frozenset(),)
    assert covers(EVERYTHING) == ()


def test_the_rarest_cover_comes_first() -> None:
    conditions = [condition(f"{{source: x, author: a{number}}}") for number in range(10)]
    atoms = Atoms(conditions)
    for number, each in enumerate(conditions):
        first, second = atoms.covers(each)
        assert [atom.texts for atom in first] == [{f"a{number}"}]
        assert [atom.texts for atom in second] == [{"x"}]
        assert 0 < atoms.likelihood(first) < atoms.likelihood(second) <= 1


def test_true_false_and_null_are_frequent() -> None:
    conditions = [condition(f"payload.a: {value}") for value in ("true", *(f"a{number}" for number in range(99)))]
    atoms = Atoms(conditions)
    assert atoms.likelihood(atoms.covers(conditions[0])[0]) == 0.4
    assert atoms.likelihood(atoms.covers(conditions[1])[0]) == 1 / 101  # of 100 texts and one JSON value


def test_equal_tests_share_one_atom() -> None:
    one, other = condition("author: nova"), condition("author: Nova")
    atoms = Atoms([one, other])
    ((first,),), ((second,),) = atoms.covers(one), atoms.covers(other)
    assert isinstance(first, Atom)
    assert first is second


def test_a_matcher_that_two_conditions_use_is_read_once_and_covers_both() -> None:
    conditions = [condition(text, NAMES) for text in ("matcher: nova", "{matcher: nova, sid: a}")]
    atoms = Atoms(conditions)
    (alone,), both = atoms.covers(conditions[0]), atoms.covers(conditions[1])
    assert alone in both
    assert texts_of(both) == [{"a"}, {"nova"}]
    assert atoms.covers(conditions[0]) == (alone,)
