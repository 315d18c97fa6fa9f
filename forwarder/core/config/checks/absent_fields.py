"""Finds conditions that ask a source for a field that its posts never have, such as the channel of a post of X."""

from collections.abc import Collection, Iterator

from forwarder.core.matching import Condition, FieldTest
from forwarder.core.matching.conditions import Exists
from forwarder.core.matching.implications import parts_of
from forwarder.core.matching.literals import listed
from forwarder.core.matching.texts import Equals
from forwarder.core.yaml.words import known_word

_HAS_NONE = {
    "x": ("title", "channel"),
    "fast-x": ("title", "channel", "reply_to"),
    "telegram": ("title", "lang", "reply_to"),
    "discord": ("lang", "reply_to", "author", "author_name"),
    "rss": ("reply_to",),
    "web": ("reply_to",),
}
"""The fields that are never present for a source: docs/fields.md."""
_KINDS = {
    "x": {"post", "reply", "repost", "quote"},
    "fast-x": {"post", "repost"},
    "telegram": {"post", "reply", "repost", "edit"},
    "discord": {"post", "reply", "repost", "edit"},
    "rss": {"post"},
    "web": {"post"},
}
"""The kinds that posts of a source have."""
_NEVER_TRUE = {"fast-x": ("has_media", "has_video"), "rss": ("has_video",), "web": ("has_video",)}


def why_absent(condition: Condition) -> str | None:
    """Return why no post of the sources that a condition names has what it asks for; `None` if no reason is found.

    It looks at the parts that must all hold. A source that is not known may have any field.
    """
    parts = list(parts_of(condition))
    sources = _sources(parts)
    if not sources:
        return None
    for part in parts:
        for field, values in _wanted(part):
            if all(_lacks(source, field, values) for source in sources):
                article = "an" if field[0] in "aeiou" else "a"
                what = f"{field}: {listed(sorted(values))}" if values else f"{article} {field}"
                hint = "; use author_id or channel" if sources == {"discord"} and field.startswith("author") else ""
                return f"no post of {listed(sorted(sources))} has {what}{hint}"
    return None


def _sources(parts: Collection[Condition]) -> frozenset[str]:
    """Return the sources of which one must be that of the event; none where that is open, or one is not known."""
    for part in parts:
        if isinstance(part, FieldTest) and part.field.name == "source":
            for test in part.of_element:
                if isinstance(test, Equals):
                    named = [known_word(text, _HAS_NONE) for text in test.texts]
                    return frozenset() if None in named else frozenset(filter(None, named))
    return frozenset()


def _wanted(part: Condition) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the field that a part asks for, with the values of which it must have one; no values for any value."""
    if isinstance(part, Exists) and part.wanted:
        yield part.field.name, frozenset()
    elif isinstance(part, FieldTest):
        for test in (*part.of_element, *part.of_node):
            is_null = isinstance(test, Equals) and None in test.others
            if isinstance(test, Equals) and (part.field.name == "kind" or part.field.name.startswith("has_")):
                yield part.field.name, frozenset(test.texts)
            elif not is_null:
                yield part.field.name, frozenset()


def _lacks(source: str, field: str, values: Collection[str]) -> bool:
    if field == "kind":
        return bool(values) and not _KINDS[source].intersection(values)
    if field in _NEVER_TRUE.get(source, ()):
        return bool(values) and set(values) == {"true"}
    return field in _HAS_NONE[source]
