"""Which module reads which source: one table for posts, tags and links."""

from collections.abc import Callable, Iterable

import msgspec

from forwarder.core.event import JSONValue
from forwarder.core.posts import discord, feeds, telegram, x
from forwarder.core.posts.post import Post
from forwarder.core.posts.tags import Tag

Payload = dict[str, JSONValue]


class SourceReader(msgspec.Struct, frozen=True, kw_only=True):
    """Reads the payloads of one source."""

    read: Callable[[str, Payload], Post]
    """Returns the post of a payload; the first argument is the source."""
    tags: Callable[[Payload, Tag], Iterable[str] | None]
    """Returns the tags of one kind that the payload lists, or `None` if it lists none of any kind."""
    has_link: Callable[[Payload, Post], bool]
    """Returns whether there is a web link besides those to the post's own media and to another post shown with it."""
    has_time_of_post: bool = False
    """Whether the timestamp of the envelope is the time of the post. Otherwise it is the time at which the event was made."""


_X = SourceReader(
    read=lambda _source, payload: x.read(payload), tags=x.tags, has_link=x.has_link, has_time_of_post=True
)
_READERS = {
    "x": _X,
    "fast-x": _X,
    "telegram": SourceReader(
        read=lambda _source, payload: telegram.read(payload), tags=telegram.tags, has_link=telegram.has_link
    ),
    "discord": SourceReader(
        read=lambda _source, payload: discord.read(payload), tags=discord.tags, has_link=discord.has_link
    ),
}
_OTHER = SourceReader(read=feeds.read, tags=x.tags, has_link=feeds.has_link)


def reader_of(source: str) -> SourceReader:
    """Return the reader of a source; feeds, notices and undocumented sources share one."""
    return _READERS.get(source, _OTHER)
