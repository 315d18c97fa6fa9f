"""What the statements of the history ask of a post, as functions of SQLite."""

import sqlite3
from functools import lru_cache

from forwarder.core.matching.post_search import Heading, PostSearch, heading_of
from forwarder.core.posts import MOST_WHOLE_BYTES


def register(connection: sqlite3.Connection) -> None:
    """Let the statements on this connection call `is_sought(body, author, text, link)`."""
    connection.create_function("is_sought", 4, _is_sought, deterministic=True)


def _is_sought(body: bytes, author: str | None, text: str | None, link: str | None) -> bool:
    return PostSearch(author, text, link).finds(body)


def heading(body: bytes) -> Heading:
    """Return what a list shows of an event. The deliveries of one event follow each other; a large event is not held for them."""
    return _kept_heading(body) if len(body) <= MOST_WHOLE_BYTES else heading_of(body)


@lru_cache(maxsize=64)
def _kept_heading(body: bytes) -> Heading:
    return heading_of(body)
