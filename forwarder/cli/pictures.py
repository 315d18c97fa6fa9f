"""Messages drawn on a terminal, more or less as Discord, Slack and Telegram show them, and the requests behind them."""

import html
import json
import re
from collections.abc import Iterator
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from forwarder.cli.preview import pretty
from forwarder.core.content import Content
from forwarder.emulator.display import one_line

_TAG = re.compile(r"<(?P<end>/?)(?P<name>b|a|blockquote)(?: href=\"(?P<link>[^\"]*)\")?>")
_SLACK_LINK = re.compile(r"<([^|<>]+)(?:\|([^<>]*))?>")
_DISCORD_LINK = re.compile(r"\[([^\]]+)\]\((https?://[^)]+)\)")
_ESCAPED = re.compile(r"\\([\\`*_~|\[<#>+-])")
_SHOWN_BODY = 20_000
"""Characters of a body that are shown."""


def show(name: str, content: Content, format_: str) -> None:
    """Print one message: its picture, if it is one that we know, and its body."""
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(Rule(Text(name)))
    if picture := _picture(content):
        console.print(picture)
    first = f"{content.method} {content.content_type}, {len(content.body):,} bytes{f', {format_}' if format_ else ''}"
    console.print(Text(first, style="dim"))
    body = pretty(content)
    shown = body[:_SHOWN_BODY] + ("…" if len(body) > _SHOWN_BODY else "")
    console.print(Text(_harmless(shown)), soft_wrap=True)


def _picture(content: Content) -> Group | None:
    try:
        message = json.loads(content.body)
    except (ValueError, RecursionError):
        return None
    match message:
        case {"embeds": [*embeds]}:
            return Group(*map(_embed, embeds))
        case {"blocks": [*blocks]}:
            lines = [line for block in blocks for line in _block(block)]
            return Group(Panel(Text("\n").join(lines), border_style="grey50"))
        case {"parse_mode": "HTML", "text": str(text)}:
            lines = [_html(text)]
            if picture := message.get("link_preview_options", {}).get("url"):
                lines.append(Text(f"🖼  {picture}", style="blue"))
            return Group(Panel(Text("\n\n").join(lines), border_style="cyan"))
        case _:
            return None


def _embed(embed: dict[str, Any]) -> Panel:
    lines = []
    if author := embed.get("author"):
        lines.append(Text(_line(author["name"]), style="bold"))
    if title := embed.get("title"):
        lines.append(Text(_line(_ESCAPED.sub(r"\1", title)), style="bold blue"))
    if description := embed.get("description"):
        lines.append(_linked(_DISCORD_LINK, description, label=1, address=2))
    if image := embed.get("image"):
        lines.append(Text(f"🖼  {image['url']}", style="blue"))
    below = " · ".join(filter(None, (embed.get("footer", {}).get("text"), embed.get("timestamp"))))
    if below:
        lines.append(Text(_line(below), style="dim"))
    return Panel(Text("\n").join(lines), border_style=f"#{embed.get('color', 0x99AAB5):06x}")


def _block(block: dict[str, Any]) -> Iterator[Text]:
    match block:
        case {"type": "context", "elements": [*elements]}:
            texts = [_mrkdwn(element["text"]) for element in elements if element["type"] == "mrkdwn"]
            yield Text(" ").join(texts)
        case {"type": "section", "text": {"text": str(text)}}:
            yield _mrkdwn(text)
        case {"type": "image", "image_url": str(address)}:
            yield Text(f"🖼  {address}", style="blue")


def _mrkdwn(text: str) -> Text:
    return _linked(_SLACK_LINK, text, label=2, address=1)


def _linked(pattern: re.Pattern[str], text: str, *, label: int, address: int) -> Text:
    """Return the text with its links as a terminal shows them."""
    shown, at = Text(), 0
    for found in pattern.finditer(text):
        shown.append(_plain(text[at : found.start()]))
        shown.append(_plain(found[label] or found[address]), style=f"blue link {found[address]}")
        at = found.end()
    return shown.append(_plain(text[at:]))


def _plain(text: str) -> str:
    return _harmless(html.unescape(_ESCAPED.sub(r"\1", text)))


def _html(text: str) -> Text:
    shown, at = Text(), 0
    styles: list[str] = []
    for found in _TAG.finditer(text):
        shown.append(_harmless(html.unescape(text[at : found.start()])), style=" ".join(styles))
        if found["end"]:
            styles.pop()
        else:
            styles.append({"b": "bold", "blockquote": "italic"}.get(found["name"], "blue"))
        at = found.end()
    return shown.append(_harmless(html.unescape(text[at:])))


def _harmless(text: str) -> str:
    """Return the text with nothing in it that acts upon a terminal."""
    return "".join(mark if mark in "\n\t" or mark.isprintable() else "" for mark in text)


def _line(text: str) -> str:
    return one_line(text, width=200)
