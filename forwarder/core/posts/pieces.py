"""Makes an event of the few things that a person knows of a post: its text, its author, its source and its time."""

import json

from forwarder.core.event import JSONValue


def event_of_pieces(*, source: str, text: str, author: str, timestamp_ms: int) -> bytes:
    """Return an event as the stream of this source would send it, with the text and the author where `core.posts` reads them."""
    handle = author.strip().lstrip("@")
    person: dict[str, JSONValue] = {"screen_name": handle, "name": handle}
    payload: dict[str, JSONValue]
    match source:
        case "x":
            payload = {"id": "0", "text": text, "author": person, "retweeted_tweet": False}
        case "fast-x":
            payload = {"id": "0", "text": text, "author": person}
        case "telegram":
            payload = {"id": 0, "message": text, "chat": {"username": handle}, "className": "Message"}
        case "discord":
            payload = {"id": "0", "content": text, "cleanContent": text, "author": {"username": handle}}
        case _:
            payload = {"text": text, "author": {"username": handle, "name": handle}}
    if not handle:
        payload.pop("author", None)
        payload.pop("chat", None)
    event = {"mid": "0", "sid": "0", "source": source, "timestamp": timestamp_ms, "payload": payload}
    return json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass")
