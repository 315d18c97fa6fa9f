"""Builds the digest of what quiet hours kept: one message that lists the posts. Pure."""

from collections.abc import Sequence

from forwarder.core.counted import counted
from forwarder.core.delivery import DestinationName, KeptDelivery
from forwarder.core.monitoring.notices import Level, Notice
from forwarder.core.posts.post import Post
from forwarder.core.posts.read import read_post
from forwarder.core.text import one_line, units

_LINE = 200
"""The most units of the author and the text of one post."""
_TEXT = 3_000
"""The most units of all lines: every message format shows so many."""
_POSTS = 100
"""The most posts that the payload has one by one."""


def digest_of(name: DestinationName, kept: Sequence[KeptDelivery]) -> Notice:
    """Return the digest of these deliveries, oldest first. Of a post that came several times the last event is listed."""
    posts = {each.post: (read_post(each.body), each) for each in kept}
    lines: list[str] = []
    room = _TEXT
    for post, _ in posts.values():
        line = _line(post)
        room -= units(line) + 1
        if room < 0:
            break
        lines.append(line)
    if len(lines) < len(posts):
        lines.append(f"… and {len(posts) - len(lines):,} more")
    return Notice(
        kind="quiet_digest",
        about=name,
        level=Level.INFO,
        title=f"{counted(len(posts), 'post')} in the quiet hours",
        text="\n".join(lines),
        details={
            "count": len(posts),
            "posts": [
                {
                    "source": post.source,
                    "author": _who(post),
                    "text": one_line(_words(post), limit=_LINE),
                    "link": post.link,
                    "accepted_at": each.accepted_at.isoformat(timespec="milliseconds"),
                }
                for post, each in list(posts.values())[:_POSTS]
            ],
        },
    )


def _line(post: Post) -> str:
    said = one_line(": ".join(filter(None, (_who(post), _words(post)))), limit=_LINE)
    return " ".join(filter(None, (f"• {said}", post.link)))


def _who(post: Post) -> str:
    return post.author.handle or post.author.name or post.author.id or post.channel


def _words(post: Post) -> str:
    """Return what a person reads of a post, or else of the one that it quotes or reposts."""
    said = " ".join(filter(None, (post.title, post.text)))
    return said or ("" if post.original is None else " ".join(filter(None, (post.original.title, post.original.text))))
