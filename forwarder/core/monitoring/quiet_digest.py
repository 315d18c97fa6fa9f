"""Builds the digests of what quiet hours kept: messages that list the posts. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from forwarder.core.counted import counted
from forwarder.core.delivery import DestinationName, KeptDelivery
from forwarder.core.monitoring.notices import Level, Notice
from forwarder.core.posts.post import Post
from forwarder.core.posts.read import read_post
from forwarder.core.text import one_line, units

_LINE = 200
"""The most units of the author and the text of one post."""
_TEXT = 3_000
"""The most units of all lines of a message: every message format shows so many."""
_POSTS = 100
"""The most posts of a message."""


class QuietDigest(NamedTuple):
    """One message, and the deliveries that it takes the place of."""

    notice: Notice
    kept: Sequence[KeptDelivery]


def digests_of(name: DestinationName, kept: Sequence[KeptDelivery]) -> list[QuietDigest]:
    """Return as many messages as it takes to list every post of these deliveries, oldest first.

    Of a post that came several times the last event is listed.
    """
    posts = {each.post: (read_post(each.body), each) for each in kept}
    lines = {key: _line(post) for key, (post, _) in posts.items()}
    parts: list[list[tuple[str, str, str]]] = []
    room = 0
    for key, line in lines.items():
        needs = units(line) + 1
        if needs > room or len(parts[-1]) == _POSTS:
            parts.append([])
            room = _TEXT
        parts[-1].append(key)
        room -= needs
    part_of = {key: number for number, keys in enumerate(parts) for key in keys}
    replaced: list[list[KeptDelivery]] = [[] for _ in parts]
    for each in kept:
        replaced[part_of[each.post]].append(each)
    return [
        QuietDigest(
            Notice(
                kind="quiet_digest",
                about=name,
                level=Level.INFO,
                title=_title(len(keys), number, len(parts)),
                text="\n".join(lines[key] for key in keys),
                details={
                    "count": len(keys),
                    "part": number,
                    "parts": len(parts),
                    "posts": [_details(*posts[key]) for key in keys],
                },
            ),
            replaced[number - 1],
        )
        for number, keys in enumerate(parts, 1)
    ]


def without(body: bytes, is_gone: Callable[[Mapping[str, str]], bool]) -> bytes | None:
    """Return the body of a digest's event without some posts, or `None` if none is left. `is_gone` is called with what `details_of` returns."""
    frame = msgspec.json.decode(body)
    payload = frame["payload"]
    kept = [
        (line, post)
        for line, post in zip(payload["text"].split("\n"), payload["posts"], strict=True)
        if not is_gone(post)
    ]
    if not kept:
        return None
    lines, posts = zip(*kept, strict=True)
    title = _title(len(posts), payload["part"], payload["parts"])
    frame["payload"] = payload | {"title": title, "text": "\n".join(lines), "count": len(posts), "posts": posts}
    return msgspec.json.encode(frame)


def _title(count: int, part: int, parts: int) -> str:
    return f"{counted(count, 'post')} in the quiet hours" + (f", part {part} of {parts}" if parts > 1 else "")


def details_of(post: Post) -> dict[str, str]:
    """Return what a digest has of a post for programs."""
    return {
        "source": post.source,
        "author": _who(post),
        "text": one_line(_words(post), limit=_LINE),
        "link": post.link,
    }


def _details(post: Post, kept: KeptDelivery) -> dict[str, str]:
    return details_of(post) | {"accepted_at": kept.accepted_at.isoformat(timespec="milliseconds")}


def _line(post: Post) -> str:
    said = one_line(": ".join(filter(None, (_who(post), _words(post)))), limit=_LINE)
    return " ".join(filter(None, (f"• {said}", post.link)))


def _who(post: Post) -> str:
    return post.author.handle or post.author.name or post.author.id or post.channel


def _words(post: Post) -> str:
    """Return what a person reads of a post, or else of the one that it quotes or reposts."""
    said = " ".join(filter(None, (post.title, post.text)))
    return said or ("" if post.original is None else " ".join(filter(None, (post.original.title, post.original.text))))
