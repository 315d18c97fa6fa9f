"""Messages for a Discord webhook: embeds, within Discord's limits. They never ping anybody.

Limits (docs: resources/message, resources/webhook): 10 embeds; title 256, description 4,096, author 256, footer 2,048; 6,000
over all embeds. The limits below add up to less. Discord shows embeds that share a `url` as one with up to four pictures.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode

import msgspec

from forwarder.core.answer_words import json_object
from forwarder.core.delivery import Delivery
from forwarder.core.destinations.content import Content, Correction
from forwarder.core.destinations.service_errors import discord_form_errors
from forwarder.core.posts import Post, read_post
from forwarder.core.text import clean, one_line, shorten, units, web_address
from forwarder.destinations.formats import wording
from forwarder.destinations.formats.editing import message_to_edit

MAX_TEXT = 3_600
MAX_QUOTED = 700
MAX_NAME = 250
MAX_TITLE = 250
MAX_PICTURES = 4
_MAX_ADDRESS = 150
"""Characters of a link, to the post or to a video, that is added to the text of an embed."""

_LINK = re.compile(r"https?://\w(?:[\w.-]*\w)?(?::[0-9]{1,5})?(?![^\s<>/?#.,;:!'\")])(?:[/?#][^\s<>]*)?", re.IGNORECASE)
_ACTIVE_IN_LINK = str.maketrans({mark: f"%{ord(mark):02X}" for mark in "[]\\|`"})
"""Characters that are no part of a URL (RFC 3986, 2), and that Discord would act upon where it does not see the same link as we do."""
_LINK_BEFORE_ANGLE = re.compile(r"://[^\s<]*<?")
"""What Discord may take for a link up to a `<`: a backslash before the `<` would be read as the last character of that link."""
_MARKUP = re.compile(r"[\\`*_~|\[<]|^([ \t]*)(?=[#>+-])", re.MULTILINE)
"""Characters that Discord's Markdown acts upon: some anywhere, some only at the beginning of a line."""

_UNKNOWN_PLACES = frozenset({10003, 10015})
"""The error codes for a channel and for a webhook that were deleted."""
_PICTURE_KEYS = frozenset({"image", "thumbnail", "icon_url"})
"""The keys of an embed that have to do with pictures."""
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordFormat:
    """Renders an event as a message for a Discord webhook."""

    target: str | None = field(default=None, repr=False)
    """Path and query of the webhook. They contain `wait=true`: the answer then has the message's id, or is an error if it was not saved."""
    username: str = ""
    """The name shown as the sender; empty for the webhook's own."""
    avatar_url: str = ""
    """The picture shown for the sender; empty for the webhook's own."""
    thread_name: str = ""
    """The name of the post that each message becomes in a forum; empty for a channel that is no forum."""
    pictures: bool = True
    """Whether the message shows pictures of the post."""

    def __call__(self, delivery: Delivery) -> Content:
        """Return the content of a new message; equal for equal deliveries."""
        post = read_post(delivery.body)
        if not self.pictures:
            post = wording.without_pictures(post)
        message: dict[str, object] = {
            "embeds": list(_embeds(post)),
            "allowed_mentions": {"parse": []},
        }
        if self.username:
            message["username"] = self.username
        if self.avatar_url:
            message["avatar_url"] = self.avatar_url
        if self.thread_name:
            message["thread_name"] = self.thread_name
        return Content(body=_encode(message), target=self.target)

    def receipt(self, answer: bytes) -> str | None:
        """See `Editable`. The receipt is the id of the message."""
        id_ = json_object(answer).get("id")
        return id_ if isinstance(id_, str) and id_.isascii() and id_.isdigit() else None

    def edit(self, content: Content, receipt: str) -> Content:
        """See `Editable`. The content must have a target. The thread of a forum post has the id of its first message."""
        path, query, message = message_to_edit(content, without={"username", "avatar_url", "thread_name"})
        thread = [(name, value) for name, value in parse_qsl(query) if name == "thread_id"]
        kept = urlencode([("thread_id", receipt)] if self.thread_name else thread)
        target = f"{path}/messages/{receipt}{'?' if kept else ''}{kept}"
        return Content(body=_encode(message), method="PATCH", target=target)

    def is_settled(self, status: int, answer: bytes) -> bool:
        """See `Editable`. A 404 may also mean that the webhook or the channel was deleted, which a person must fix."""
        return status == 404 and json_object(answer).get("code") not in _UNKNOWN_PLACES

    def correction(self, status: int, answer: bytes) -> Correction | None:
        """See `Correctable`. Discord fetches pictures later, but refuses a message with an address that it does not accept."""
        if not self.pictures or status != 400:
            return None
        embeds = discord_form_errors(answer).get("embeds")
        if isinstance(embeds, dict) and not _PICTURE_KEYS & set(_keys_in(embeds)):
            return None
        if not embeds:
            return None
        return Correction(format_=replace(self, pictures=False), how="without pictures")


