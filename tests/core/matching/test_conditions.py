"""Blocks, fields with their tests, and matchers."""

from typing import cast

import pytest

from forwarder.core.event import JSONValue
from forwarder.core.matching import EVERYTHING, NOTHING, Condition, Subject
from forwarder.core.matching.conditions import AllOf, AnyOf, Exists, FieldTest, Matcher, Not, Where, passes_all
from forwarder.core.matching.fields import field_of
from forwarder.core.matching.folding import Form
from forwarder.core.matching.subject import Field
from forwarder.core.matching.texts import Contains, Prefix
from forwarder.core.matching.values import Between, Length, TypeIs
from tests.support.conditions import subject

A = cast("Field", field_of("payload.a"))
HAS_X = Contains(written=(), parts=("x",), form=Form.WRITTEN)
BEGINS_WITH_Y = Prefix(written=(), parts=("y",), form=Form.WRITTEN)
IS_ARRAY = TypeIs(("array",))


class Counted:
    """Counts how often it is evaluated."""

    def __init__(self, result: bool) -> None:
        self.result = result
        self.count = 0

    def matches(self, _subject: Subject) -> bool:
        self.count += 1
        return self.result


@pytest.mark.parametrize(
    ("parts", "all_of", "any_of"),
    [
        ((), True, False),
        ((EVERYTHING,), True, True),
        ((NOTHING,), False, False),
        ((EVERYTHING, NOTHING), False, True),
        ((NOTHING, EVERYTHING), False, True),
    ],
)
def test_blocks_are_and_and_or(parts: tuple[Condition, ...], all_of: bool, any_of: bool) -> None:
    assert AllOf(parts).matches(subject()) is all_of
    assert AnyOf(parts).matches(subject()) is any_of
    assert Not(AllOf(parts)).matches(subject()) is not all_of


def test_a_block_evaluates_no_more_than_it_needs() -> None:
    true, false, after = Counted(result=True), Counted(result=False), Counted(result=True)
    AllOf((false, after)).matches(subject())
    AnyOf((true, after)).matches(subject())
    assert after.count == 0


def test_a_matcher_is_evaluated_once_for_each_event() -> None:
    counted = Counted(result=True)
    one, other = Matcher("a", counted), Matcher("b", counted)
    first = subject()
    assert one.matches(first)
    assert other.matches(first)
    assert counted.count == 1
    assert one.matches(subject())
    assert counted.count == 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [("yx", True), ("y", False), ("ax", False), (["y", "x"], False), (["a", "yx"], True), ([["yx"]], True), (5, False)],
)
def test_one_element_must_pass_all_tests(value: JSONValue, expected: bool) -> None:
    assert FieldTest(A, (BEGINS_WITH_Y, HAS_X)).matches(subject({"a": value})) is expected


@pytest.mark.parametrize(
    ("value", "expected"), [(["a", "x"], True), (["a"], False), ([], False), ("x", False), (["a", "x", "x"], False)]
)
def test_the_value_itself_must_pass_its_tests_and_an_element_of_it_the_others(value: JSONValue, expected: bool) -> None:
    test = FieldTest(A, (HAS_X,), (IS_ARRAY, Length((Between(0, 2),))))
    assert test.matches(subject({"a": value})) is expected


def test_without_a_test_of_elements_an_empty_array_passes() -> None:
    assert FieldTest(A, (), (IS_ARRAY,)).matches(subject({"a": []}))


@pytest.mark.parametrize(
    ("payload", "exists"),
    [({"a": "x"}, True), ({"a": False}, True), ({"a": []}, True), ({"a": None}, False), ({}, False)],
)
def test_null_counts_as_no_value(payload: JSONValue, exists: bool) -> None:
    assert Exists(A, wanted=True).matches(subject(payload)) is exists
    assert Exists(A, wanted=False).matches(subject(payload)) is not exists


def test_where_passes_for_an_object_that_matches_by_its_own_paths() -> None:
    n = Field("n", lambda of: (of.root["n"],) if isinstance(of.root, dict) else ())
    where = Where(FieldTest(n, (HAS_X,)))
    assert where.passes({"n": "x"}, subject({"n": "other"}))
    assert not where.passes({"n": "y"}, subject({"n": "x"}))
    assert not where.passes("x", subject({"n": "x"}))


def test_a_value_passes_several_tests_if_it_passes_each() -> None:
    assert passes_all((), "a", subject())
    assert passes_all((BEGINS_WITH_Y, HAS_X), "yx", subject())
    assert not passes_all((BEGINS_WITH_Y, HAS_X), "y", subject())
