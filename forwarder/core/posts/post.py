"""A post as a value, the same for all sources. An empty text means that the event does not contain it."""

from datetime import datetime
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """How a post relates to others."""

    POST = "post"
    REPLY = "reply"
    REPOST = "repost"
    """Another person's post, shared again; also a message forwarded in Telegram or Discord."""
    QUOTE = "quote"
    EDIT = "edit"


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """The person or channel that wrote a post."""

    name: str = ""
    handle: str = ""
    """The handle without its `@`."""
    id: str = ""
    link: str = ""
    avatar: str = ""
    """The address of the author's picture."""


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """A picture or a video of a post. Telegram, and Discord in part, only mention that there is one: then both addresses are empty."""

    is_video: bool = False
    image: str = ""
    """The address of the picture; for a video, of a still."""
    video: str = ""
    """The address of the video."""


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """One post, message, article or notice."""

    source: str = ""
    kind: Kind = Kind.POST
    author: Author = Author()
    title: str = ""
    text: str = ""
    link: str = ""
    media: tuple[Media, ...] = ()
    original: "Post | None" = None
    """The post that this one quotes or reposts, if the event contains it."""
    reply_to: str = ""
    """The handle of the person that the post replies to."""
    channel: str = ""
    """The id of the Telegram or Discord channel."""
    lang: str = ""
    """The language, as the source names it."""
    level: str = ""
    """The level of one of forwarder's own notices: info, ok, warning or error."""
    at: datetime | None = None
    """When the post was written, in UTC."""

    @property
    def has_media(self) -> bool:
        """Whether the post has pictures or videos of its own."""
        return bool(self.media)
