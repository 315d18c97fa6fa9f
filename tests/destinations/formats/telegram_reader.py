"""Which mentions Telegram finds in a text: a model of what TDLib does, from reading td/telegram/MessageEntity.cpp, and not from our code.

It knows mentions, hashtags, bot commands and links, because each of them may cover another one. The one that begins first wins.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator

_REMOVED = re.compile("[\x00-\x08\x0b-\x1f\u202a-\u202e\u030a\u0333\u033f]")
_TRAILING = ".:;,('?!`"
_MENTION = re.compile(r"@([A-Za-z0-9_]+)")
_COMMAND = re.compile(r"/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?")
_HASHTAG = re.compile(r"#\w{1,256}")
_PORT = re.compile(r":0*([1-9][0-9]{0,4})(?![0-9])")

Span = tuple[int, int]


def mentions(text: str) -> list[str]:
    """Return the names that Telegram would notify."""
    text = _REMOVED.sub("", text.replace("\t", " "))
    found = [(span, 0) for span in _links(text)]
    found += [(span, 0) for pattern in (_COMMAND, _HASHTAG) for span in _marked(text, pattern)]
    found += [(span, 1) for span in _marked(text, _MENTION) if 4 <= span[1] - span[0] <= 33]
    shown, end = [], 0
    for (start, stop), is_mention in sorted(found):
        if start >= end:
            end = stop
            shown += [text[start:stop]] if is_mention else []
    return shown


def _is_word(mark: str) -> bool:
    return mark == "_" or unicodedata.category(mark) in {"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No"}


def _marked(text: str, pattern: re.Pattern[str]) -> Iterator[Span]:
    for found in pattern.finditer(text):
        start, end = found.span()
        before, after = text[start - 1 : start], text[end : end + 1]
        if not (before and (_is_word(before) or (pattern is _COMMAND and before in "/<>"))) and not (
            after and _is_word(after)
        ):
            yield found.span()


def _is_plain(mark: str) -> bool:
    if "\u2000" <= mark <= "\u206f":
        return mark in "\u200c\u200d" or "\u2010" <= mark <= "\u2015"
    return not unicodedata.category(mark).startswith("Z")


def _in_path(mark: str) -> bool:
    return mark not in '\n<>"«»' and _is_plain(mark)


def _in_user(mark: str) -> bool:
    return mark not in "\n/[]{}()'`<>\"@«»" and _is_plain(mark)


def _in_host(mark: str) -> bool:
    return _is_plain(mark) if mark >= "\xc0" else mark in ".~-_" or (mark.isascii() and mark.isalnum())


def _in_scheme(mark: str) -> bool:
    return (mark.isalnum() or mark in "+-") if mark.isascii() else not unicodedata.category(mark).startswith("Z")


def _leftwards(text: str, at: int, first: int, fits: Callable[[str], bool]) -> int:
    while at > first and fits(text[at - 1]):
        at -= 1
    return at


def _rightwards(text: str, at: int, fits: Callable[[str], bool]) -> int:
    while at < len(text) and fits(text[at]):
        at += 1
    return at


def _links(text: str) -> Iterator[Span]:
    """Yield the links: each begins at the first dot that is left, and takes the host, the path and the scheme around it."""
    first = 0
    while (dot := text.find(".", first)) >= 0:
        host = _leftwards(text, dot, first, _in_host)
        host_end = _rightwards(text, dot, lambda mark: mark == "@" or _in_host(mark))
        has_at = "@" in text[dot:host_end]
        if has_at:
            host = _leftwards(text, host, first, _in_user)
        end = host_end
        port = _PORT.match(text, end)
        if port and int(port[1]) <= 65_535:
            end = port.end()
        if text[end : end + 1] in {"/", "?", "#"}:
            path_end = _rightwards(text, end + 1, _in_path)
            while path_end > end + 1 and text[path_end - 1] in _TRAILING:
                path_end -= 1
            if text[end] == "/" or path_end > end + 1:
                end = path_end
        while end > dot + 1 and text[end - 1] == ".":
            end -= 1
        start = _start(text, host, first, has_at=has_at)
        if start is None:
            end = text.rindex(".", first, max(end, dot + 1)) + 1
        elif end > dot + 1 and (checked := _checked(text[start:end])):
            yield start, start + checked
        first = max(end, dot + 1)


def _start(text: str, host: int, first: int, *, has_at: bool) -> int | None:
    """Return where the link begins that has its host at `host`, or `None` if there is none."""
    start = host
    if start > first and text[start - 1] == "@":
        user = _leftwards(text, start - 1, first, _in_user)
        if has_at or user == start - 1:
            return None
        start = user
    if start == first:
        return start
    if text[first:start].endswith("://") and start - first >= 6:
        scheme = text[_leftwards(text, start - 3, first, _in_scheme) : start - 3].lower()
        for known, others in (("http", {"shttp"}), ("https", set[str]()), ("ftp", {"tftp", "sftp"})):
            if scheme.endswith(known) and scheme not in others:
                return start - 3 - len(known)
        return None
    return None if _is_word(text[start - 1]) or text[start - 1] in "/#@" else start


def _checked(link: str) -> int:
    """Return how many characters of the link are one, or 0 if its host is none. A link without a scheme is left out: it may be none."""
    found = re.match(r"(?:https?|ftp)://([^/?#]*)", link, re.IGNORECASE)
    if found is None:
        return 0
    end, open_brackets = found.end(), {")": 0, "]": 0, "}": 0}
    while end < len(link):
        if closing := {"(": ")", "[": "]", "{": "}"}.get(link[end]):
            open_brackets[closing] += 1
        elif link[end] in open_brackets:
            open_brackets[link[end]] -= 1
            if open_brackets[link[end]] < 0:
                break
        end += 1
    while end > found.end() and link[end - 1] in _TRAILING:
        end -= 1
    labels = found[1].rpartition("@")[2].partition(":")[0].split(".")
    is_host = (
        len(labels) > 1
        and all(label and len(label.encode()) < 64 and not label.endswith("-") for label in labels)
        and len(labels[-1]) > 1
        and not re.search("[_0-9-]", labels[-1].removeprefix("xn--"))
        and "_" not in labels[-2]
        and ".".join(labels).lower() != "teiegram.org"
    )
    return end if is_host else 0
