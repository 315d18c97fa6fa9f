"""From an event's bytes to its post. Total: any bytes give a post, the best there is."""

import json

import msgspec

from forwarder.core.event import JSONValue
from forwarder.core.posts import discord, feeds, telegram, x
from forwarder.core.posts.fields import mapping, text, time_of_ms
from forwarder.core.posts.post import Author, Post

_decode = msgspec.json.Decoder().decode
_MAX_SHOWN = 1_000
"""Characters of a payload that holds nothing we know."""


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


def read_value(event: JSONValue) -> Post:
    """Return the post of an event that is decoded already."""
    envelope = mapping(event)
    source, payload = text(envelope, "source"), envelope.get("payload")
    timestamp = envelope.get("timestamp")
    if not isinstance(payload, dict):
        shown = payload if isinstance(payload, str) else _shown(event if payload is None else payload)
        return Post(source=source, text=shown, at=time_of_ms(timestamp))
    post = read_payload(source, payload, timestamp)
    if not (post.text or post.title or post.media or post.original or post.link or post.author != Author()):
        post = msgspec.structs.replace(post, text=_shown(payload))
    return post


def read_payload(source: str, payload: dict[str, JSONValue], timestamp: JSONValue) -> Post:
    """Return what the payload says of a post and nothing else, as rules ask for it; `timestamp` is that of the envelope."""
    match source:
        case "x" | "fast-x":
            post = x.read(payload)
        case "telegram":
            post = telegram.read(payload)
        case "discord":
            post = discord.read(payload)
        case _:
            post = feeds.read(source, payload)
    at = time_of_ms(timestamp)
    # X's envelope carries the time of the post; elsewhere it is the time at which the event was made.
    at = (at or post.at) if source in {"x", "fast-x"} else (post.at or at)
    return msgspec.structs.replace(post, source=source, at=at)


def _shown(value: JSONValue) -> str:
    """Return the beginning of a value as JSON."""
    try:
        return json.dumps(value, ensure_ascii=False)[:_MAX_SHOWN]
    except (ValueError, RecursionError):  # an integer of more digits than Python prints
        return ""
