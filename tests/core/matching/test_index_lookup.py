"""Which atoms are true of an event, whether few or many are looked for."""

from collections.abc import Set as AbstractSet

import pytest

from forwarder.core.event import JSONValue
from forwarder.core.matching.fields import field_of
from forwarder.core.matching.folding import Form
from forwarder.core.matching.index_atoms import Atom, JSONKey
from forwarder.core.matching.index_lookup import Lookup
from tests.support.conditions import subject


def atom(*texts: str, is_part: bool = False, form: Form = Form.WRITTEN, others: tuple[JSONKey, ...] = ()) -> Atom:
    field = field_of("payload.a")
    assert field is not None
    return Atom(field, form, is_part, frozenset(texts), frozenset(others))


def hits(atoms: list[Atom], value: JSONValue) -> AbstractSet[int]:
    return Lookup({each: number for number, each in enumerate(atoms)}).hits(subject({"a": value}))


def test_without_atoms_nothing_is_true() -> None:
    assert Lookup().hits(subject({"a": "x"})) == frozenset()


@pytest.mark.parametrize(
    ("value", "expected"),
    [("x", {0, 1}), ("y", {1}), ("X", {2}), ("z", set()), (["z", "y"], {1}), ([["x"]], {0, 1}), ({"x": "x"}, set())],
)
def test_a_value_is_found_as_a_whole_also_in_nested_arrays(value: JSONValue, expected: set[int]) -> None:
    found = hits([atom("x"), atom("x", "y"), atom("X")], value)
    assert found == expected


def test_a_text_is_looked_up_in_the_form_of_the_atom() -> None:
    atoms = [atom("x"), atom("x", form=Form.CASELESS), atom("x", form=Form.FOLDED)]
    assert hits(atoms, "X") == {1, 2}
    assert hits(atoms, "x\u200b") == {2}
    parts = [atom("x", form=form, is_part=True) for form in Form]
    assert hits(parts, "AX") == {1, 2}
    assert hits(parts, "a\uff38") == {2}


def test_numbers_true_and_null_are_found_by_their_json_value() -> None:
    atoms = [atom(others=((False, 1),)), atom(others=((True, True),)), atom(others=((False, None),))]
    values: list[tuple[JSONValue, set[int]]] = [
        (1, {0}),
        (1.0, {0}),
        (True, {1}),
        (None, {2}),
        (False, set()),
        ("1", set()),
    ]
    for value, expected in values:
        assert hits(atoms, value) == expected


@pytest.mark.parametrize("count", [3, 12, 13, 200])
def test_parts_of_a_text_are_found_among_few_and_among_many(count: int) -> None:
    atoms = [atom(f"<{number}>", is_part=True) for number in range(count)]
    assert hits(atoms, "a <2> and <1>, not <") == {1, 2}
    assert hits(atoms, ["<0>", 5, "<1>"]) == {0, 1}


@pytest.mark.parametrize("count", [1, 50])
def test_of_a_long_part_its_beginning_is_looked_for(count: int) -> None:
    atoms = [atom(f"{number:03}" + "x" * 30, is_part=True) for number in range(count)]
    assert hits(atoms, "000" + "x" * 30) == {0}
    assert hits(atoms, "000" + "x" * 13) == {0}, "it is nearly true: the condition itself decides"
    assert hits(atoms, "000" + "x" * 12) == set()
