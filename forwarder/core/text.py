"""Makes texts safe to show, and cuts them to a limit.

Lengths are UTF-16 code units, as Telegram counts them. Discord counts code points (github.com/discord/discord-api-docs/issues/1315),
which are never more.
"""

import re
from collections.abc import Callable
from urllib.parse import quote

_UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters
    "\u2028-\u202e\u2066-\u2069"  # line and paragraph separators, and marks that reverse the direction of text
    "\ud800-\udfff\ufffe\uffff\ufff9-\ufffb]"  # lone surrogates, which UTF-8 cannot encode, and noncharacters
)
_BREAKS = "\r\x0b\x0c\x85\u2028\u2029"
_GLUE = re.compile("[\u0300-\u036f\u200c\u200d\ufe00-\ufe0f\u20d0-\u20ff\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
"""Characters that belong to the one before them: accents, joiners, variants, skin tones, tags."""
_JOINER = "\u200d"
_BLANK_LINES = re.compile(r"\n{3,}")
_WEB = re.compile(
    r"(https?)://((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9](?::[0-9]{1,5})?)"
    r"([/?#].*)?",
    re.IGNORECASE | re.DOTALL,
)
_LOOK_BACK = 120
"""How many characters before the limit are searched for a space. Some scripts have no spaces."""

ELLIPSIS = "…"


def clean(text: str, *, limit: int) -> str:
    """Return the beginning of the text, at most `limit` + 1 characters, without control characters and surplus blank lines.

    The one character more shows `shorten` that the text is longer than the limit.
    """
    text = text[: limit + 1]
    if _UNWANTED.search(text):
        text = _UNWANTED.sub(_replacement, text.replace("\r\n", "\n"))
    if "\n\n\n" in text:
        text = _BLANK_LINES.sub("\n\n", text)
    return text.strip()


def one_line(text: str, *, limit: int) -> str:
    """Return the text on one line, at most `limit` units long."""
    return shorten(" ".join(clean(text, limit=8 * limit).split()), limit=limit)


def _replacement(found: re.Match[str]) -> str:
    mark = found[0]
    if mark in _BREAKS:
        return "\n"
    return "\ufffd" if "\ud800" <= mark <= "\udfff" else ""


def units(text: str) -> int:
    """Return the length in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def split_off(text: str, *, limit: int, escape: Callable[[str], str] = str) -> tuple[str, str]:
    """Return the longest beginning that ends with a word and has at most `limit` units when escaped, and the rest."""
    if len(text) <= limit and units(escape(text)) <= limit:
        return text, ""
    fits, too_long = 0, min(len(text), limit) + 1
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if units(escape(text[:middle])) <= limit:
            fits = middle
        else:
            too_long = middle
    end = _end_of_word(text, fits)
    while end > 0 and units(escape(text[:end])) > limit:  # the escaping may depend on what follows
        end -= 1
    end = end or fits
    return text[:end].rstrip(), text[end:].lstrip()


def _end_of_word(text: str, end: int) -> int:
    """Return where to cut at or before `end`: between words if a space is near, else at least not inside a combined character."""
    if end >= len(text) or text[end].isspace():
        return end
    for at in range(end - 1, max(end - _LOOK_BACK, end // 2), -1):
        if text[at].isspace():
            return at
    for at in range(end, max(end - 16, 0), -1):
        if not _GLUE.match(text, at) and text[at - 1] != _JOINER:
            return at
    return end


def shorten(text: str, *, limit: int, escape: Callable[[str], str] = str) -> str:
    """Return the text, escaped. If that is longer than `limit` units, it ends after a word, with `…`."""
    head, rest = split_off(text, limit=limit, escape=escape)
    if not rest:
        return escape(head)
    head, _ = split_off(text, limit=limit - 1, escape=escape)
    return escape(head) + ELLIPSIS


def web_address(text: str, *, limit: int = 2_000) -> str:
    """Return an `http` or `https` address in the form that the services accept, or nothing. They refuse a message with an odd address."""
    text = text.strip()
    if not text or len(text) > limit:
        return ""
    found = _WEB.fullmatch(text)
    if found is None:
        return ""
    try:
        rest = quote(found[3] or "", safe="!#$%&'*+,/:;=?@~-._")
    except UnicodeEncodeError:
        return ""
    address = f"{found[1].lower()}://{found[2].lower()}{rest}"
    return address if len(address) <= limit else ""
