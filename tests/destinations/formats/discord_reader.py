"""What Discord's Markdown makes of a text: a model of its known rules, and not of our code.

Clients differ in what they take for a link: any `http://` with two characters after it, only what is a URL, or nothing. So a text is
read in each of these ways.
"""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

_ESCAPED = re.compile(r"\\[^0-9A-Za-z\s]")
_URL = re.compile(r"(?:https?|steam|discord)://[^\s<]+[^<.,:;\"'\]\s]", re.IGNORECASE)
_MASKED = re.compile(
    r"\[((?:\[[^\]]*\]|[^\[\]]|\](?=[^\[]*\]))*)\]\(\s*<?((?:\([^)]*\)|[^\s\\]|\\.)*?)>?(?:\s+['\"]([\s\S]*?)['\"])?\s*\)"
)
_ANGLES = re.compile(r"<(?:@[!&]?\d+|#\d+|a?:\w+:\d+|t:-?\d+(?::\w)?|/[^>\n]+:\d+|id:\w+|[^: >]+:/[^ >]+)>")
_SPOILER = re.compile(r"\|\|[\s\S]+?\|\|")
_CODE = re.compile(r"(`+)[\s\S]*?[^`]\1(?!`)")


def _is_url(text: str) -> bool:
    try:
        host = urlsplit(text).hostname
    except ValueError:
        return False
    return bool(host) and not re.search(r"[\[\]|\\^`{}()*\s\"<>]", str(host))


_WAYS: tuple[Callable[[str], bool], ...] = (lambda _: True, _is_url, lambda _: False)


def active(text: str) -> set[str]:
    """Return what is not shown as it is written: masked links, mentions, links in angle brackets, spoilers, code."""
    return {part for is_url in _WAYS for part in _read(text, is_url)}


def _read(text: str, is_url: Callable[[str], bool]) -> list[str]:
    found, at = [], 0
    while at < len(text):
        if passed := _ESCAPED.match(text, at):
            at = passed.end()
        elif (url := _URL.match(text, at)) and is_url(url[0]):
            at = url.end()
        elif shown := next(filter(None, (rule.match(text, at) for rule in (_MASKED, _ANGLES, _SPOILER, _CODE))), None):
            found.append(shown[0])
            at = shown.end()
        else:
            at += 1
    return found
