"""Reads the link of a post, as a person copies it from a browser or an app, and finds the events of that post by it."""

import re
from enum import IntEnum

import msgspec

from forwarder.core.posts.post import Post

FORMS = (
    "https://x.com/NAME/status/ID, https://t.me/NAME/ID, https://t.me/c/CHANNEL/ID, "
    "https://discord.com/channels/SERVER/CHANNEL/ID, or the address of an article"
)
"""The links that are understood, for messages."""
_MAX_LENGTH = 4_000
_LINK = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?P<host>[^/?#\s:@]+)(?::\d+)?(?P<path>/[^?#\s]*)", re.IGNORECASE)
_SUBDOMAIN = re.compile(r"^(?:www|m|mobile|ptb|canary)\.")
_X_HOSTS = frozenset(
    {"x.com", "twitter.com", "fxtwitter.com", "vxtwitter.com", "fixupx.com", "fixvx.com", "nitter.net"}
)
_TELEGRAM_HOSTS = frozenset({"t.me", "telegram.me", "telegram.dog"})
_DISCORD_HOSTS = frozenset({"discord.com", "discordapp.com"})
_X_PATH = re.compile(r"/(?:[^/]+|i/web)/status(?:es)?/(\d{1,20})(?:/.*)?", re.ASCII)
_TELEGRAM_PRIVATE = re.compile(r"/c/(\d{1,20})/(?:\d{1,20}/)?(\d{1,20})/?", re.ASCII)
_TELEGRAM_PUBLIC = re.compile(r"/(?:s/)?([A-Za-z]\w{0,63})/(?:\d{1,20}/)?(\d{1,20})/?", re.ASCII)
_DISCORD_PATH = re.compile(r"/channels/(?:\d{1,20}|@me)/\d{1,20}/(\d{1,20})/?", re.ASCII)


class NoPostLinkError(ValueError):
    """A link that names no post; the text says which links do."""


class Fit(IntEnum):
    """Whether an event is of the post that a link names."""

    NO = 0
    POSSIBLE = 1
    """The link names a Telegram channel by its name, and the event has only the channel's id."""
    YES = 2


class PostLink(msgspec.Struct, frozen=True, kw_only=True):
    """The link of a post."""

    mid: str
    """The post's id, as events have it."""
    sources: tuple[str, ...] = ()
    """The sources that bring such posts; none: any source."""
    channel: str = ""
    """The id of the Telegram channel, where the link has it."""
    name: str = ""
    """The name of the Telegram channel, where the link has it."""
    address: str = ""
    """The whole link, for an article."""


def read_link(text: str) -> PostLink | None:
    """Return what a link names, or `None` for a text that is no link. Raises `NoPostLinkError`."""
    text = text.strip()
    if "/" not in text or len(text) > _MAX_LENGTH:
        return None
    found = _LINK.fullmatch(re.split(r"[?#]", text, maxsplit=1)[0])
    if found is None:
        raise NoPostLinkError(f"this is not the link of a post. Links of posts are {FORMS}")
    host, path = _SUBDOMAIN.sub("", found["host"].lower()), found["path"]
    if host in _X_HOSTS:
        if post := _X_PATH.fullmatch(path):
            return PostLink(mid=post[1], sources=("x", "fast-x"))
    elif host in _TELEGRAM_HOSTS:
        if post := _TELEGRAM_PRIVATE.fullmatch(path):
            return PostLink(mid=post[2], sources=("telegram",), channel=post[1])
        if post := _TELEGRAM_PUBLIC.fullmatch(path):
            return PostLink(mid=post[2], sources=("telegram",), name=post[1])
    elif host in _DISCORD_HOSTS:
        if post := _DISCORD_PATH.fullmatch(path):
            return PostLink(mid=post[1], sources=("discord",))
    elif "://" in text:
        return PostLink(mid=text, address=text)
    raise NoPostLinkError(f"this link names no post. Links of posts are {FORMS}")


def fits(link: PostLink, *, source: str, post: Post) -> Fit:
    """Return whether an event with the link's `mid` is of the post that the link names."""
    if link.sources and source not in link.sources:
        return Fit.NO
    if link.channel:
        return Fit.YES if post.channel.removeprefix("-100") == link.channel else Fit.NO
    if link.name:
        _, is_public, named = post.link.partition("://t.me/")
        if not is_public or named.startswith("c/"):
            return Fit.POSSIBLE
        return Fit.YES if named.partition("/")[0].casefold() == link.name.casefold() else Fit.NO
    return Fit.YES
