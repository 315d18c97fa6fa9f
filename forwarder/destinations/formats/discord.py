"""Messages for a Discord webhook: embeds, within its limits, and nobody is pinged.

Limits (docs: resources/message, resources/webhook): 10 embeds; title 256, description 4,096, author 256, footer 2,048; 6,000
over all embeds. The texts below add up to less. Embeds that share a `url` are shown as one with up to four pictures.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

import msgspec

from forwarder.core.content import Content
from forwarder.core.delivery import Delivery
from forwarder.core.posts import Post, read_post
from forwarder.core.text import clean, one_line, shorten, units, web_address
from forwarder.destinations.formats import wording

MAX_TEXT = 3_600
MAX_QUOTED = 700
MAX_NAME = 250
MAX_TITLE = 250
MAX_PICTURES = 4
_MAX_ADDRESS = 150
"""Of what stands in the text of an embed beside its own text: the link to the post, or to a video."""

_LINK = re.compile(r"https?://[^\s<>]+")
_MARKUP = re.compile(r"[\\`*_~|\[<]|^([ \t]*)(?=[#>+-])", re.MULTILINE)
"""What Discord's Markdown would act upon: anywhere, and at the beginning of a line."""

_UNKNOWN_WEBHOOK = 10015
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordFormat:
    """Makes the message of a delivery."""

    target: str | None = field(default=None, repr=False)
    """Path and query with `wait=true`, so that a message that was not saved is an error and the answer has its id."""
    username: str = ""
    avatar_url: str = ""

    def __call__(self, delivery: Delivery) -> Content:
        """Return the request's content; the same delivery gives the same."""
        message: dict[str, object] = {
            "embeds": list(_embeds(read_post(delivery.body))),
            "allowed_mentions": {"parse": []},
        }
        if self.username:
            message["username"] = self.username
        if self.avatar_url:
            message["avatar_url"] = self.avatar_url
        return Content(body=_encode(message), target=self.target)

    def receipt(self, answer: bytes) -> str | None:
        """See `Editable`."""
        return message_id(answer)

    def edit(self, content: Content, receipt: str) -> Content:
        """See `Editable`."""
        return edit_of(content, receipt)

    def is_settled(self, status: int, answer: bytes) -> bool:
        """See `Editable`. A 404 may also say that the webhook itself is gone (code 10015): then there is something to see to."""
        return status == 404 and _json_object(answer).get("code") != _UNKNOWN_WEBHOOK


def target_of(path: str, query: str, *, thread_id: str = "") -> str:
    """Return the path and query to post to: those of the URL, `wait=true`, and the thread if one is set."""
    ours = {"wait": "true"} | ({"thread_id": thread_id} if thread_id else {})
    kept = [part for part in query.split("&") if part and part.partition("=")[0] not in ours]
    return f"{path}?{'&'.join([*kept, urlencode(ours)])}"


def message_id(answer: bytes) -> str | None:
    """Return the id of the message that an answer to `wait=true` tells of."""
    id_ = _json_object(answer).get("id")
    return id_ if isinstance(id_, str) and id_.isascii() and id_.isdigit() else None


def _json_object(answer: bytes) -> dict[str, object]:
    try:
        found = msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def edit_of(content: Content, message_id_: str) -> Content:
    """Return the request that makes the message of this id read like `content`, which `DiscordFormat` made for a real URL."""
    if content.target is None:
        raise ValueError("the content has no target to edit at")
    path, _, query = content.target.partition("?")
    kept = urlencode([(name, value) for name, value in parse_qsl(query) if name == "thread_id"])
    message: dict[str, object] = msgspec.json.decode(content.body)
    body = _encode({key: value for key, value in message.items() if key not in {"username", "avatar_url"}})
    return Content(body=body, method="PATCH", target=f"{path}/messages/{message_id_}{'?' if kept else ''}{kept}")


def escape(text: str) -> str:
    """Return the text as Markdown that reads as written; links stay what they are, so that they can be clicked."""
    if "://" not in text:
        return _MARKUP.sub(_escaped, text)
    parts: list[str] = []
    at = 0
    for found in _LINK.finditer(text):
        parts += (_MARKUP.sub(_escaped, text[at : found.start()]), found[0])
        at = found.end()
    return "".join((*parts, _MARKUP.sub(_escaped, text[at:])))


def _escaped(found: re.Match[str]) -> str:
    return f"{found[1]}\\" if found[1] is not None else f"\\{found[0]}"


def _embeds(post: Post) -> Iterator[dict[str, object]]:
    link = web_address(post.link)
    text = shorten(clean(wording.own_text(post), limit=MAX_TEXT), limit=MAX_TEXT, escape=escape)
    embed: dict[str, object] = {"author": _author(post, wording.manner(post)), "color": wording.colour(post)}
    to_post = _to_post(post, link)
    if title := one_line(post.title, limit=MAX_TITLE):
        embed["title"] = shorten(title, limit=MAX_TITLE, escape=escape)
    elif link and not to_post:
        embed["title"] = wording.opener(post)
    if link:
        embed["url"] = link
    below = " · ".join(filter(None, (to_post, *_videos(post), wording.missing_media(post))))
    embed["description"] = "\n\n".join(filter(None, (text, below))) or "\\-"
    embed["footer"] = {"text": wording.source_name(post)}
    if post.at is not None:
        embed["timestamp"] = post.at.isoformat(timespec="milliseconds")
    pictures = _pictures(post)
    yield embed | _image(pictures[:1])
    if link:  # without one they cannot be grouped
        yield from ({"url": link} | _image([picture]) for picture in pictures[1:MAX_PICTURES])
    if post.original is not None:
        yield from _original(post.original, link)


def _original(post: Post, outer_link: str) -> Iterator[dict[str, object]]:
    """Yield the embed of the post that was quoted or passed on."""
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
    yield embed | _image(_pictures(post)[:1])


def _author(post: Post, manner: str) -> dict[str, str]:
    handle = wording.handle(post)
    name = f"{wording.author_name(post)} ({handle})" if handle else wording.author_name(post)
    name = shorten(name, limit=MAX_NAME - units(manner) - 3) if manner else shorten(name, limit=MAX_NAME)
    author = {"name": f"{name} · {manner}" if manner else name}
    if link := web_address(post.author.link):
        author["url"] = link
    if avatar := web_address(post.author.avatar):
        author["icon_url"] = avatar
    return author


def _to_post(post: Post, link: str) -> str:
    return f"[{wording.opener(post)}]({link})" if link and len(link) <= _MAX_ADDRESS else ""


def _videos(post: Post) -> list[str]:
    addresses = [web_address(media.video, limit=_MAX_ADDRESS) for media in post.media]
    return [f"[▶ Video]({address})" for address in addresses if address][:1]


def _pictures(post: Post) -> list[str]:
    return [address for media in post.media if (address := web_address(media.image))]


def _image(pictures: list[str]) -> dict[str, object]:
    return {"image": {"url": pictures[0]}} if pictures else {}
