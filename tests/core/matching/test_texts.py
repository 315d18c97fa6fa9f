"""Tests of texts: equal values, parts, words, shapes and regexes."""

import pytest
import re2

from forwarder.core.matching.folding import Form
from forwarder.core.matching.subject import Found
from forwarder.core.matching.texts import (
    Contains,
    Equals,
    Prefix,
    Regex,
    Suffix,
    Wildcard,
    Word,
    is_word_character,
    stands_alone,
)
from tests.support.conditions import condition, decoded, subject


def test_half_a_surrogate_pair_is_no_obstacle() -> None:
    odd = decoded(rb'{"mid":"1","sid":"2","source":"x","timestamp":3,"payload":{"text":"rocket \ud83d"}}')
    assert condition("text: {regex: rocket}").matches(odd)
    assert condition("text: {contains: rocket}").matches(odd)


def test_a_regex_that_would_take_exponential_time_elsewhere_is_quick() -> None:
    assert not condition("text: {regex: '(a+)+$'}").matches(subject({"text": "a" * 100_000 + "!"}))


@pytest.mark.parametrize(
    ("value", "passes"),
    [(1, True), (1.0, True), (True, False), (None, False), ("1", True), ("2", False), ([1], False), ({"1": 1}, False)],
)
def test_a_value_equals_a_number_by_its_json_type(value: Found, passes: bool) -> None:
    one = Equals(written=(), texts=frozenset({"1"}), others=(1,), ignore_case=False)
    assert one.passes(value, subject()) is passes


def test_equality_for_1_and_for_true_are_different_tests() -> None:
    one, true = (Equals(written=(), texts=frozenset(), others=(other,), ignore_case=False) for other in (1, True))
    assert one != true


@pytest.mark.parametrize("kind", [Contains, Word, Prefix, Suffix])
def test_only_a_text_has_parts(kind: type[Contains | Word | Prefix | Suffix]) -> None:
    test = kind(written=(), parts=("5",), form=Form.WRITTEN)
    assert test.passes("5", subject())
    values: list[Found] = [5, None, ["5"], {"5": "5"}]
    assert not any(test.passes(value, subject()) for value in values)


def test_only_a_text_has_a_shape_or_matches_a_regex() -> None:
    values: list[Found] = [5, None, ["5"]]
    shape = Wildcard(written=(), shapes=(("", ""),), form=Form.WRITTEN)
    regex = Regex(written=(), patterns=(re2.compile("5"),), form=Form.WRITTEN)
    for test in (shape, regex):
        assert test.passes("5", subject())
        assert not any(test.passes(value, subject()) for value in values)


@pytest.mark.parametrize(
    ("kind", "text", "passes"),
    [
        (Contains, "a moonshot", True),
        (Contains, "a mOOnshot", False),
        (Word, "a moonshot", False),
        (Word, "a moonshot to the moon", True),
        (Prefix, "moonshot", True),
        (Prefix, "a moon", False),
        (Suffix, "a moon", True),
        (Suffix, "moonshot", False),
    ],
)
def test_where_a_part_is_looked_for(kind: type[Contains | Word | Prefix | Suffix], text: str, passes: bool) -> None:
    assert kind(written=(), parts=("zzz", "moon"), form=Form.WRITTEN).passes(text, subject()) is passes
    assert kind(written=(), parts=("zzz", "moon"), form=Form.CASELESS).passes(text.upper(), subject()) is (
        passes or text == "a mOOnshot"
    )


@pytest.mark.parametrize(
    ("text", "pieces", "passes"),
    [
        ("abc", ("abc",), True),
        ("abcd", ("abc",), False),
        ("abc", ("a", "c"), True),
        ("ac", ("a", "c"), True),
        ("aba", ("ab", "ba"), False),
        ("a-x-y-c", ("a", "x", "y", "c"), True),
        ("a-y-x-c", ("a", "x", "y", "c"), False),
        ("xc", ("a", "c"), False),
        ("ax", ("a", "c"), False),
    ],
)
def test_a_shape_is_of_the_whole_text_with_its_pieces_in_order(
    text: str, pieces: tuple[str, ...], passes: bool
) -> None:
    assert Wildcard(written=(), shapes=(("zzz",), pieces), form=Form.WRITTEN).passes(text, subject()) is passes


@pytest.mark.parametrize(
    ("character", "expected"),
    [
        ("a", True),
        ("7", True),
        ("_", True),
        ("é", True),
        ("\u0301", True),
        ("-", False),
        (" ", False),
        ("😀", False),
        ("東", False),
        ("ก", False),
    ],
)
def test_letters_digits_and_accents_form_words_but_not_in_scripts_without_spaces(
    character: str, expected: bool
) -> None:
    assert is_word_character(character) is expected


def test_a_word_stands_alone_between_other_characters() -> None:
    assert stands_alone("to the moon!", "moon", 7)
    assert not stands_alone("moonshot", "moon", 0)
    assert not stands_alone("a-fullmoon", "moon", 6)
    assert stands_alone("$moon", "$moon", 0)
    assert stands_alone("x$moon", "$moon", 1)
