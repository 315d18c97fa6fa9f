"""Decides who wrote a post, for a person who names an author by a handle, an id or a displayed name."""

from enum import Enum

from forwarder.core.matching.folding import fold
from forwarder.core.posts import Post

_NETWORKS = {"fast-x": "x"}
"""The network of a source where it has another name."""


class Named(Enum):
    """How well a name names the author of a post."""

    BY_HANDLE = "handle or id"
    """Nobody else of the network has it."""
    BY_NAME = "displayed name"
    """Others may have the same."""


def how_named(post: Post, name: str) -> Named | None:
    """Return how a name names the author of a post, or `None` if it does not. A channel is the author where no other one is known."""
    sought, author = fold(name.strip().removeprefix("@")), post.author
    own = [author.handle, author.id]
    if not any((author.handle, author.id, author.name)):
        own.append(post.channel)
    if sought in {fold(each) for each in own if each}:
        return Named.BY_HANDLE
    return Named.BY_NAME if author.name and sought == fold(author.name.strip().removeprefix("@")) else None


def network_of(source: str) -> str:
    """Return the network that a source is of: X for both of its streams."""
    return _NETWORKS.get(source, source)


def account_of(source: str, post: Post) -> tuple[str, str]:
    """Return the network of a post, and what tells its author from others there: the id, or else the handle, the name or the channel."""
    author = post.author
    return network_of(source), author.id or author.handle or author.name or post.channel
