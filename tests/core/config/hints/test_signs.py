"""Signs that a test does not know: which values are reported, and which are not. The sentences are in tests/data/warnings."""

import pytest

from forwarder.core.config.hints.signs import hints_of_signs
from forwarder.core.matching.compile import ALL_TESTS
from forwarder.core.matching.fields import field_of
from forwarder.core.yaml.tree import Expanded, Scalar


def said(test: str, value: str, field: str = "text", *, quoted: bool = True) -> list[str]:
    found = field_of(field)
    assert found is not None
    return list(hints_of_signs(test, Scalar(value, quoted=quoted), found, ALL_TESTS))


@pytest.mark.parametrize(
    ("test", "value", "field"),
    [
        ("contains", "**bold**", "text"),
        ("contains", "*", "text"),
        ("contains", "2 * 3", "text"),
        ("contains", "% of", "text"),
        ("contains", "up 5%", "text"),
        ("contains", "AT & T", "text"),
        ("contains", "buy AND", "text"),
        ("contains", "/r/btc/", "text"),
        ("contains", "/start/", "text"),
        ("equals", "*", "source"),
        ("contains", "and/or", "text"),
        ("prefix", "/btc/", "text"),
        ("wildcard", "*gm*", "text"),
        ("wildcard", "https://a.example/?q=*", "payload.url"),
        ("regex", "*", "text"),
        ("equals", "* * *", "text"),
        ("equals", "*note*", "title"),
        ("equals", "*bold*", "text"),
        ("equals", "word", "text"),
        ("equals", "words of wisdom", "text"),
        ("equals", "{gm}", "text"),
        ("equals", "->5", "payload.n"),
        ("equals", "5*", "mid"),
        ("equals", "==5", "payload.n"),
        ("equals", "True story", "payload.s"),
        ("equals", "true", "text"),
        ("length", "*", "text"),
    ],
)
def test_a_sign_that_may_be_meant_is_not_reported(test: str, value: str, field: str) -> None:
    assert said(test, value, field) == []


@pytest.mark.parametrize(
    ("test", "value", "field", "meant"),
    [
        ("contains", "*gm*", "text", "write 'gm'"),
        ("word", "gm*", "text", "prefix:"),
        ("contains", "%gm%", "text", "contains: 'gm'"),
        ("contains", "gm && gn", "text", "{text: {contains: 'gn'}}"),
        ("word", "/gm/i", "text", "regex: 'gm'"),
        ("wildcard", "gm", "text", "'*gm*'"),
        ("wildcard", "g?m*", "text", "regex"),
        ("equals", "nova*", "author", "wildcard: 'nova*'"),
        ("equals", "*", "author", "exists: true"),
        ("equals", "> 5", "payload.n", "{gt: 5}"),
        ("equals", "!=5", "payload.n", "not: {payload.n: 5}"),
        ("equals", "contains gm", "text", "{contains: 'gm'}"),
        ("equals", "{word: gm}", "text", "without them"),
        ("equals", "false", "payload.active", "payload.active: false"),
    ],
)
def test_what_was_meant_is_named(test: str, value: str, field: str, meant: str) -> None:
    (only,) = said(test, value, field)
    assert meant in only


def test_true_without_quotation_marks_is_what_it_says() -> None:
    assert said("equals", "true", "payload.active", quoted=False) == []


def test_a_value_of_a_named_list_belongs_to_no_field() -> None:
    assert list(hints_of_signs("equals", Scalar("contains gm", quoted=True), None, ALL_TESTS)) == []
    (only,) = hints_of_signs("equals", Scalar("*", quoted=True), None, ALL_TESTS)
    assert "the field: {exists: true}" in only


def test_a_value_of_a_variable_is_not_shown() -> None:
    found = field_of("text")
    for test, text in [
        ("word", "magpie*"),
        ("contains", "%magpie%"),
        ("wildcard", "magpie"),
        ("word", "magpie && magpie"),
    ]:
        (only,) = hints_of_signs(test, Expanded(text, quoted=True, written="${CANARY}"), found, ALL_TESTS)
        assert "magpie" not in only
