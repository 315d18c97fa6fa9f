"""What the messages of all services have in common: names and colours of the sources, the headline, the footer, pictures and links."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec.structs import replace

from forwarder.core.posts import Kind, Post
from forwarder.core.text import one_line, web_address

_NAMES = {"x": "X", "fast-x": "X (fast)", "telegram": "Telegram", "discord": "Discord", "rss": "RSS", "web": "Web"}
_COLOURS = {
    "x": 0x536471,
    "fast-x": 0xFFAD1F,
    "telegram": 0x26A5E4,
    "discord": 0x5865F2,
    "rss": 0xEE802F,
    "web": 0x17BF63,
}
_MARKS = {"x": "⚫", "fast-x": "⚡", "telegram": "🔵", "discord": "🟣", "rss": "🟠", "web": "🟢"}
_LEVEL_COLOURS = {"info": 0x3498DB, "ok": 0x2ECC71, "warning": 0xF1C40F, "error": 0xE74C3C}
_LEVEL_MARKS = {"info": "\N{LARGE BLUE SQUARE}", "ok": "✅", "warning": "⚠️", "error": "❌"}
_OPENERS = {"x": "Open on X", "fast-x": "Open on X", "telegram": "Open in Telegram", "discord": "Open in Discord"}
_PASSED_ON = {"telegram": "forwarded", "discord": "forwarded"}
_SHOWN_HOST = re.compile(
    r"://(?:[^\s/?#]*@)?([^\s/?#:]+)|\bwww\.([^\s/?#:]+)|(?<![\w.@-])((?:[\w-]{1,63}\.)+[^\W\d_]{2,63})(?=/)",
    re.IGNORECASE,
)
"""The host of a web address in a text: after `://` or `www.`, or before a path."""
_HOST = re.compile(r"(?:[\w-]{1,63}\.)+[^\W\d_]{2,63}")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_AROUND_HOST = ".,;:!?'\"()[]<>"
MAX_NAME = 80
"""The longest name, and the longest handle, in UTF-16 code units."""


def source_name(post: Post) -> str:
    """Return the name of the source as people know it. An undocumented source is shown under its own word."""
    return _NAMES.get(post.source) or one_line(post.source, limit=40) or "event"


def opener(post: Post) -> str:
    """Return the text of the link to the post."""
    return _OPENERS.get(post.source, "Open")


def colour(post: Post) -> int:
    """Return the colour of the source, or of a notice's level, as 0xRRGGBB."""
    return _LEVEL_COLOURS.get(post.level) or _COLOURS.get(post.source, 0x99AAB5)


def mark(post: Post) -> str:
    """Return an emoji for the source, or for a notice's level, where messages have no colour."""
    return _LEVEL_MARKS.get(post.level) or _MARKS.get(post.source, "⚪")


def author_name(post: Post) -> str:
    """Return who wrote the post: the name, else the handle, else the channel. Never empty."""
    author = post.author
    if name := one_line(author.name, limit=MAX_NAME):
        return name
    if handle := one_line(author.handle, limit=MAX_NAME):
        return f"@{handle}"
    where = one_line(post.channel or author.id, limit=MAX_NAME)
    return f"{source_name(post)} {where}" if where else source_name(post)


def handle(post: Post) -> str:
    """Return the `@handle` to show after the name, or nothing if `author_name` shows it already."""
    if not one_line(post.author.name, limit=MAX_NAME):
        return ""
    name = one_line(post.author.handle, limit=MAX_NAME)
    return f"@{name}" if name else ""


def manner(post: Post) -> str:
    """Return how the post relates to another one, in a few words, or nothing."""
    match post.kind:
        case Kind.REPOST:
            return _PASSED_ON.get(post.source, "reposted")
        case Kind.REPLY:
            to = one_line(post.reply_to, limit=MAX_NAME)
            return f"replied to @{to}" if to else "replied"
        case Kind.QUOTE:
            return "quoted"
        case Kind.EDIT:
            return "edited"
        case _:
            return ""


def own_text(post: Post) -> str:
    """Return the text to show. A repost that carries the original shows none, because its own text is a shortened copy."""
    return "" if post.kind is Kind.REPOST and post.original is not None and post.original.text else post.text


def missing_media(post: Post) -> str:
    """Return a word for pictures and videos that the event mentions without their addresses."""
    unseen = [media for media in post.media if not (media.image or media.video)]
    if not unseen:
        return ""
    if any(media.is_video for media in unseen):
        return "🎬 video"
    return "📎 attachment" if post.source == "discord" else "🖼 photo"


def without_pictures(post: Post) -> Post:
    """Return the post without the addresses of pictures. The message then has a word in place of them, and links to videos."""
    media = tuple(replace(each, image="") for each in post.media)
    original = None if post.original is None else without_pictures(post.original)
    return replace(post, author=replace(post.author, avatar=""), media=media, original=original)


def clock(at: datetime | None) -> str:
    """Return a time as text, or nothing for `None`."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at is not None else ""


def pictures(post: Post) -> list[str]:
    """Return the addresses of the post's pictures."""
    return [address for media in post.media if (address := web_address(media.image))]


def videos(post: Post, *, limit: int = 2_000) -> list[str]:
    """Return the addresses of the post's videos that have at most `limit` characters."""
    return [address for media in post.media if (address := web_address(media.video, limit=limit))]


def link_under(shown: str, link: str) -> str:
    """Return the link to put under a text; nothing where the text shows a web address of another host than the link opens."""
    shown = _INVISIBLE.sub("", shown)
    hosts = {host for found in _SHOWN_HOST.finditer(shown) for host in found.groups() if host}
    if _HOST.fullmatch(alone := shown.strip(_AROUND_HOST)):
        hosts.add(alone)
    opened = {_bare_host(link.partition("://")[2].partition("/")[0].partition(":")[0])}
    return link if {_bare_host(host) for host in hosts} <= opened else ""


def _bare_host(host: str) -> str:
    return host.strip(_AROUND_HOST).lower().removeprefix("www.")


def headline(post: Post, author: str, escape: Callable[[str], str]) -> str:
    """Return the first line of a message: the author as given, the handle, and how the post relates to another one."""
    shown, relation = escape(handle(post)), escape(manner(post))
    return author + (f" {shown}" if shown else "") + (f" · {relation}" if relation else "")


def footer(
    post: Post, link: str, *, videos: Sequence[str], linked: Callable[[str, str], str], escape: Callable[[str], str]
) -> str:
    """Return the last line of a message: source, time, links to the post and its first video, and a word for missing media.

    `linked` makes a link of a text and an address. An empty `link` is left out.
    """
    parts = (
        f"{mark(post)} {escape(source_name(post))}",
        clock(post.at),
        linked(opener(post), link) if link else "",
        linked("▶ Video", videos[0]) if videos else "",
        missing_media(post),
    )
    return " · ".join(filter(None, parts))


def escape_around_links(
    text: str, links: re.Pattern[str], *, escape: Callable[[str], str], link: Callable[[str], str]
) -> str:
    """Return the text with `link` applied to each link that the pattern finds, and `escape` to everything between them."""
    if "://" not in text:
        return escape(text)
    parts: list[str] = []
    at = 0
    for found in links.finditer(text):
        parts += (escape(text[at : found.start()]), link(found[0]))
        at = found.end()
    return "".join((*parts, escape(text[at:])))
