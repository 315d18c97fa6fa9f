"""What the messages for people have in common: names, colours and marks of the sources, the line that says who and how."""

from datetime import datetime

from forwarder.core.posts import Kind, Post
from forwarder.core.text import one_line

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
MAX_NAME = 80
"""Units of a name, and of a handle."""


def source_name(post: Post) -> str:
    """Return the source as people call it; of one that nobody documented its own word."""
    return _NAMES.get(post.source) or one_line(post.source, limit=40) or "event"


def opener(post: Post) -> str:
    """Return what the link to the post is called."""
    return _OPENERS.get(post.source, "Open")


def colour(post: Post) -> int:
    """Return the colour of its source, or of the level of a notice, as 0xRRGGBB."""
    return _LEVEL_COLOURS.get(post.level) or _COLOURS.get(post.source, 0x99AAB5)


def mark(post: Post) -> str:
    """Return the same as a sign, where there is no colour."""
    return _LEVEL_MARKS.get(post.level) or _MARKS.get(post.source, "⚪")


def author_name(post: Post) -> str:
    """Return who wrote it; without a name the handle, without both the channel. Never empty."""
    author = post.author
    if name := one_line(author.name, limit=MAX_NAME):
        return name
    if handle := one_line(author.handle, limit=MAX_NAME):
        return f"@{handle}"
    where = one_line(post.channel or author.id, limit=MAX_NAME)
    return f"{source_name(post)} {where}" if where else source_name(post)


def handle(post: Post) -> str:
    """Return the `@handle` to stand beside the name, or nothing where that says it already."""
    if not one_line(post.author.name, limit=MAX_NAME):
        return ""
    name = one_line(post.author.handle, limit=MAX_NAME)
    return f"@{name}" if name else ""


def manner(post: Post) -> str:
    """Return how it relates to another post, in a few words, or nothing."""
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
    """Return the text to show; of a repost that carries the original's text nothing, as its own is a cut copy of it."""
    return "" if post.kind is Kind.REPOST and post.original is not None and post.original.text else post.text


def missing_media(post: Post) -> str:
    """Return a word for pictures and videos that the event only mentions."""
    unseen = [media for media in post.media if not (media.image or media.video)]
    if not unseen:
        return ""
    if any(media.is_video for media in unseen):
        return "🎬 video"
    return "📎 attachment" if post.source == "discord" else "🖼 photo"


def clock(at: datetime | None) -> str:
    """Return a time for people, or nothing."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at is not None else ""
