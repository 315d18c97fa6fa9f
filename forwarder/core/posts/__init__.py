"""Reads posts the same way from every source: author, text, time, pictures, and the post that is quoted."""

from forwarder.core.posts.extras import has_link, read_tags
from forwarder.core.posts.post import Author, Kind, Media, Post
from forwarder.core.posts.read import (
    MOST_WHOLE_BYTES,
    read_beginning,
    read_for_display,
    read_payload,
    read_post,
    read_value,
)
from forwarder.core.posts.tags import Tag

__all__ = [
    "MOST_WHOLE_BYTES",
    "Author",
    "Kind",
    "Media",
    "Post",
    "Tag",
    "has_link",
    "read_beginning",
    "read_for_display",
    "read_payload",
    "read_post",
    "read_tags",
    "read_value",
]
