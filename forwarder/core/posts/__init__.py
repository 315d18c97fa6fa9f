"""What people wrote, read the same way from every source: who, what, when, with which pictures and which other post."""

from forwarder.core.posts.post import Author, Kind, Media, Post
from forwarder.core.posts.read import read_post, read_value

__all__ = ["Author", "Kind", "Media", "Post", "read_post", "read_value"]
