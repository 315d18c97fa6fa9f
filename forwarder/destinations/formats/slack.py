"""Messages for a Slack incoming webhook: blocks, within its limits, and nobody is pinged.

Limits (docs.slack.dev: block kit): 50 blocks; text of a section 3,000, of an image 2,000; about 13,200 characters over all
blocks (github.com/slackapi/bolt-js/issues/2509). `verbatim` keeps Slack from making mentions and links of plain text, so links
are written out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from forwarder.core.content import Content
from forwarder.core.delivery import Delivery
from forwarder.core.posts import Post, read_post
from forwarder.core.text import clean, one_line, shorten, split_off, web_address
from forwarder.destinations.formats import wording

MAX_ALL = 12_500
"""Over all blocks, counted as bytes of JSON where it is not the text itself."""
MAX_SECTION = 2_900
MAX_QUOTED = 900
MAX_TITLE = 240
MAX_PICTURES = 4
MAX_FALLBACK = 1_500
_MAX_ADDRESS = 300
"""Units of each address, as they count too."""

_LINK = re.compile(r"https?://[^\s<>|]+[^\s<>|.,:;!?'\")\]}]")

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class SlackFormat:
    """Makes the message of a delivery."""

    def __call__(self, delivery: Delivery) -> Content:
        """Return the request's content; the same delivery gives the same."""
        post = read_post(delivery.body)
        message = {
            "text": _fallback(post),
            "blocks": _blocks(post),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        return Content(body=_encode(message))


def escape(text: str) -> str:
    """Return the text with `&`, `<` and `>` as Slack wants them, and its links written out so that they can be clicked."""
    if "://" not in text:
        return _entities(text)
    parts: list[str] = []
    at = 0
    for found in _LINK.finditer(text):
        parts += (_entities(text[at : found.start()]), f"<{_entities(found[0])}>")
        at = found.end()
    return "".join((*parts, _entities(text[at:])))


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _blocks(post: Post) -> list[dict[str, object]]:
    link = _address(post.link)
    above = [_context(*_avatar(post), _mrkdwn(_headline(post)))]
    if title := one_line(post.title, limit=MAX_TITLE):
        shown = _plain(title, limit=MAX_TITLE)
        above.append(_section(f"*<{_entities(link)}|{shown}>*" if link else f"*{shown}*"))
    below = list(_pictures(post, MAX_PICTURES))
    if post.original is not None:
        below += _original(post.original)
    below.append(_context(_mrkdwn(_below(post, link))))
    room = MAX_ALL - len(_encode((above, below)))
    return [*above, *map(_section, _parts(clean(wording.own_text(post), limit=room), room)), *below]


def _original(post: Post) -> Iterator[dict[str, object]]:
    """Yield the post that was quoted or passed on, each line with Slack's sign of a quotation."""
    text = shorten(clean(post.text, limit=MAX_QUOTED), limit=MAX_QUOTED, escape=escape)
    lines = [_headline(post), *text.split("\n")] if text else [_headline(post)]
    quoted = "\n".join(f">{line}" for line in lines[:100])
    yield _section(quoted if len(lines) <= 100 else f"{quoted}\n>…")
    yield from _pictures(post, 1)


def _parts(text: str, room: int) -> Iterator[str]:
    """Yield the text as sections of whole words, in all at most `room` units long; of a longer one the last ends with `…`."""
    while text:
        if room <= MAX_SECTION:
            yield shorten(text, limit=room, escape=escape)
            return
        head, text = split_off(text, limit=MAX_SECTION, escape=escape)
        yield escape(head)
        room -= MAX_SECTION


def _headline(post: Post) -> str:
    """Return who, with what it is in relation to another post."""
    name, link = _plain(wording.author_name(post), limit=wording.MAX_NAME), _address(post.author.link)
    who = f"*<{_entities(link)}|{name}>*" if link else f"*{name}*"
    beside = shorten(wording.handle(post), limit=wording.MAX_NAME, escape=_entities)
    manner = shorten(wording.manner(post), limit=wording.MAX_NAME + 20, escape=_entities)
    return who + (f" {beside}" if beside else "") + (f" · {manner}" if manner else "")


def _plain(text: str, *, limit: int) -> str:
    """Return a text to stand within `*…*` and `<…|…>`."""
    harmless = text.replace("*", "\N{ASTERISK OPERATOR}").replace("|", "\N{BROKEN BAR}")
    return shorten(harmless, limit=limit, escape=_entities)


def _below(post: Post, link: str) -> str:
    source = f"{wording.mark(post)} {_entities(wording.source_name(post))}"
    videos = [address for media in post.media if (address := _address(media.video))]
    parts = (
        source,
        wording.clock(post.at),
        f"<{_entities(link)}|{wording.opener(post)}>" if link else "",
        f"<{_entities(videos[0])}|▶ Video>" if videos else "",
        wording.missing_media(post),
    )
    return " · ".join(filter(None, parts))


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
    """Return what notifications show, and whoever takes Slack's messages without their blocks, as Discord does."""
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
