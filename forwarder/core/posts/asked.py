"""What only rules ask for, and so is not part of every `Post`: cashtags, hashtags, mentions, and whether there is a link."""

from collections.abc import Iterable

from forwarder.core.event import JSONValue
from forwarder.core.posts import discord, feeds, telegram, x
from forwarder.core.posts.fields import text
from forwarder.core.posts.post import Post
from forwarder.core.posts.tags import Tag, distinct, tags_in


def read_tags(tag: Tag, payload: dict[str, JSONValue], post: Post) -> tuple[str, ...]:
    """Return the tags of this kind: those that the event lists, or, where it lists none of any kind, those of the text."""
    listed: Iterable[str] | None
    match post.source:
        case "telegram":
            listed = telegram.tags(payload, tag)
        case "discord":
            listed = discord.tags(payload, tag)
        case _:
            listed = x.tags(payload, tag)
    if listed is None:
        # In Discord's clean text the name of a channel looks like a hashtag.
        raw = text(payload, "content") if post.source == "discord" else ""
        listed = tags_in(raw or f"{post.title}\n{post.text}", tag)
    return distinct(listed, tag)


def has_link(payload: dict[str, JSONValue], post: Post) -> bool:
    """Return whether there is a web link that does not merely stand for a picture, a video or another post shown with this one."""
    match post.source:
        case "x" | "fast-x":
            return x.has_link(payload, post)
        case "telegram":
            return telegram.has_link(payload, post)
        case "discord":
            return discord.has_link(payload, post)
        case _:
            return feeds.has_link(payload, post)
