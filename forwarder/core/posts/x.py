"""Posts of X, as the full source (`x`) and the fast one (`fast-x`) send them."""

import re
from collections.abc import Iterator

from forwarder.core.event import JSONValue
from forwarder.core.posts.fields import mapping, mappings, number, text, time_of_text
from forwarder.core.posts.post import Author, Kind, Media, Post

_HANDLE = re.compile(r"[A-Za-z0-9_]{1,50}")


def read(payload: dict[str, JSONValue], *, depth: int = 0) -> Post:
    """Return the post; `depth` counts how many posts it stands within: two are enough."""
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
    """Return the text as people see it: links in full, without those that only stand for the pictures or the quoted post."""
    written = text(payload, "note_tweet_text", "text")
    if "https://" in written:
        for url in mappings(mapping(payload.get("entities")).get("urls")):
            short, full = text(url, "url"), text(url, "expanded_url")
            if short.startswith("https://") and len(full) < 2_000:
                written = written.replace(short, full or short, 10)  # bounded: a hostile event must not grow
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
