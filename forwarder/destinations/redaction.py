"""Finds the secret parts of a request, and hides them in the response, which may repeat them."""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from yarl import URL

from forwarder.core.destinations.request import WebhookRequest
from forwarder.core.masking import HIDDEN, SHORTEST_SECRET, is_secret_name, masked
from forwarder.core.url import read_url
from forwarder.destinations.response_reader import MAX_BODY_BYTES

__all__ = ("HIDDEN", "SHORTEST_SECRET", "Redactor", "secret_texts", "without")

EXCERPT_CHARACTERS = 500
_PUBLIC_HEADERS = frozenset({"accept-encoding", "content-encoding", "content-type", "host", "user-agent"})
"""Headers whose values are not secret, so they may be kept if a receiver repeats them; the x-forwarder-* and webhook-* headers are too."""
_SEGMENT_LENGTH = 12
"""A part of a path or a word of a header counts as secret from this length on; shorter ones are names."""
_RANDOM_LENGTH = 8
"""A part of a path with a digit in it counts as secret from this length on."""
_INCOMPRESSIBLE = re.compile(r"[A-Za-z0-9+/=_.:-]+")
_BASIC = re.compile(r"basic +([A-Za-z0-9+/=_-]+)", re.IGNORECASE)


class Redactor:
    """Makes excerpts of the responses to the requests to one URL, without the secrets of those."""

    def __init__(self, url: URL, target: str) -> None:
        """`target` is the path and query of the URL as written."""
        self._url = str(url)
        self._target = target
        self._lines = ""
        self._headers: list[str] = []
        """The values of the headers in `_lines` that may be secret."""
        self._known: tuple[list[str], str] | None = None
        """The values and the target whose secrets are in `_secrets`: those of the request before, and usually of the next."""
        self._secrets: list[str] = []
        self._last = b"", ""
        """The last short body with nothing but those secrets to hide, and its excerpt: most receivers say the same each time."""

    def excerpt(self, body: bytes, request: WebhookRequest, lines: str, *, is_cut: bool = False) -> str:
        """Return the beginning of a response's body on one line, without the secrets of the request; `lines` are its fixed headers as sent.

        `is_cut`: the rest of the body did not come, or was not read, so it may end within a secret.
        """
        target = self._target if request.target is None else request.target
        if self._lines != lines:
            pairs = (line.partition(": ") for line in lines.split("\r\n") if line)
            self._lines, self._headers = lines, [value for name, _, value in pairs if _is_secret(name)]
        if self._known != (self._headers, target):
            self._known, self._last = (self._headers, target), (b"", "")
            self._secrets = secret_texts(headers=self._headers, target=target, url=self._url)
        if is_cut:
            own = _own_secrets(request.more, MAX_BODY_BYTES)
            return _excerpt(body, sorted({*self._secrets, *own}, key=len, reverse=True), is_cut=True)
        if request.more and (own := _own_secrets(request.more, len(body))):
            return _excerpt(body, sorted({*self._secrets, *own}, key=len, reverse=True))
        known_body, text = self._last
        if body != known_body:
            text = _excerpt(body, self._secrets)
            if len(body) <= EXCERPT_CHARACTERS:
                self._last = body, text
        return text


def _own_secrets(headers: Mapping[str, str], length: int) -> list[str]:
    """Return the secret texts of the headers that a request has alone, as far as a body of this length can contain them in any way.

    A text without spaces and escapes gets no shorter in any way of writing it. To look for one that is new each time costs much.
    """
    texts = [text for name, value in headers.items() if _is_secret(name) for text in _of_header(value)]
    return [text for text in texts if len(text) <= length or not _INCOMPRESSIBLE.fullmatch(text)]


def _excerpt(body: bytes, secrets: Sequence[str], *, is_cut: bool = False) -> str:
    reach = 6 * max(map(len, secrets), default=0)  # how long a secret can be if each of its characters is escaped
    window = body[: 4 * (EXCERPT_CHARACTERS + reach)].decode("utf-8", "replace")
    text = without(window[: EXCERPT_CHARACTERS + reach], secrets)
    if len(window) > EXCERPT_CHARACTERS + reach:  # the end may be a part of a secret
        text = text[: max(0, len(text) - reach)]
    elif is_cut:
        text = _without_begun(text, secrets)
    text = text[:EXCERPT_CHARACTERS]
    return (text if text.isprintable() else "".join(mark if mark.isprintable() else " " for mark in text)).strip()


def _without_begun(text: str, secrets: Iterable[str]) -> str:
    """Return the text with a mark in the place of the beginning of a secret at its end, where that is written as it is."""
    for secret in secrets:
        for length in range(min(len(secret), len(text)), SHORTEST_SECRET - 1, -1):
            if text.endswith(secret[:length]):
                return text[:-length] + HIDDEN
    return text


def _is_secret(header: str) -> bool:
    name = header.lower()
    return name not in _PUBLIC_HEADERS and not name.startswith(("x-forwarder-", "webhook-"))


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
