"""A short view of an event for people: source, author and one harmless line of text. Rules do not use it."""

import unicodedata
from dataclasses import dataclass

import msgspec

from forwarder.core.cut_frame import read_cut
from forwarder.core.event import event_text

_JOINERS = "\u200c\u200d"
"""Invisible characters that emoji and several scripts need."""
_STYLES = {
    "x": "cyan",
    "fast-x": "bright_cyan",
    "telegram": "blue",
    "discord": "magenta",
    "rss": "yellow",
    "web": "green",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """Holds what one line shows of an event; `source` is None if the body is not an event."""

    source: str | None
    author: str
    text: str


def glance(body: bytes, *, width: int = 80) -> Glance:
    """Return what to show of a frame or a webhook body; it may have any bytes."""
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Glance(source=None, author="", text=one_line(body[: 4 * width].decode("utf-8", "replace"), width=width))
    if not isinstance(value, dict) or not isinstance(value.get("source"), str):
        return Glance(source=None, author="", text=one_line(body[: 4 * width].decode("utf-8", "replace"), width=width))
    payload = value.get("payload")
    if isinstance(payload, str):  # the shortened JSON of the public stream
        text = event_text(read_cut(payload)) or payload
        return Glance(source=one_line(value["source"], width=20), author="", text=one_line(text, width=width))
    fields = payload if isinstance(payload, dict) else {}
    author = fields.get("author")
    name = author.get("screen_name") if isinstance(author, dict) else None
    shown = f"@{name}" if isinstance(name, str) and name else str(value.get("sid", ""))
    text = event_text(fields) or ""
    return Glance(
        source=one_line(value["source"], width=20), author=one_line(shown, width=30), text=one_line(text, width=width)
    )


def one_line(text: str, *, width: int = 80) -> str:
    """Return the text on one line, cut to `width` characters, without anything that moves a cursor or reverses text.

    White space becomes one blank; control characters and lone surrogates become U+FFFD; invisible format characters
    (such as bidirectional marks and overrides) are removed.
    """
    folded = " ".join(text[: 8 * width].split())
    shown = "".join(map(_harmless, folded))
    return shown if len(shown) <= width else shown[: width - 1] + "…"


def source_style(source: str | None) -> str:
    """Return the colour (a rich style) of a source; white for an unknown one."""
    return "white" if source is None else _STYLES.get(source, "white")


def _harmless(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    match unicodedata.category(character):
        case "Cc" | "Cs" | "Cn":
            return "\ufffd"
        case "Cf":
            return character if character in _JOINERS else ""
        case _:
            return character
