"""Messages for a Telegram bot (`sendMessage`): HTML within 4,096 UTF-16 units after its entities are read.

A picture is shown as the preview of a link and not by `sendPhoto`: the text may be four times as long, and a picture that
Telegram cannot fetch costs the picture and not the message.
"""

import html
import re
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import unquote

import msgspec

from forwarder.core.answer_words import json_object
from forwarder.core.delivery import Delivery
from forwarder.core.destinations.content import Content, Correction
from forwarder.core.destinations.service_errors import new_chat_of
from forwarder.core.posts import Post, read_post
from forwarder.core.text import clean, one_line, shorten, web_address
from forwarder.destinations.formats import wording
from forwarder.destinations.formats.editing import message_to_edit

MAX_TEXT = 3_200
MAX_TEXT_WITH_ORIGINAL = 2_200
"""The limit for the text of a post that is shown together with another post."""
MAX_QUOTED = 700
MAX_TITLE = 200
_LINK = (
    r"(?<![^ \n])[\"'(\[{“]*"  # at the beginning of a word; a dot, a `/` or a `#` before it could belong to another entity
    r"(?i:https?)://(?!(?i:teiegram\.org))"  # a host that Telegram takes for a fraud and for no link
    r"(?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?|[^\W_\x80-\xbf]{1,15})\.)+"  # 63 bytes, in UTF-8
    r"(?:[A-Za-z]{2,63}|xn--[A-Za-z0-9]{2,59}|[^\W\d_\x80-\xbf]{2,15})"
    r"(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?[/?#]"
    r"[\w!#$%&'(*+,./:;=?@\[^`{|~-]*"
)
_MENTION = re.compile(rf"({_LINK})|(?<![A-Za-z0-9_])@(?![ \n]|\Z)")
"""An `@` that may begin a mention; or, in the first group, a link, whose path may contain an `@` that is left as it is.

TDLib, with which Telegram reads a message, makes a mention of every `@name` that follows no letter, digit or `_`, and that is not
part of another entity (td/telegram/MessageEntity.cpp: `find_mentions`, `find_urls`, `fix_url`). A link ends before a space, `<`, `>`,
`"`, `«`, `»`, most of U+2000 to U+206F, and a closing bracket without its opening one. TDLib also removes a few characters before it
looks (`clean_input_string`), so what follows the `@` does not matter here. This pattern finds only what is surely a link: after any
other `@` the invisible character does no harm.
"""
_WORD_JOINER = "\u2060"
"""An invisible character. It keeps an `@name` of another service from mentioning the Telegram user of that name."""

LinkPreview = Literal["media", "on", "off"]

_SETTLED = ("message is not modified", "message to edit not found", "message can't be edited")
"""Parts of the error descriptions after which an edit need not be tried again."""
_REFUSED_PREVIEWS = ("webpage_", "link preview", "link_preview")
"""Parts of the error descriptions of messages whose picture Telegram does not accept."""
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramFormat:
    """Renders an event as a message of a Telegram bot."""

    target: str | None = field(default=None, repr=False)
    """Path and query of `sendMessage`. The path contains the bot's token."""
    chat_id: str = field(default="", repr=False)
    """The chat: a number, or the `@name` of a public channel or group."""
    topic: int | None = None
    """The topic of a group to post to."""
    silent: bool = False
    """Whether the message makes no sound at the receiver."""
    link_preview: LinkPreview = "media"
    """Which previews are shown. `media`: pictures of the post. `on`: also the first link of its text. `off`: none."""
    pictures: bool = True
    """Whether previews may be pictures of the post."""

    def __call__(self, delivery: Delivery) -> Content:
        """Return the content of a new message; equal for equal deliveries."""
        post = read_post(delivery.body)
        if not self.pictures:
            post = wording.without_pictures(post)
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
        """See `Editable`. The receipt is the id of the message."""
        result = json_object(answer).get("result")
        id_ = result.get("message_id") if isinstance(result, dict) else None
        return str(id_) if isinstance(id_, int) and not isinstance(id_, bool) and id_ > 0 else None

    def edit(self, content: Content, receipt: str) -> Content:
        """See `Editable`. The content must have a target."""
        path, query, message = message_to_edit(content, without={"message_thread_id", "disable_notification"})
        target = f"{path.removesuffix('sendMessage')}editMessageText{'?' if query else ''}{query}"
        return Content(body=_encode(message | {"message_id": int(receipt)}), target=target)

    def is_settled(self, status: int, answer: bytes) -> bool:
        """See `Editable`. Telegram answers with a 400 and explains the cause only in words."""
        description = str(json_object(answer).get("description", "")).lower()
        return status == 400 and any(words in description for words in _SETTLED)

    def correction(self, status: int, answer: bytes) -> Correction | None:
        """See `Correctable`. A group that became a supergroup has another number, which the answer names."""
        said = json_object(answer)
        if said.get("ok") is not False:
            return None
        if (chat_id := new_chat_of(answer)) and chat_id != self.chat_id:
            return Correction(
                format_=replace(self, chat_id=chat_id),
                how=f"to chat {chat_id}, which the group is now",
                new_address=f"chat_id: {chat_id}",
            )
        description = str(said.get("description", "")).lower()
        if status == 400 and self.pictures and any(words in description for words in _REFUSED_PREVIEWS):
            return Correction(format_=replace(self, pictures=False), how="without pictures")
        return None

    def _preview(self, post: Post) -> dict[str, object]:
        picture = next(filter(None, (_picture(post), _picture(post.original))), "")
        if picture and self.link_preview != "off":
            return {"url": picture, "prefer_large_media": True}
        return {"is_disabled": self.link_preview != "on"}


