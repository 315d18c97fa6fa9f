"""What of a request is secret and may come back in its answer. Pure."""

import re
from collections.abc import Iterable, Iterator

from forwarder.core.url import read_url

HIDDEN = "***"
_SEGMENT_LENGTH = 12
"""From here on a part of a path, or a word of a header, is looked for in what came back; shorter ones are names."""
SHORTEST_SECRET = 5
"""The same for a whole value: a shorter one stands in many a text by chance."""


def secret_texts(*, headers: Iterable[str], target: str, url: str) -> list[str]:
    """Return the texts to hide of an answer, the longest first.

    `headers` are the values of those that may be secret, `target` is the path and query as they were sent, `url` is that of the config.
    """
    found: dict[str, None] = {}
    for value in headers:
        found |= dict.fromkeys((value, *_long(value.split())))
    parts = read_url(url, "http", "https")
    for sent in (target, parts.raw_path, parts.path):
        found |= dict.fromkeys(_long((sent, *re.split(r"[/?&=]", sent))))
    found |= dict.fromkeys((*_long(parts.query.values()), parts.password or ""))
    return sorted((text for text in found if len(text) >= SHORTEST_SECRET), key=len, reverse=True)


def without(text: str, secrets: Iterable[str]) -> str:
    """Return the text with a mark in the place of each of the `secrets`."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def _long(words: Iterable[str]) -> Iterator[str]:
    return (word for word in words if len(word) >= _SEGMENT_LENGTH)
