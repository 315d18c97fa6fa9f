"""A word of a fixed set may be written in any case."""

from forwarder.core.yaml.words import known_word


def test_a_known_word_may_be_in_another_case() -> None:
    assert known_word("Telegram", ["x", "telegram"]) == "telegram"
    assert known_word("b", ["B", "b"]) == "b"
    assert known_word("telegrm", ["x", "telegram"]) is None
