"""A word of a fixed set may be written in any case."""

from forwarder.core.yaml.words import known_word, nearest_word


def test_a_known_word_may_be_in_another_case() -> None:
    assert known_word("Telegram", ["x", "telegram"]) == "telegram"
    assert known_word("b", ["B", "b"]) == "b"
    assert known_word("telegrm", ["x", "telegram"]) is None


def test_a_near_miss_is_the_word_that_was_meant_and_what_is_far_from_all_is_none() -> None:
    assert nearest_word("DISCROD", ["raw", "Discord"]) == "Discord"
    assert nearest_word("zzz", ["raw", "Discord"]) is None
