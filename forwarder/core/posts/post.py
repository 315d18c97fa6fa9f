"""A post as a value, whatever source it came from. An empty text means that the event does not say."""

from datetime import datetime
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """How a post relates to others."""

    POST = "post"
    REPLY = "reply"
    REPOST = "repost"
    """Somebody else's post, passed on; also what was forwarded in Telegram or Discord."""
    QUOTE = "quote"
    EDIT = "edit"


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote it."""

    name: str = ""
    handle: str = ""
    """As in `@handle`, without the `@`."""
    id: str = ""
    link: str = ""
    avatar: str = ""
    """The address of a picture."""


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """A picture or a video of a post. Telegram and some of Discord only say that there is one: then it has no address."""

    is_video: bool = False
    image: str = ""
    """The address of the picture; of a video, that of a still."""
    video: str = ""


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
    """The post that this one quotes, passes on or answers, where the event carries it."""
    reply_to: str = ""
    """The handle of whoever it answers."""
    channel: str = ""
    """The id of the Telegram or Discord channel."""
    lang: str = ""
    level: str = ""
    """Of a notice of our own: info, ok, warning or error."""
    at: datetime | None = None
    """When it was written, in UTC."""

    @property
    def has_media(self) -> bool:
        """Whether it has pictures or videos of its own."""
        return bool(self.media)