def _keys_in(errors: dict[str, object]) -> Iterator[str]:
    """Yield the keys in the errors of embeds, two levels deep: by the number of the embed, and within `author`."""
    for embed in errors.values():
        for key, below in embed.items() if isinstance(embed, dict) else ():
            yield key
            yield from below if isinstance(below, dict) else ()


def target_of(path: str, query: str, *, thread_id: str = "") -> str:
    """Return the path and query to send to: those of the URL, `wait=true`, and the thread if one is set."""
    ours = {"wait": "true"} | ({"thread_id": thread_id} if thread_id else {})
    kept = [part for part in query.split("&") if part.partition("=")[0] not in ours] if query else []
    return f"{path}?{'&'.join([*kept, urlencode(ours)])}"


def escape(text: str) -> str:
    """Return the text as Markdown that reads as written. Links can still be clicked; only brackets and the like are percent-encoded."""
    text = _LINK_BEFORE_ANGLE.sub(lambda found: f"{found[0][:-1]} <" if found[0].endswith("<") else found[0], text)
    return wording.escape_around_links(
        text, _LINK, escape=_escape_markup, link=lambda url: url.translate(_ACTIVE_IN_LINK)
    )


def _escape_markup(text: str) -> str:
    return _MARKUP.sub(lambda found: f"{found[1]}\\" if found[1] is not None else f"\\{found[0]}", text)


def _embeds(post: Post) -> Iterator[dict[str, object]]:
    link = web_address(post.link)
    plain_title = one_line(post.title, limit=MAX_TITLE)
    title = shorten(plain_title, limit=MAX_TITLE, escape=escape)
    above = (
        title if link and not wording.link_under(plain_title, link) else ""
    )  # Discord makes a link of an embed's title
    room = MAX_TEXT - units(above)
    text = shorten(clean(wording.own_text(post), limit=room), limit=room, escape=escape)
    embed: dict[str, object] = {"author": _author(post, wording.manner(post)), "color": wording.colour(post)}
    to_post = _to_post(post, link)
    if title and not above:
        embed["title"] = title
    elif link and not to_post:
        embed["title"] = wording.opener(post)
    if link:
        embed["url"] = link
    below = " · ".join(filter(None, (to_post, *_videos(post), wording.missing_media(post))))
    embed["description"] = "\n\n".join(filter(None, (above, text, below))) or "\\-"
    embed["footer"] = {"text": wording.source_name(post)}
    if post.at is not None:
        embed["timestamp"] = post.at.isoformat(timespec="milliseconds")
    pictures = wording.pictures(post)
    yield embed | _image(pictures[:1])
    if link:  # without a link Discord cannot group them
        yield from ({"url": link} | _image([picture]) for picture in pictures[1:MAX_PICTURES])
    if post.original is not None:
        yield from _original(post.original, link)


def _original(post: Post, outer_link: str) -> Iterator[dict[str, object]]:
    """Yield the embed of the post that was quoted or reposted."""
    link = web_address(post.link)
    text = shorten(clean(post.text, limit=MAX_QUOTED), limit=MAX_QUOTED, escape=escape)
    embed: dict[str, object] = {"author": _author(post, ""), "color": wording.colour(post)}
    if link and link != outer_link:
        embed["url"] = link
    if below := " · ".join(filter(None, (_to_post(post, link), *_videos(post)[:1]))):
        text = "\n\n".join(filter(None, (text, below)))
    if text:
        embed["description"] = text
    if post.at is not None:
        embed["timestamp"] = post.at.isoformat(timespec="milliseconds")
    yield embed | _image(wording.pictures(post)[:1])


def _author(post: Post, manner: str) -> dict[str, str]:
    handle = wording.handle(post)
    name = f"{wording.author_name(post)} ({handle})" if handle else wording.author_name(post)
    name = shorten(name, limit=MAX_NAME - units(manner) - 3) if manner else shorten(name, limit=MAX_NAME)
    author = {"name": f"{name} · {manner}" if manner else name}
    if link := wording.link_under(name, web_address(post.author.link)):
        author["url"] = link
    if avatar := web_address(post.author.avatar):
        author["icon_url"] = avatar
    return author


def _to_post(post: Post, link: str) -> str:
    return f"[{wording.opener(post)}]({link})" if link and len(link) <= _MAX_ADDRESS else ""


def _videos(post: Post) -> list[str]:
    return [f"[▶ Video]({address})" for address in wording.videos(post, limit=_MAX_ADDRESS)[:1]]


def _image(pictures: list[str]) -> dict[str, object]:
    return {"image": {"url": pictures[0]}} if pictures else {}