def target_of(path: str, query: str) -> tuple[str, str]:
    """Return the path and query of `sendMessage`, and the chat that the URL names, if any.

    The URL may end with the bot's token or with the method. The chat's id is removed from the query, because it goes into the body.
    """
    parameters = query.split("&")
    chats = [part.partition("=")[2] for part in parameters if part.startswith("chat_id=")]
    kept = "&".join(part for part in parameters if not part.startswith("chat_id="))
    bare = path.rstrip("/")
    if bare.lower().endswith("/sendmessage"):
        bare = bare[: -len("/sendmessage")]
    return f"{bare}/sendMessage{'?' if kept else ''}{kept}", unquote(chats[-1]) if chats else ""


def escape(text: str) -> str:
    """Return the text as Telegram's HTML, with mentions that notify nobody."""
    return html.escape(_quiet(text), quote=False)


def _quiet(text: str) -> str:
    return _MENTION.sub(lambda found: found[1] or f"@{_WORD_JOINER}", text) if "@" in text else text


def _shortened(text: str, limit: int) -> str:
    """Return the text as HTML that shows at most `limit` units. An entity such as `&amp;` counts as the one character that it shows."""
    return html.escape(shorten(clean(text, limit=limit), limit=limit, escape=_quiet), quote=False)


def _text(post: Post) -> str:
    link = web_address(post.link)
    parts = [wording.headline(post, _author(post), escape)]
    if title := one_line(post.title, limit=MAX_TITLE):
        parts.append(_linked(f"<b>{escape(title)}</b>", wording.link_under(title, link)))
    parts.append(_shortened(wording.own_text(post), MAX_TEXT if post.original is None else MAX_TEXT_WITH_ORIGINAL))
    if post.original is not None:
        parts.append(_original(post.original))
    parts.append(wording.footer(post, link, videos=wording.videos(post), linked=_linked, escape=escape))
    return "\n\n".join(filter(None, parts))


def _author(post: Post) -> str:
    name = wording.author_name(post)
    return _linked(f"<b>{escape(name)}</b>", wording.link_under(name, web_address(post.author.link)))


def _original(post: Post) -> str:
    text = _shortened(post.text, MAX_QUOTED)
    link = web_address(post.link)
    opener = f"\n{_linked(wording.opener(post), link)}" if link else ""
    said = f"\n{text}" if text else ""
    return f"<blockquote>{wording.headline(post, _author(post), escape)}{said}{opener}</blockquote>"


def _linked(shown: str, link: str) -> str:
    return f'<a href="{html.escape(link)}">{shown}</a>' if link else shown


def _picture(post: Post | None) -> str:
    return next(iter(wording.pictures(post)), "") if post else ""
