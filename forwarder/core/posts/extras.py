"""Reads what only rules need and is not part of a `Post`: cashtags, hashtags, mentions, and whether there is a link."""

from forwarder.core.event import JSONValue
from forwarder.core.posts.fields import text
from forwarder.core.posts.post import Post
from forwarder.core.posts.readers import reader_of
from forwarder.core.posts.tags import Tag, distinct, tags_in


def read_tags(tag: Tag, payload: dict[str, JSONValue], post: Post) -> tuple[str, ...]:
    """Return the tags of this kind: those that the event lists, or those of the text if it lists no tags of any kind."""
    listed = reader_of(post.source).tags(payload, tag)
    if listed is None:
        # In Discord's `cleanContent` the name of a channel looks like a hashtag.
        raw = text(payload, "content") if post.source == "discord" else ""
        listed = tags_in(raw or f"{post.title}\n{post.text}", tag)
    return distinct(listed, tag)


def has_link(payload: dict[str, JSONValue], post: Post) -> bool:
    """Return whether there is a web link besides those to the post's own media and to another post shown with it."""
    return reader_of(post.source).has_link(payload, post)
