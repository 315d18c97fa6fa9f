"""What a receiver says about an error, in few characters: the message of a JSON body, the title of a page, or the text itself."""

import re

import msgspec

MAX_WORDS = 200
"""The longest text that is returned, in characters."""
_MESSAGE_KEYS = ("description", "error_description", "message", "errmsg", "msg", "detail", "reason", "title", "error")
"""The keys that services use for a message: Telegram, OAuth 2.0, Discord, DingTalk, Feishu, RFC 9457, Slack."""
_CODE_KEYS = ("code", "errcode", "StatusCode", "error_code")
_MORE_KEYS = frozenset({"errors", "details", "fields"})
"""Keys whose values say more than the message, such as Discord's `errors` beside "Invalid Form Body"."""
_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)
_PAGE = re.compile(r"\s*<(?:!doctype|html|head|body)\b", re.IGNORECASE)
_UNREADABLE_SHARE = 0.1


def words_of(text: str) -> str:
    """Return what the beginning of a body says, on one line; nothing for a body that is empty or no text."""
    if not text or text.count("\N{REPLACEMENT CHARACTER}") > len(text) * _UNREADABLE_SHARE:
        return ""
    if _PAGE.match(text):
        found = _TITLE.search(text)
        return _shortened(found[1]) if found else ""
    return _shortened((_message(text) if text.lstrip().startswith("{") else "") or text)


def json_object(body: bytes | str) -> dict[str, object]:
    """Return the JSON object of a body; an empty one if the body is anything else."""
    found = _decoded(body)
    return found if isinstance(found, dict) else {}


def is_whole_json(body: bytes) -> bool:
    """Return whether a body is a whole JSON object or array: nothing that follows can belong to it."""
    # The last character says it at once of most bodies that are not complete.
    return body.rstrip().endswith((b"}", b"]")) and isinstance(_decoded(body), dict | list)


def _decoded(body: bytes | str) -> object:
    """Return the value of a JSON text; `None` if it is none."""
    try:
        found: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return found


def _message(text: str) -> str:
    """Return the message in a JSON object, with its code; nothing if there is none, or if other keys say more."""
    found = json_object(text)
    if isinstance(below := found.get("error"), dict):  # as Google's APIs do
        found = below
    if _MORE_KEYS & found.keys():
        return ""
    message = next((said for key in _MESSAGE_KEYS if isinstance(said := found.get(key), str) and said.strip()), "")
    code = next((code for key in _CODE_KEYS if isinstance(code := found.get(key), int)), None)
    return f"{message} ({code})" if message and code is not None and code > 999 else message


def _shortened(text: str) -> str:
    words = " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
    return words if len(words) <= MAX_WORDS else f"{words[: MAX_WORDS - 1]}…"
