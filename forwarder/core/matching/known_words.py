"""Values of a field that are known words: what is written in another case means the word."""

from dataclasses import replace

from forwarder.core.matching.literals import as_json
from forwarder.core.matching.subject import Field
from forwarder.core.matching.texts import Equals
from forwarder.core.yaml.words import known_word


def is_respelt(value: str, field: Field) -> bool:
    """Return whether a value means a known word of the field, and is not written as that word."""
    words = field.values or field.known
    return bool(words) and value not in words and known_word(value, words) is not None


def with_known_words(test: Equals, field: Field) -> Equals:
    """Return the test, which also passes for each known word of the field that one of its values means: `Telegram` means `telegram` too.

    Where the known words are JSON's true and false, it also passes for these: `"true"` in quotes means true.
    """
    words = field.values or field.known
    if not words:
        return test
    meant = {word for each in test.written if (word := known_word(each, words)) is not None}
    json = {value for word in meant for value in as_json(word)} - set(test.others)
    if meant <= test.texts and not json:
        return test
    return replace(test, texts=test.texts | meant, others=(*test.others, *sorted(json, key=repr)))
