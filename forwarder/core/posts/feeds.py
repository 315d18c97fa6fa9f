"""Reads all other sources: feeds, undocumented sources, and forwarder's own notices (`source: forwarder`)."""

import re
from collections.abc import Iterator

from forwarder.core.event import JSONValue
from forwarder.core.posts.fields import WEB_ADDRESS, elements, mapping, text, time_of_ms, time_of_text
from forwarder.core.posts.post import Author, Kind, Media, Post

NOTICE_SOURCE = "forwarder"
LEVELS = ("info", "ok", "warning", "error")

_MARKED_UP = {"rss", "web"}
"""Sources whose texts may be HTML."""
_WRITTEN = ("text", "message", "content", "description", "summary", "body")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,2000}>")
_HREF = re.compile(r"<a\s[^<>]{0,2000}?\bhref\s{0,9}=\s{0,9}[\"']?https?://\w", re.IGNORECASE)
_BREAK = re.compile(r"<(?:br|/p|/div|/li)\b[^<>]{0,200}>\s*", re.IGNORECASE)


def read(source: str, payload: dict[str, JSONValue]) -> Post:
    """Return the post, read from the usual names of fields."""
    written = text(payload, *_WRITTEN)
    level = text(payload, "level")
    return Post(
        source=source,
        kind=Kind.POST,
        author=_author(payload.get("author")),
        title=text(payload, "title"),
        text=_without_tags(written) if source in _MARKED_UP else written,
        link=text(payload, "link", "url"),
        media=tuple(_pictures(payload)),
        channel=text(payload, "channelId", "channel"),
        lang=text(payload, "lang", "language"),
        level=(level if level in LEVELS else LEVELS[0]) if source == NOTICE_SOURCE else "",
        at=time_of_ms(payload.get("timestamp"))
        or time_of_text(text(payload, "created_at", "published", "published_at", "pubDate", "date")),
    )


def _author(author: JSONValue) -> Author:
    if isinstance(author, str):
        return Author(name=author)
    fields = mapping(author)
    return Author(
        name=text(fields, "name", "displayName", "title"),
        handle=text(fields, "screen_name", "username", "handle").removeprefix("@"),
        id=text(fields, "id"),
        link=text(fields, "link", "url"),
        avatar=text(fields, "profile_image_url", "avatar", "avatar_url"),
    )


def _pictures(payload: dict[str, JSONValue]) -> Iterator[Media]:
    for key in ("image", "image_url", "thumbnail", "images"):
        for found in elements(payload.get(key)) or [payload.get(key)]:
            image = found if isinstance(found, str) else text(mapping(found), "url")
            if image:
                yield Media(image=image)


def _without_tags(written: str) -> str:
    if "<" in written:
        written = _TAG.sub("", _BREAK.sub("\n", written)).strip()
    if "&" not in written:
        return written
    import html  # noqa: PLC0415 - its table of names takes half a MiB

    try:
        return html.unescape(written)
    except ValueError:  # "&#" followed by more digits than Python reads
        return written


def has_link(payload: dict[str, JSONValue], post: Post) -> bool:
    """Return whether the title or the text has a web address. Texts of feeds may have it as an HTML link."""
    if WEB_ADDRESS.search(post.title) or WEB_ADDRESS.search(post.text):
        return True
    return post.source in _MARKED_UP and _HREF.search(text(payload, *_WRITTEN)) is not None
