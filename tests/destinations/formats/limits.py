"""What the services take, written from their documentation and not from our code: each check raises `AssertionError`."""

import html
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import msgspec

from tests.destinations.formats.telegram_reader import mentions

_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+\.[A-Za-z0-9-]{2,}(:[0-9]+)?([/?#][\x21-\x7e]*)?")


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def read(body: bytes) -> dict[str, Any]:
    """The body is JSON in UTF-8, by a strict reader."""
    message = msgspec.json.decode(body)
    assert isinstance(message, dict)
    assert message == json.loads(body.decode("utf-8"))
    for text in texts(message):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text), "acts upon what follows"
    return message


def texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for below in value.values():
                yield from texts(below)
        case list():
            for below in value:
                yield from texts(below)


def _address(text: str) -> None:
    assert _ADDRESS.fullmatch(text), "not well formed"
    assert len(text) <= 2048


def discord(body: bytes) -> dict[str, Any]:
    message = read(body)
    assert set(message) <= {"embeds", "allowed_mentions", "username", "avatar_url", "content"}
    assert message["allowed_mentions"] == {"parse": []}
    assert 1 <= len(message["embeds"]) <= 10
    total = 0
    for embed in message["embeds"]:
        assert set(embed) <= {"author", "color", "title", "url", "description", "footer", "timestamp", "image"}
        counted = (
            (embed.get("author", {}).get("name"), 256),
            (embed.get("title"), 256),
            (embed.get("description"), 4096),
            (embed.get("footer", {}).get("text"), 2048),
        )
        for text, limit in counted:
            if text is not None:
                assert text.strip()
                assert units(text) <= limit
                total += units(text)
        addresses = (
            embed.get("url"),
            embed.get("author", {}).get("url"),
            embed.get("author", {}).get("icon_url"),
            embed.get("image", {}).get("url"),
        )
        for address in filter(None, addresses):
            _address(address)
        assert embed.get("description") or embed.get("image") or embed.get("author"), "an empty embed is refused"
        assert 0 <= embed.get("color", 0) <= 0xFFFFFF
    assert total <= 6000
    return message


def slack(body: bytes) -> dict[str, Any]:
    message = read(body)
    assert message["text"].strip()
    assert units(message["text"]) <= 4000
    assert 1 <= len(message["blocks"]) <= 50
    counted = 0
    for block in message["blocks"]:
        match block:
            case {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}:
                assert 1 <= units(text) <= 3000
                counted += units(text)
                _mrkdwn(text)
            case {"type": "image", "image_url": address, "alt_text": alt}:
                _address(address)
                assert 1 <= units(alt) <= 2000
                counted += units(alt) + len(address)
            case {"type": "context", "elements": elements}:
                assert 1 <= len(elements) <= 10
                for element in elements:
                    if element["type"] == "image":
                        _address(element["image_url"])
                        assert 1 <= units(element["alt_text"]) <= 2000
                        counted += units(element["alt_text"]) + len(element["image_url"])
                    else:
                        assert element["verbatim"] is True
                        assert 1 <= units(element["text"]) <= 3000
                        counted += units(element["text"])
                        _mrkdwn(element["text"])
            case _:
                raise AssertionError(block["type"])
    assert counted <= 13_000
    return message


def _mrkdwn(text: str) -> None:
    """Every `<…>` is a link of ours, and nothing else is special."""
    rest = re.sub(r"<https?://[^\s<>|]+(\|[^<>|]*)?>", "", text)
    assert "<" not in rest
    assert not re.search(r"(?m)(?<!^)>", rest), "a bare > away from the beginning of a line"
    assert not re.search(r"&(?!amp;|lt;|gt;)", rest)


class _Html(HTMLParser):
    """Telegram's HTML: these tags, properly nested, and no others."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.open: list[str] = []
        self.text = ""
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"b", "a", "blockquote"}
        assert tag != "blockquote" or "blockquote" not in self.open, "they cannot be nested"
        if tag == "a":
            ((name, value),) = attrs
            assert name == "href"
            assert value is not None
            self.links.append(value)
        else:
            assert not attrs
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        assert "<" not in data
        self.text += data

    def handle_entityref(self, name: str) -> None:
        assert name in {"lt", "gt", "amp", "quot"}, "Telegram knows no others"
        self.text += html.unescape(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.text += html.unescape(f"&#{name};")


def telegram(body: bytes) -> dict[str, Any]:
    message = read(body)
    assert message["parse_mode"] == "HTML"
    assert message["chat_id"]
    parser = _Html()
    parser.feed(message["text"])
    parser.close()
    assert not parser.open
    assert 1 <= units(parser.text.strip()) <= 4096
    assert not mentions(parser.text), "calls somebody"
    for link in parser.links:
        _address(link)
    if "url" in message["link_preview_options"]:
        _address(message["link_preview_options"]["url"])
    return message


CHECKS = {"discord": discord, "slack": slack, "telegram": telegram}
