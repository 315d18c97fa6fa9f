"""A value that is a known word in another case means that word."""

from forwarder.core.matching.compile_tests import equals
from forwarder.core.matching.fields import NAMED_FIELDS
from forwarder.core.matching.known_words import is_respelt, with_known_words
from forwarder.core.matching.texts import Equals
from forwarder.core.yaml.tree import Scalar


def asking(*words: str) -> Equals:
    test = equals(tuple(map(Scalar, words)), ignore_case=False)
    assert isinstance(test, Equals)
    return test


def test_a_test_that_is_right_stays_the_same() -> None:
    for name, words in (
        ("source", ("x", "mastodon")),
        ("kind", ("reply",)),
        ("has_media", ("true",)),
        ("link", ("X",)),
    ):
        test = asking(*words)
        assert with_known_words(test, NAMED_FIELDS[name]) is test


def test_a_word_in_another_case_is_added_and_what_is_written_stays() -> None:
    test = with_known_words(asking("Telegram", "X"), NAMED_FIELDS["source"])
    assert test.texts == {"Telegram", "telegram", "X", "x"}
    assert list(test.written) == ["Telegram", "X"]


def test_true_and_false_in_quotes_are_those_of_json() -> None:
    test = with_known_words(equals_quoted("True"), NAMED_FIELDS["has_media"])
    assert test.others == (True,)


def equals_quoted(word: str) -> Equals:
    test = equals((Scalar(word, quoted=True),), ignore_case=False)
    assert isinstance(test, Equals)
    return test


def test_only_a_known_word_in_another_case_is_respelt() -> None:
    source = NAMED_FIELDS["source"]
    assert [is_respelt(each, source) for each in ("X", "x", "mastodon")] == [True, False, False]
    assert not is_respelt("X", NAMED_FIELDS["link"])
