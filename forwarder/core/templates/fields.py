"""The variables of templates: the fields of an event, and its post."""

import json
from typing import Any

import msgspec

from forwarder.core.cut_frame import cut_mid, is_cut, read_cut
from forwarder.core.posts import Author, Post, read_value
from forwarder.core.templates.filters import LargeNumber
from forwarder.core.templates.sandbox import KnownFields

NAMES = ("event", "id", "mid", "payload", "post", "sid", "source", "timestamp")

_decode = msgspec.json.Decoder().decode


def fields_of(body: bytes, *, id_: str) -> dict[str, Any]:
    """Return the variables of an event; `id_` is its delivery's `webhook-id`. Missing fields are null."""
    try:
        event = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            event = json.loads(
                body.decode("utf-8", "replace"), parse_float=LargeNumber.read, parse_int=LargeNumber.read_whole
            )
        except (ValueError, RecursionError):
            event = None
    envelope = event if isinstance(event, dict) else {}
    own = {name: envelope.get(name) for name in ("mid", "payload", "sid", "source", "timestamp")}
    if "mid" not in envelope and is_cut(envelope):
        payload = read_cut(envelope["payload"])
        own |= {"mid": cut_mid(payload) or None, "payload": payload}
    return {**own, "event": event, "id": id_, "post": _post(read_value(event))}


def _post(post: Post) -> KnownFields:
    return KnownFields(
        source=post.source,
        kind=str(post.kind),
        author=_author(post.author),
        title=post.title,
        text=post.text,
        link=post.link,
        images=[media.image for media in post.media if media.image],
        videos=[media.video for media in post.media if media.video],
        has_media=post.has_media,
        original=None if post.original is None else _post(post.original),
        reply_to=post.reply_to,
        channel=post.channel,
        lang=post.lang,
        level=post.level,
        at=None if post.at is None else post.at.isoformat(),
    )


def _author(author: Author) -> KnownFields:
    return KnownFields(name=author.name, handle=author.handle, id=author.id, link=author.link, avatar=author.avatar)
