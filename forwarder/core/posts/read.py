"""Reads the post of an event. No input raises an error: any bytes give the best post that can be read from them."""

import json

import msgspec

from forwarder.core.cut_frame import is_cut, read_cut
from forwarder.core.event import JSONValue
from forwarder.core.posts.fields import mapping, text, time_of_ms
from forwarder.core.posts.post import Author, Post
from forwarder.core.posts.readers import reader_of

_decode = msgspec.json.Decoder().decode
_MAX_SHOWN = 1_000
"""Characters of a payload that are shown as JSON when no field of it is known."""
MOST_WHOLE_BYTES = 256 << 10
"""An event that is larger is not decoded to be listed or shown: that would take long, and hold up all else in the process."""
_BEGINNING_BYTES = 16 << 10
"""How much of such an event is read."""


def read_post(body: bytes) -> Post:
    """Return the post of an event as it was received."""
    try:
        return read_value(_decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:  # a lone surrogate, which msgspec refuses
        return read_value(json.loads(body.decode("utf-8", "replace")))
    except (ValueError, RecursionError):
        return Post(text=body.decode("utf-8", "replace"))


def read_for_display(body: bytes) -> Post:
    """Return the post of an event for a list or a view; of a large event only what its beginning says."""
    return read_post(body) if len(body) <= MOST_WHOLE_BYTES else read_beginning(body)


def read_beginning(body: bytes) -> Post:
    """Return what the beginning of an event says of its post."""
    beginning = body[:_BEGINNING_BYTES].decode("utf-8", "ignore")
    found = read_cut(beginning)
    return read_value(found) if found else Post(text=beginning[:_MAX_SHOWN])


def read_value(event: JSONValue) -> Post:
    """Return the post of an event that is decoded already."""
    envelope = mapping(event)
    source, payload = text(envelope, "source"), envelope.get("payload")
    timestamp = envelope.get("timestamp")
    if not isinstance(payload, dict):
        if isinstance(payload, str) and is_cut(envelope):
            post = read_payload(source, read_cut(payload), timestamp)
            return post if post.text or post.title else msgspec.structs.replace(post, text=payload)
        shown = payload if isinstance(payload, str) else _shown(event if payload is None else payload)
        return Post(source=source, text=shown, at=time_of_ms(timestamp))
    post = read_payload(source, payload, timestamp)
    if not (post.text or post.title or post.media or post.original or post.link or post.author != Author()):
        post = msgspec.structs.replace(post, text=_shown(payload))
    return post


def read_payload(source: str, payload: dict[str, JSONValue], timestamp: JSONValue) -> Post:
    """Return the post that the payload contains, without any JSON as a substitute; `timestamp` is that of the envelope."""
    reader = reader_of(source)
    post = reader.read(source, payload)
    at = time_of_ms(timestamp)
    at = (at or post.at) if reader.has_time_of_post else (post.at or at)
    return msgspec.structs.replace(post, source=source, at=at)


def _shown(value: JSONValue) -> str:
    """Return the beginning of a value as JSON."""
    try:
        return json.dumps(value, ensure_ascii=False)[:_MAX_SHOWN]
    except (ValueError, RecursionError):  # an integer with more digits than Python prints
        return ""
