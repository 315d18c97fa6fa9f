"""Messages for a Telegram bot (`sendMessage`): HTML within 4,096 UTF-16 units after its entities are read.

A picture is shown as the preview of a link and not by `sendPhoto`: the text may be four times as long, and a picture that
Telegram cannot fetch costs the picture and not the message.
"""

import html
import re
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from forwarder.core.content import Content
from forwarder.core.delivery import Delivery
from forwarder.core.posts import Post, read_post
from forwarder.core.text import clean, one_line, shorten, web_address
from forwarder.destinations.formats import wording

MAX_TEXT = 3_200
MAX_TEXT_BESIDE = 2_200
"""Where another post is quoted."""
MAX_QUOTED = 700
MAX_TITLE = 200
_MENTION = re.compile(r"(https?://[\w.-]+\.[A-Za-z]{2,}(?::[0-9]+)?/\S*)|(?<!\w)@(?=\w)")
"""Or a link, which may have an `@` in its path and stays as it is."""
_WORD_JOINER = "\u2060"
"""Invisible: `@name` of another service would call whoever has that name in Telegram."""

LinkPreview = Literal["media", "on", "off"]

_SETTLED = ("message is not modified", "message to edit not found", "message can't be edited")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramFormat:
    """Makes the message of a delivery."""

    target: str | None = field(default=None, repr=False)
    """Path (with the bot's token) and query of `sendMessage`."""
    chat_id: str = field(default="", repr=False)
    """A number, or `@name` of a public channel or group."""
    topic: int | None = None
    silent: bool = False
    link_preview: LinkPreview = "media"
    """`media`: only of pictures of the post; `on`: also of the first link of its text; `off`."""

    def __call__(self, delivery: Delivery) -> Content:
        """Return the request's content; the same delivery gives the same."""
        post = read_post(delivery.body)
        message: dict[str, object] = {
            "chat_id": int(self.chat_id) if self.chat_id.removeprefix("-").isdigit() else self.chat_id,
            "text": _text(post),
            "parse_mode": "HTML",
            "link_preview_options": self._preview(post),
        }
        if self.topic is not None:
            message["message_thread_id"] = self.topic
        if self.silent:
            message["disable_notification"] = True
        return Content(body=_encode(message), target=self.target)

    def receipt(self, answer: bytes) -> str | None:
        """See `Editable`."""
        return message_id(answer)

    def edit(self, content: Content, receipt: str) -> Content:
        """See `Editable`."""
        return edit_of(content, receipt)

    def is_settled(self, status: int, answer: bytes) -> bool:
        """See `Editable`. Telegram says both with a 400, and which only in words."""
        told = str(_json_object(answer).get("description", "")).lower()
        return status == 400 and any(words in told for words in _SETTLED)

    def _preview(self, post: Post) -> dict[str, object]:
        picture = next(filter(None, (_picture(post), _picture(post.original))), "")
        if picture and self.link_preview != "off":
            return {"url": picture, "prefer_large_media": True}
        return {"is_disabled": self.link_preview != "on"}


def target_of(path: str, query: str) -> tuple[str, str]:
    """Return the path and query of `sendMessage` for a URL that ends with the bot's token or with the method, and the chat in it.

    The chat's id, where the query has one, goes into the body, and so out of the query.
    """
    parameters = [part for part in query.split("&") if part]
    chats = [part.partition("=")[2] for part in parameters if part.startswith("chat_id=")]
    kept = "&".join(part for part in parameters if not part.startswith("chat_id="))
    bare = path.rstrip("/")
    if bare.lower().endswith("/sendmessage"):
        bare = bare[: -len("/sendmessage")]
    return f"{bare}/sendMessage{'?' if kept else ''}{kept}", chats[-1].replace("%40", "@") if chats else ""


def message_id(answer: bytes) -> str | None:
    """Return the id of the message that an answer of `sendMessage` tells of."""
    result = _json_object(answer).get("result")
    id_ = result.get("message_id") if isinstance(result, dict) else None
    return str(id_) if isinstance(id_, int) and not isinstance(id_, bool) and id_ > 0 else None


def _json_object(answer: bytes) -> dict[str, object]:
    try:
        found = msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def edit_of(content: Content, message_id_: str) -> Content:
    """Return the request that makes the message of this id read like `content`, which `TelegramFormat` made for a real URL."""
    if content.target is None:
        raise ValueError("the content has no target to edit at")
    path, question, query = content.target.partition("?")
    message: dict[str, object] = msgspec.json.decode(content.body)
    kept = {key: value for key, value in message.items() if key not in {"message_thread_id", "disable_notification"}}
    target = f"{path.removesuffix('sendMessage')}editMessageText{question}{query}"
    return Content(body=_encode(kept | {"message_id": int(message_id_)}), target=target)


def escape(text: str) -> str:
    """Return the text as Telegram's HTML, with mentions that call nobody."""
    return html.escape(_quiet(text), quote=False)


def _quiet(text: str) -> str:
    return _MENTION.sub(lambda found: found[1] or f"@{_WORD_JOINER}", text) if "@" in text else text


def _shortened(text: str, limit: int) -> str:
    """Return the text as HTML, cut where it shows more than `limit` units: entities count as what they stand for."""
    return html.escape(shorten(clean(text, limit=limit), limit=limit, escape=_quiet), quote=False)


def _text(post: Post) -> str:
    link = web_address(post.link)
    parts = [_headline(post)]
    if title := one_line(post.title, limit=MAX_TITLE):
        parts.append(_linked(f"<b>{escape(title)}</b>", link))
    parts.append(_shortened(wording.own_text(post), MAX_TEXT if post.original is None else MAX_TEXT_BESIDE))
    if post.original is not None:
        parts.append(_original(post.original))
    parts.append(_below(post, link))
    return "\n\n".join(filter(None, parts))


def _headline(post: Post) -> str:
    who = _linked(f"<b>{escape(wording.author_name(post))}</b>", web_address(post.author.link))
    beside, manner = escape(wording.handle(post)), escape(wording.manner(post))
    return who + (f" {beside}" if beside else "") + (f" · {manner}" if manner else "")


def _original(post: Post) -> str:
    text = _shortened(post.text, MAX_QUOTED)
    link = web_address(post.link)
    opener = f"\n{_linked(wording.opener(post), link)}" if link else ""
    said = f"\n{text}" if text else ""
    return f"<blockquote>{_headline(post)}{said}{opener}</blockquote>"


def _below(post: Post, link: str) -> str:
    videos = [address for media in post.media if (address := web_address(media.video))]
    parts = (
        f"{wording.mark(post)} {escape(wording.source_name(post))}",
        wording.clock(post.at),
        _linked(wording.opener(post), link) if link else "",
        _linked("▶ Video", videos[0]) if videos else "",
        wording.missing_media(post),
    )
    return " · ".join(filter(None, parts))


def _linked(shown: str, link: str) -> str:
    return f'<a href="{html.escape(link)}">{shown}</a>' if link else shown


def _picture(post: Post | None) -> str:
    return next((address for media in post.media if (address := web_address(media.image))), "") if post else ""
