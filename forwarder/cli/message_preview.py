"""Draws messages on a terminal, much as Discord, Slack and Telegram show them."""

import html
import json
import re
from collections.abc import Iterator
from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from forwarder.cli.output import TerminalOutput
from forwarder.core.counted import counted
from forwarder.core.destinations.content import Content
from forwarder.core.visible import escaped
from forwarder.emulator.glance import one_line

_TAG = re.compile(r"<(?P<end>/?)(?P<name>b|a|blockquote)(?: href=\"(?P<link>[^\"]*)\")?>")
_SLACK_LINK = re.compile(r"<([^|<>]+)(?:\|([^<>]*))?>")
_DISCORD_LINK = re.compile(r"\[([^\]]+)\]\((https?://[^)]+)\)")
_ADDRESS = re.compile(r"https?://[!-~]+")
"""An address that the terminal itself can make a link of. Anything else could end the sequence that makes it one."""
_ESCAPED = re.compile(r"\\([\\`*_~|\[<#>+-])")
_SHOWN_BODY = 20_000
"""How many characters of a body are shown."""


def show(name: str, content: Content, format_: str) -> None:
    """Print one message: drawn, if its service is known, and its body."""
    console = TerminalOutput()
    console.print(Rule(Text(_line(name))))
    if picture := _picture(content):
        console.print(picture)
    first = f"{content.method} {content.content_type}, {counted(len(content.body), 'byte')}{f', {format_}' if format_ else ''}"
    console.print(Text(first, style="dim"))
    for header, value in content.headers.items():
        console.print(Text(escaped(f"{header}: {value}"), style="dim"), soft_wrap=True)
    body = pretty(content)
    shown = body[:_SHOWN_BODY] + ("…" if len(body) > _SHOWN_BODY else "")
    console.print(Text(escaped(shown)), soft_wrap=True)


def _picture(content: Content) -> Group | None:
    """Return the message as its service draws it; `None` for other bodies, and for what a template made of a message."""
    try:
        return _drawn(json.loads(content.body))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None


def _drawn(message: dict[str, Any]) -> Group | None:
    match message:
        case {"embeds": [*embeds]}:
            return Group(*map(_embed, embeds))
        case {"blocks": [*blocks]}:
            lines = [line for block in blocks for line in _block(block)]
            return Group(Panel(Text("\n").join(lines), border_style="grey50"))
        case {"parse_mode": "HTML", "text": str(text)}:
            lines = [_html(text)]
            if picture := message.get("link_preview_options", {}).get("url"):
                lines.append(_image(picture))
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
        lines.append(_image(image["url"]))
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
            yield _image(address)


def _image(address: str) -> Text:
    return Text(f"🖼  {_line(address)}", style="blue")


def _mrkdwn(text: str) -> Text:
    return _linked(_SLACK_LINK, text, label=2, address=1)


def _linked(pattern: re.Pattern[str], text: str, *, label: int, address: int) -> Text:
    """Return the text with its links as a terminal shows them."""
    shown, at = Text(), 0
    for found in pattern.finditer(text):
        shown.append(_plain(text[at : found.start()]))
        link = f" link {found[address]}" if _ADDRESS.fullmatch(found[address]) else ""
        shown.append(_plain(found[label] or found[address]), style=f"blue{link}")
        at = found.end()
    return shown.append(_plain(text[at:]))


def _plain(text: str) -> str:
    return escaped(html.unescape(_ESCAPED.sub(r"\1", text)))


def _html(text: str) -> Text:
    shown, at = Text(), 0
    styles: list[str] = []
    for found in _TAG.finditer(text):
        shown.append(escaped(html.unescape(text[at : found.start()])), style=" ".join(styles))
        if found["end"]:
            styles.pop()
        else:
            styles.append({"b": "bold", "blockquote": "italic"}.get(found["name"], "blue"))
        at = found.end()
    return shown.append(escaped(html.unescape(text[at:])))


def _line(text: str) -> str:
    return one_line(text, width=200)


def pretty(content: Content) -> str:
    """Return a body for people: JSON on several lines, anything else as it is."""
    text = content.body.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
