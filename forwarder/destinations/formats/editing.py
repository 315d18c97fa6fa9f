"""What the formats whose messages can be edited have in common: the content of an edit."""

from collections.abc import Container

import msgspec

from forwarder.core.destinations.content import Content


def message_to_edit(content: Content, *, without: Container[str]) -> tuple[str, str, dict[str, object]]:
    """Return the path and the query that a message was sent to, and its fields except those that an edit cannot have.

    Raises `ValueError` for content without a target.
    """
    if content.target is None:
        raise ValueError("the content has no target to edit at")
    path, _, query = content.target.partition("?")
    message: dict[str, object] = msgspec.json.decode(content.body)
    return path, query, {key: value for key, value in message.items() if key not in without}
