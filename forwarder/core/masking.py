r"""Hides secrets in a text that somebody else wrote and that may repeat them, in whatever way it writes them down.

A secret is found as it is, in other letter case, with escapes (JSON with `\/` or `\u0026`, Markdown, percent-encoding, HTML, also one inside the
other), broken over lines, in Base64, and in hexadecimal. A secret that is split by other text, or cut, is not found.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

HIDDEN = "***"
SHORTEST_SECRET = 5
"""A secret that is shorter is hidden only where it is a whole word and written as it is, because it occurs in texts by chance."""
_SECRET_NAME = re.compile(
    r"key$|token|secret|(?:^|[^a-z])sig|signature|auth(?!or)|authori[sz]|pass|pwd|pw$|hash|hmac|jwt|cred|session|^sid$|^k$|^t$"
    r"|^(?:pin|pass|access|auth|invite|otp)?[_-]?code$|^pin$",
    re.IGNORECASE,
)
_LONG = 12
"""From this length on a secret is also found where it is broken over lines."""
_SHORTEST_ENCODED = 6
"""The shortest part of a Base64 or hexadecimal text that is hidden, in characters."""
_MOST_LAYERS = 3
"""How often escapes are decoded: some receivers put JSON into JSON."""
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_ESCAPE = re.compile(
    r"\\u(?:d[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|[0-9a-f]{4})"
    r"|\\x[0-9a-f]{2}"
    r"|\\[!-/:-@\[-`{-~nrt]"
    r"|%[0-7][0-9a-f]|(?:%[89a-f][0-9a-f])+"
    r"|&(?:#x[0-9a-f]{1,6}|#[0-9]{1,7}|[a-z]{2,8});"
)
"""An escape in a text in lower case."""
_INVISIBLE = re.compile(r"[\s\u00ad\u200b-\u200d\u2060\ufeff]+")
_MARKS = {"n": "\n", "r": "\r", "t": "\t"}


def is_secret_name(name: str) -> bool:
    """Return whether the value of a parameter with this name is secret, however short it is."""
    return _SECRET_NAME.search(name) is not None


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return the text with a mark in the place of each of the secrets."""
    return _mask(tuple(secrets)).hide(text)


class _Mask:
    """Knows in which ways some secrets can be written."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        decoded = {_decoded(secret) for secret in secrets}
        words = [re.escape(form) for form in sorted(decoded, key=len, reverse=True) if 0 < len(form) < SHORTEST_SECRET]
        self._words = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)") if words else None
        self._forms = {form for form in decoded if len(form) >= SHORTEST_SECRET}
        self._forms |= {form.replace(" ", "+") for form in self._forms}
        encoded = {each.translate(_LOWER) for secret in secrets for each in (*_base64_of(secret), _hex_of(secret))}
        self._joined_forms = {_joined(form) for form in self._forms if len(form) >= _LONG}
        self._joined_forms |= {form for form in encoded if len(form) >= _SHORTEST_ENCODED}

    def hide(self, text: str) -> str:
        """Return the text with a mark in the place of each secret."""
        plain = _decoded(text)
        joined = _joined(plain)
        has_word = self._words is not None and self._words.search(plain)
        forms = [form for form in self._forms if form in plain]
        joined_forms = [form for form in self._joined_forms if form in joined]
        if not has_word and not forms and not joined_forms:
            return text
        view = _View.of(text)
        found = [*view.places_of(forms), *view.joined().places_of(joined_forms)]
        if self._words is not None:
            found += view.places_like(self._words)
        parts, end = [], 0
        for start, stop in sorted(found):
            if start >= end:
                parts += [text[end:start], HIDDEN]
            end = max(end, stop)
        return "".join((*parts, text[end:]))


_mask = lru_cache(maxsize=64)(_Mask)


class _View:
    """A text as it reads when it is decoded, and which part of the original each of its characters comes from."""

    def __init__(self, text: str, spans: list[tuple[int, int]]) -> None:
        """`spans` has the beginning and the end for each character of the text."""
        self._text = text
        self._spans = spans

    @classmethod
    def of(cls, text: str) -> "_View":
        """Return the view of a text, decoded as by `_decoded`."""
        view = cls(text.translate(_LOWER), [(at, at + 1) for at in range(len(text))])
        for _ in range(_MOST_LAYERS):
            view = view._decoded_once()
        return view

    def _decoded_once(self) -> "_View":
        parts: list[str] = []
        spans: list[tuple[int, int]] = []
        at = 0
        for found in _ESCAPE.finditer(self._text):
            start, end = found.span()
            decoded = _meaning(found)
            parts += (self._text[at:start], decoded)
            spans += self._spans[at:start]
            spans += [(self._spans[start][0], self._spans[end - 1][1])] * len(decoded)
            at = end
        return _View("".join((*parts, self._text[at:])), spans + self._spans[at:])

    def joined(self) -> "_View":
        """Return the view without spaces, line breaks and invisible characters."""
        kept = [at for at, mark in enumerate(self._text) if not _INVISIBLE.match(mark)]
        return _View("".join([self._text[at] for at in kept]), [self._spans[at] for at in kept])

    def places_of(self, forms: Iterable[str]) -> Iterator[tuple[int, int]]:
        """Yield where in the original each of these texts begins and ends."""
        for form in forms:
            at = self._text.find(form)
            while at >= 0:
                yield self._spans[at][0], self._spans[at + len(form) - 1][1]
                at = self._text.find(form, at + 1)

    def places_like(self, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
        """Yield where in the original each match of the pattern begins and ends."""
        for found in pattern.finditer(self._text):
            yield self._spans[found.start()][0], self._spans[found.end() - 1][1]


def _decoded(text: str) -> str:
    """Return the text in lower case with its escapes replaced by what they mean."""
    text = text.lower() if text.isascii() else text.translate(_LOWER)
    for _ in range(_MOST_LAYERS):
        if "\\" not in text and "%" not in text and "&" not in text:
            break
        before, text = text, _ESCAPE.sub(_meaning, text)
        if text == before:
            break
    return text


def _meaning(found: re.Match[str]) -> str:
    escape = found[0]
    if escape[0] == "%":
        decoded = bytes.fromhex(escape.replace("%", "")).decode("utf-8", "replace")
    elif escape[0] == "&":
        import html  # noqa: PLC0415 - its table of names takes half a MiB

        decoded = html.unescape(escape)
    elif len(escape) == 2:
        decoded = _MARKS.get(escape[1], escape[1])
    elif len(escape) <= 6:
        decoded = chr(int(escape.lstrip("\\ux"), 16))
    else:  # a character beyond U+FFFF: two units of UTF-16
        units = int(escape[2:6], 16).to_bytes(2) + int(escape[8:], 16).to_bytes(2)
        decoded = units.decode("utf-16-be", "surrogatepass")
    return decoded.translate(_LOWER)


def _joined(text: str) -> str:
    return "".join(text.split()) if text.isascii() else _INVISIBLE.sub("", text)


def _base64_of(secret: str) -> Iterator[str]:
    """Yield the Base64 text of a secret (RFC 4648, 4 and 5), and what is in that of every longer text with the secret, at three positions."""
    data = secret.encode("utf-8", "surrogatepass")
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data).decode()
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        for form in (encoded[first:last], *((encoded, encoded.rstrip("=")) if before == 0 else ())):
            yield from (form, form.replace("+", "-").replace("/", "_"))


def _hex_of(secret: str) -> str:
    return secret.encode("utf-8", "surrogatepass").hex()
