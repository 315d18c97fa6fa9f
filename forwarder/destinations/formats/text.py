"""Plain texts, for receivers that show what they get: the author, the text, the post that is quoted, and the link."""

import msgspec

from forwarder.core.delivery import Delivery
from forwarder.core.destinations.content import TITLE, Content
from forwarder.core.posts import Post, read_post
from forwarder.core.text import clean, one_line, shorten, web_address
from forwarder.destinations.formats import wording

CONTENT_TYPE = "text/plain; charset=utf-8"
MAX_TEXT = 4_000
MAX_QUOTED = 1_000
MAX_TITLE = 250


class TextFormat(msgspec.Struct, frozen=True, kw_only=True):
    """Renders an event as a plain text."""

    has_title: bool = False
    """Whether the first line, who wrote it, is given apart, for services that show a title."""

    def __call__(self, delivery: Delivery) -> Content:
        """Return the content of the text; equal for equal deliveries."""
        post = read_post(delivery.body)
        title, text = _headline(post), _text(post)
        if self.has_title:
            return Content(body=text.encode(), content_type=CONTENT_TYPE, headers={TITLE: title})
        return Content(body=f"{title}\n\n{text}\n".encode(), content_type=CONTENT_TYPE)


def _headline(post: Post) -> str:
    return shorten(wording.headline(post, wording.author_name(post), str), limit=MAX_TITLE)


def _text(post: Post) -> str:
    parts = [one_line(post.title, limit=MAX_TITLE), _shortened(wording.own_text(post), MAX_TEXT)]
    if post.original is not None:
        said = _shortened(post.original.text, MAX_QUOTED)
        lines = [_headline(post.original), *said.split("\n")] if said else [_headline(post.original)]
        parts.append("\n".join(f"> {line}" for line in lines))
    videos = wording.videos(post)
    parts.append(wording.footer(post, web_address(post.link), videos=videos, linked=_linked, escape=str))
    return "\n\n".join(filter(None, parts))


def _shortened(text: str, limit: int) -> str:
    return shorten(clean(text, limit=limit), limit=limit)


def _linked(shown: str, link: str) -> str:
    return f"{shown}: {link}"
