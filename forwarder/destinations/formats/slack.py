"""Messages for a Slack incoming webhook: blocks, within Slack's limits. They never ping anybody.

Limits (docs.slack.dev: block kit): 50 blocks; text of a section 3,000, of an image 2,000; about 13,200 characters over all
blocks (github.com/slackapi/bolt-js/issues/2509). `verbatim` keeps Slack from making mentions and links of plain text, so links
are written out.
"""

import re
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from forwarder.core.delivery import Delivery
from forwarder.core.destinations.content import Content, Correction
from forwarder.core.posts import Post, read_post
from forwarder.core.text import clean, one_line, shorten, split_off, web_address
from forwarder.destinations.formats import wording

MAX_ALL = 12_500
"""The limit over all blocks. The text counts in units, everything else in bytes of JSON."""
MAX_SECTION = 2_900
MAX_QUOTED = 900
MAX_TITLE = 240
MAX_PICTURES = 4
MAX_FALLBACK = 1_500
_MAX_ADDRESS = 300
"""The longest address; addresses count towards the limit, too."""

_LINK = re.compile(r"https?://[^\s<>|]+[^\s<>|.,:;!?'\")\]}]")

_encode = msgspec.json.Encoder().encode


_REFUSED_BLOCKS = re.compile(rb"invalid_blocks|invalid_attachments|downloading image failed")
"""Errors of a message that Slack cannot show. As all limits are kept, the cause is a picture that Slack cannot fetch."""


class SlackFormat(msgspec.Struct, frozen=True, kw_only=True):
    """Renders an event as a message for a Slack incoming webhook."""

    pictures: bool = True
    """Whether the message shows pictures."""

    def __call__(self, delivery: Delivery) -> Content:
        """Return the content of the message; equal for equal deliveries."""
        post = read_post(delivery.body)
        if not self.pictures:
            post = wording.without_pictures(post)
        message = {
            "text": _fallback(post),
            "blocks": _blocks(post),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        return Content(body=_encode(message))

    def correction(self, status: int, answer: bytes) -> Correction | None:
        """See `Correctable`. Slack refuses the whole message because of one picture that it cannot fetch."""
        if not self.pictures or status >= 500 or not _REFUSED_BLOCKS.search(answer):
            return None
        return Correction(format_=replace(self, pictures=False), how="without pictures")


def escape(text: str) -> str:
    """Return the text with `&`, `<` and `>` as Slack wants them, and with links marked up so that they can be clicked."""
    return wording.escape_around_links(text, _LINK, escape=_entities, link=lambda url: f"<{_entities(url)}>")


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _blocks(post: Post) -> list[dict[str, object]]:
    link = _address(post.link)
    above = [_context(*_avatar(post), _mrkdwn(_headline(post)))]
    if title := one_line(post.title, limit=MAX_TITLE):
        shown = _plain(title, limit=MAX_TITLE)
        above.append(_section(f"*{_linked(shown, wording.link_under(title, link))}*"))
    below = list(_pictures(post, MAX_PICTURES))
    if post.original is not None:
        below += _original(post.original)
    videos = [address for media in post.media if (address := _address(media.video))]
    footer = wording.footer(post, link, videos=videos, linked=_linked, escape=_entities)
    below.append(_context(_mrkdwn(footer)))
    room = MAX_ALL - len(_encode((above, below)))
    return [*above, *map(_section, _parts(clean(wording.own_text(post), limit=room), room)), *below]


def _original(post: Post) -> Iterator[dict[str, object]]:
    """Yield the post that was quoted or reposted, with Slack's quotation mark before each line."""
    text = shorten(clean(post.text, limit=MAX_QUOTED), limit=MAX_QUOTED, escape=escape)
    lines = [_headline(post), *text.split("\n")] if text else [_headline(post)]
    quoted = "\n".join(f">{line}" for line in lines[:100])
    yield _section(quoted if len(lines) <= 100 else f"{quoted}\n>…")
    yield from _pictures(post, 1)


def _parts(text: str, room: int) -> Iterator[str]:
    """Yield the text as sections of whole words, at most `room` units in all. If the text is longer, the last section ends with `…`."""
    while text:
        if room <= MAX_SECTION:
            yield shorten(text, limit=room, escape=escape)
            return
        head, text = split_off(text, limit=MAX_SECTION, escape=escape)
        yield escape(head)
        room -= MAX_SECTION


def _headline(post: Post) -> str:
    name = wording.author_name(post)
    link = wording.link_under(name, _address(post.author.link))
    author = f"*{_linked(_plain(name, limit=wording.MAX_NAME), link)}*"
    return wording.headline(post, author, lambda text: shorten(text, limit=wording.MAX_NAME + 20, escape=_entities))


def _linked(shown: str, link: str) -> str:
    return f"<{_entities(link)}|{shown}>" if link else shown


def _plain(text: str, *, limit: int) -> str:
    """Return a text that can be put within `*…*` and `<…|…>`."""
    harmless = text.replace("*", "\N{ASTERISK OPERATOR}").replace("|", "\N{BROKEN BAR}")
    return shorten(harmless, limit=limit, escape=_entities)


def _pictures(post: Post, count: int) -> Iterator[dict[str, object]]:
    addresses = [address for media in post.media if (address := _address(media.image))]
    for address in addresses[:count]:
        yield {"type": "image", "image_url": address, "alt_text": f"Picture of a post by {wording.author_name(post)}"}


def _avatar(post: Post) -> list[dict[str, object]]:
    address = _address(post.author.avatar)
    return [{"type": "image", "image_url": address, "alt_text": wording.author_name(post)}] if address else []


def _address(text: str) -> str:
    address = web_address(text, limit=_MAX_ADDRESS)
    return address if len(_entities(address)) <= _MAX_ADDRESS else ""


def _fallback(post: Post) -> str:
    """Return the text that notifications show, and programs that accept Slack's messages but ignore their blocks, such as Discord."""
    said = one_line(post.title, limit=MAX_TITLE) or clean(wording.own_text(post), limit=MAX_FALLBACK)
    if not said and post.original is not None:
        said = clean(post.original.text, limit=MAX_FALLBACK)
    manner = wording.manner(post)
    who = f"{wording.author_name(post)}{f' {manner}' if manner else ''}"
    text = f"{who}: {said}" if said else who
    shown = shorten(text, limit=MAX_FALLBACK, escape=_entities)
    link = _address(post.link)
    return f"{shown}\n{_entities(link)}" if link else shown


def _section(text: str) -> dict[str, object]:
    return {"type": "section", "text": _mrkdwn(text)}


def _context(*elements: dict[str, object]) -> dict[str, object]:
    return {"type": "context", "elements": list(elements)}


def _mrkdwn(text: str) -> dict[str, object]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
