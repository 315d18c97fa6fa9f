"""Finds cashtags, hashtags and mentions in a text, for sources and events that do not list them.

The rules are those of X (github.com/twitter/twitter-text), except that a cashtag may have digits and 15 characters. Work is bounded:
the first `MAX_SCANNED` characters and the first `MAX_TAGS` tags count.
"""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import islice

from forwarder.core.posts.fields import MAX_TAGS, WEB_ADDRESS


class Tag(StrEnum):
    """The kinds of tags; the value is the mark before the word."""

    SYMBOL = "$"
    HASHTAG = "#"
    MENTION = "@"


MAX_SCANNED = 50_000
"""How many characters of a text are searched for tags: twice the length that X allows for a post."""

_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0963\u0966-\u0dff\u0e31-\u0e4e"
    "\u0eb1-\u0ece\u0f18-\u0fbc\u102b-\u109d\u17b4-\u17d3\u200c\u200d"
)
"""Accents, vowel signs and joiners, which `\\w` does not include, and all of the Indian scripts."""
_TAGS = {
    Tag.SYMBOL: re.compile(r"\$(?<![\w$&]\$)([A-Za-z][A-Za-z0-9]{0,14}+)(?!\w)"),
    Tag.HASHTAG: re.compile(rf"[#\uff03](?<![\w&/][#\uff03])([\w{_MARKS}]{{1,256}}+)(?![#\uff03\w])"),
    Tag.MENTION: re.compile(
        r"[@\uff20](?<![A-Za-z0-9_!#$%&*@\uff20/][@\uff20])([A-Za-z0-9_]{1,50}+)(?![A-Za-z0-9_@\uff20\u00c0-\u024f]|://)"
    ),
}
_WIDE = {Tag.HASHTAG: "\uff03", Tag.MENTION: "\uff20"}
"""The full-width marks of East Asian keyboards."""
_DIGITS = "0123456789_"


def tags_in(text: str, tag: Tag) -> Iterator[str]:
    """Yield the tags of this kind in the text, without their mark. Words in a web address do not count, nor do `$100` and `#1`."""
    text = text[:MAX_SCANNED]
    if tag not in text and (tag not in _WIDE or _WIDE[tag] not in text):
        return
    if "://" in text:
        text = WEB_ADDRESS.sub(" ", text)
    for found in islice(_TAGS[tag].finditer(text), MAX_TAGS):
        if tag is not Tag.HASHTAG or found[1].strip(_DIGITS):
            yield found[1]


def distinct(tags: Iterable[str], mark: str) -> tuple[str, ...]:
    """Return each tag once, as it is first written and without its mark; `BTC` and `btc` are the same."""
    found: dict[str, str] = {}
    for tag in tags:
        bare = tag.lstrip(mark)
        if bare:
            found.setdefault(bare.casefold(), bare)
    return tuple(found.values())
