"""Finds the secret parts of a request, and hides them in the response, which may repeat them."""

import base64
import re
from collections.abc import Iterable, Iterator

from forwarder.core.masking import HIDDEN, SHORTEST_SECRET, is_secret_name, masked
from forwarder.core.url import read_url

__all__ = ("HIDDEN", "SHORTEST_SECRET", "secret_texts", "with_headers", "without")

_SEGMENT_LENGTH = 12
"""A part of a path or a word of a header counts as secret from this length on; shorter ones are names."""
_RANDOM_LENGTH = 8
"""A part of a path with a digit in it counts as secret from this length on."""
_BASIC = re.compile(r"basic +([A-Za-z0-9+/=_-]+)", re.IGNORECASE)


def secret_texts(*, headers: Iterable[str], target: str, url: str) -> list[str]:
    """Return the texts to hide in a response, the longest first.

    `headers` are the values of the headers that may be secret, `target` is the path and query as sent, `url` is the one in the config.
    """
    found: dict[str, None] = {}
    for value in headers:
        found |= dict.fromkeys(_of_header(value))
    parts = read_url(url, "http", "https")
    for sent in (target, parts.raw_path_qs, parts.path):
        found |= dict.fromkeys(_of_target(sent))
    found |= dict.fromkeys(_of_query(parts.query.items()))
    if parts.password:
        found[parts.password] = None
        found[parts.raw_password or ""] = None
    return sorted(filter(None, found), key=len, reverse=True)


def with_headers(secrets: Iterable[str], headers: Iterable[str]) -> list[str]:
    """Return these texts and those of more headers, the longest first; `headers` are their values."""
    return sorted({*secrets, *(text for value in headers for text in _of_header(value))}, key=len, reverse=True)


def without(text: str, secrets: Iterable[str]) -> str:
    """Return the text with each of the `secrets` replaced by a mark, in whatever way the text writes it."""
    return masked(text, secrets)


def _of_header(value: str) -> Iterator[str]:
    """Yield the whole value, its long words, the word after a scheme such as `Bearer`, values such as that of `sid=…`, and a Basic password."""
    if len(value) >= SHORTEST_SECRET:
        yield value
    words = re.split(r"[\s;,]+", value)
    for word in words:
        name, _, assigned = word.partition("=")
        if len(word) >= _SEGMENT_LENGTH:
            yield word
        if len(given := assigned.strip('="')) >= SHORTEST_SECRET or (given and is_secret_name(name)):
            yield given
    if len(words) == 2 and len(words[1]) >= SHORTEST_SECRET:
        yield words[1]
    if basic := _BASIC.fullmatch(value):
        yield from _of_basic(basic[1])


def _of_basic(encoded: str) -> Iterator[str]:
    """Yield the name with its password, and the password (RFC 7617)."""
    try:
        pair = base64.b64decode(encoded.rstrip("=") + "==", altchars=b"-_" if set("-_") & set(encoded) else None)
    except ValueError:
        return
    text = pair.decode("utf-8", "replace")
    name, colon, password = text.partition(":")
    if colon and password:
        yield from (text, password)
    elif len(name) >= SHORTEST_SECRET:
        yield name


def _of_target(target: str) -> Iterator[str]:
    path, _, query = target.partition("?")
    if len(target) >= _SEGMENT_LENGTH:
        yield target
    if len(path) >= _SEGMENT_LENGTH:
        yield path
    for segment in re.split(r"[/;]", path):
        if len(segment) >= _SEGMENT_LENGTH or (len(segment) >= _RANDOM_LENGTH and any(map(str.isdigit, segment))):
            yield segment
    pairs = (part.partition("=") for part in re.split("[&;]", query))
    yield from _of_query((name, value) if equals else ("", name) for name, equals, value in pairs)


def _of_query(parameters: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, value in parameters:
        if len(value) >= SHORTEST_SECRET or is_secret_name(name):
            yield value
