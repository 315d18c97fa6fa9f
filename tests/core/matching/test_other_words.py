"""The words of other programs. The sentences are in tests/data/config."""

import pytest

from forwarder.core.matching import other_words
from forwarder.core.matching.compile import ALL_TESTS, BLOCKS
from forwarder.core.matching.fields import NAMED_FIELDS
from forwarder.core.matching.other_words import field_meant
from forwarder.core.matching.other_words import test_meant as meant_test

FIELDS = [*NAMED_FIELDS, *BLOCKS, "matcher"]


@pytest.mark.parametrize("other", ["startswith", " Ends_With ", "icontains", "glob", ">=", "not_in", "contains_all"])
def test_a_word_for_a_test_is_answered(other: str) -> None:
    assert meant_test(other, "text").startswith("; ")


def test_a_word_that_nobody_uses_is_not_answered() -> None:
    assert meant_test("magpie", "text") == ""
    assert field_meant("magpie", fields=FIELDS, tests=ALL_TESTS) == ""


def test_every_word_means_a_test_or_a_field_that_exists_and_is_none_itself() -> None:
    assert set(other_words._TEST_OF.values()) | set(other_words._OPPOSITE_OF.values()) <= set(ALL_TESTS)
    assert set(other_words._BLOCK_OF.values()) | set(other_words._FIELD_OF.values()) <= set(FIELDS)
    assert not {*other_words._TEST_OF, *other_words._OPPOSITE_OF}.intersection(ALL_TESTS)
    assert not {*other_words._BLOCK_OF, *other_words._FIELD_OF}.intersection(FIELDS)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("or", "; did you mean any?"),
        ("user", "; did you mean author?"),
        ("Auther", '; did you mean "author"?'),
        ("match", "; match is written once, and its fields below it"),
        ("contains", "; a test is written below its field, as in text: {contains: …}"),
        ("hours", "; did you mean now?"),
        ("text.word", "; a test is written below its field: text: {word: …}"),
        ("event.text", "; did you mean text?"),
        ("event.payload.a", "; did you mean payload.a?"),
        ("event.a", "; did you mean payload.event.a?"),
        (".text", "; did you mean text?"),
        (".a", "; did you mean payload.a?"),
        ("a.b", "; did you mean payload.a.b?"),
    ],
)
def test_what_was_meant_by_a_field_is_named(name: str, said: str) -> None:
    assert field_meant(name, fields=FIELDS, tests=ALL_TESTS) == said
