"""Finds posts as a person looks for them in a list: by their author, by a part of their text, by their address.

A text is found as `contains` in a rule finds it: what looks the same is the same, and upper and lower case are, too.
"""

from dataclasses import dataclass

import msgspec

from forwarder.core.matching.folding import fold
from forwarder.core.posts import Post, read_for_display, read_post

HEADING_LENGTH = 200
"""The most characters of a post's text that a list has."""


class Heading(msgspec.Struct, frozen=True):
    """What a list shows of a post."""

    author: str
    """The handle, the name or the id of who wrote it, or the id of its channel; empty where none is known."""
    text: str
    """The beginning of the title and the text."""


@dataclass(frozen=True, slots=True)
class PostSearch:
    """What a post must be; `None` is anything."""

    author: str | None = None
    """A handle with or without @, a displayed name, or an id; also the id of a channel."""
    text: str | None = None
    """A part of the title or the text, also of the post that is quoted or reposted."""
    link: str | None = None
    """The whole address."""

    def finds(self, body: bytes) -> bool:
        """Return whether the post of an event is such a one. Never raises, for any bytes."""
        post = read_post(body)
        return (
            (self.author is None or _bare(self.author) in {_bare(name) for name in _names(post)})
            and (self.text is None or _is_in(self.text, post))
            and (self.link is None or self.link.rstrip("/") == post.link.rstrip("/"))
        )


def heading_of(body: bytes) -> Heading:
    """Return the author and the beginning of the text of an event's post."""
    return heading_of_post(read_for_display(body))


def heading_of_post(post: Post) -> Heading:
    """Return the author and the beginning of the text of a post."""
    return Heading(next(filter(None, _names(post)), ""), _written(post)[:HEADING_LENGTH])


def _names(post: Post) -> tuple[str, ...]:
    return post.author.handle, post.author.name, post.author.id, post.channel


def _bare(name: str) -> str:
    return fold(name.strip().lstrip("@"))


def _written(post: Post) -> str:
    """Return what a person reads of the post; a forwarded message has only the text of the original."""
    title = "" if post.text.startswith(post.title) else post.title  # some texts repeat their title
    return "\n".join(filter(None, (title, post.text))) or ("" if post.original is None else _written(post.original))


def _is_in(text: str, post: Post) -> bool:
    sought, seen = fold(text.strip()), post.original
    return sought in fold(_written(post)) or (seen is not None and sought in fold(_written(seen)))
