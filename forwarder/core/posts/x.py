"""Reads posts of X, as the full source (`x`) and the fast one (`fast-x`) send them."""

import re
from collections.abc import Iterator
from itertools import islice

from forwarder.core.event import JSONValue
from forwarder.core.posts.fields import (
    MAX_ELEMENTS,
    MAX_TAGS,
    WEB_ADDRESS,
    mapping,
    mappings,
    number,
    text,
    time_of_text,
)
from forwarder.core.posts.post import Author, Kind, Media, Post
from forwarder.core.posts.tags import Tag

_MAX_GROWTH = 20_000
"""How many characters a text may grow by when its short links are replaced; after that no more links are replaced."""
_HANDLE = re.compile(r"[A-Za-z0-9_]{1,50}")
_STATUS = re.compile(r"/status/([0-9]{1,30})")
_SHORT = ("https://t.co/", "http://t.co/")
_LISTS = {
    Tag.SYMBOL: ("symbols", "text"),
    Tag.HASHTAG: ("hashtags", "text"),
    Tag.MENTION: ("user_mentions", "screen_name"),
}
"""For each kind of tag, the name of its list in `entities` and the key of the text in an element."""


def read(payload: dict[str, JSONValue], *, depth: int = 0) -> Post:
    """Return the post. `depth` counts the posts that it is nested in; a third level is not read."""
    author = _author(mapping(payload.get("author")))
    reposted, quoted = mapping(payload.get("retweeted")), mapping(payload.get("quoted_tweet"))
    within = reposted or quoted
    original = read(within, depth=depth + 1) if within and depth < 2 else None
    reply_to = text(payload, "in_reply_to_screen_name")
    if reposted or payload.get("retweeted_tweet") is True:
        kind = Kind.REPOST
    elif quoted:
        kind = Kind.QUOTE
    elif reply_to or text(payload, "in_reply_to_status_id"):
        kind = Kind.REPLY
    else:
        kind = Kind.POST
    id_ = text(payload, "id")
    link = text(payload, "link", "url") or (f"{author.link}/status/{id_}" if author.link and id_.isdigit() else "")
    return Post(
        source="x",
        kind=kind,
        author=author,
        text=_written(payload, original),
        link=link,
        media=tuple(_media(payload)),
        original=original,
        reply_to=reply_to,
        lang=text(payload, "lang"),
        at=time_of_text(text(payload, "created_at")),
    )


def _author(author: dict[str, JSONValue]) -> Author:
    handle = text(author, "screen_name")
    return Author(
        name=text(author, "name"),
        handle=handle,
        id=text(author, "id"),
        link=f"https://x.com/{handle}" if _HANDLE.fullmatch(handle) else "",
        avatar=text(author, "profile_image_url"),
    )


def _written(payload: dict[str, JSONValue], original: Post | None) -> str:
    """Return the text as people see it: with full links, and without links to the post's own pictures or to the quoted post."""
    written = text(payload, "note_tweet_text", "text")
    if "https://" in written:
        longest = len(written) + _MAX_GROWTH
        for url in mappings(mapping(payload.get("entities")).get("urls")):
            short, full = text(url, "url"), text(url, "expanded_url")
            if short.startswith("https://") and len(full) < 2_000 and len(written) <= longest:
                written = written.replace(
                    short, full or short, 10
                )  # bounded, so that a hostile event cannot grow without limit
        dispensable = [text(media, "url") for media in mappings(payload.get("media"))]
        if original is not None:
            dispensable.append(original.link)
        for link in dispensable:
            if link and written.endswith(link):
                written = written.removesuffix(link).rstrip()
    if "&" in written:  # X escapes these three, and no others
        written = written.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return written


def _media(payload: dict[str, JSONValue]) -> Iterator[Media]:
    for media in mappings(payload.get("media")):
        image = text(media, "media_url_https", "media_url")
        videos = [
            (number(variant.get("bitrate")), text(variant, "url"))
            for variant in mappings(mapping(media.get("video_info")).get("variants"))
            if variant.get("content_type") == "video/mp4"
        ]
        is_video = bool(videos) or text(media, "type") in {"video", "animated_gif"}
        if image or is_video:
            yield Media(is_video=is_video, image=image, video=max(videos, default=(0, ""))[1])


def tags(payload: dict[str, JSONValue], tag: Tag) -> Iterator[str] | None:
    """Return the tags of this kind that the post lists, or `None` where it has no `entities`, as in `fast-x`."""
    entities = payload.get("entities")
    if not isinstance(entities, dict):
        return None
    name, key = _LISTS[tag]
    return (text(found, key) for found in mappings(entities.get(name), MAX_TAGS))


def has_link(payload: dict[str, JSONValue], post: Post) -> bool:
    """Return whether there is a link besides those to the post's own pictures, to itself, and to the post it quotes or reposts.

    X appends a `t.co` address for each of these. The addresses of pictures are in no list. So in a post that has pictures or another
    post, an unlisted `t.co` address is taken for one of them. A `fast-x` event contains neither, and there each address counts.
    """
    urls = list(mappings(mapping(payload.get("entities")).get("urls")))
    shown = {text(media, key) for media in mappings(payload.get("media")) for key in ("url", "expanded_url")}
    ids = {text(mapping(of), "id") for of in (payload, payload.get("quoted_tweet"), payload.get("retweeted"))}

    def is_own(address: str) -> bool:
        status = _STATUS.search(address)
        return address not in shown and not (status and status[1] in ids)

    for url in urls:
        if (address := text(url, "expanded_url", "url")) and is_own(address) and is_own(text(url, "url")):
            return True
    unlisted = bool(post.media or post.original)
    for found in islice(WEB_ADDRESS.finditer(post.text), MAX_ELEMENTS):
        if is_own(found[0]) and not (unlisted and found[0].startswith(_SHORT)):
            return True
    return False
