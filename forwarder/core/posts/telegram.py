"""Reads messages of Telegram: a GramJS `Message` and a `channelId`, with ids, few names, and no addresses of files."""

from collections.abc import Iterator

from forwarder.core.event import JSONValue
from forwarder.core.posts.fields import (
    MAX_TAGS,
    WEB_ADDRESS,
    index,
    is_digits,
    mapping,
    mappings,
    number,
    text,
    time_of_ms,
)
from forwarder.core.posts.post import Author, Kind, Media, Post
from forwarder.core.posts.tags import Tag

_MAX_MARKED = 300
"""How many code units of the text that an entity marks are read."""
_ENTITIES = {
    Tag.SYMBOL: "MessageEntityCashtag",
    Tag.HASHTAG: "MessageEntityHashtag",
    Tag.MENTION: "MessageEntityMention",
}


def read(payload: dict[str, JSONValue]) -> Post:
    """Return the message."""
    chat, sender = mapping(payload.get("chat")), mapping(payload.get("sender"))
    channel = text(payload, "channelId")
    handle = text(chat, "username") or text(sender, "username")
    forwarded = mapping(payload.get("fwdFrom"))
    if forwarded:
        kind = Kind.REPOST
    elif payload.get("editDate") and not payload.get("editHide"):
        kind = Kind.EDIT
    elif mapping(payload.get("replyTo")):
        kind = Kind.REPLY
    else:
        kind = Kind.POST
    return Post(
        source="telegram",
        kind=kind,
        author=Author(
            name=text(payload, "postAuthor") or text(chat, "title") or _full_name(sender),
            handle=handle,
            id=text(mapping(payload.get("fromId")), "userId", "channelId") or text(sender, "id"),
            link=f"https://t.me/{handle}" if handle.isascii() and handle.isidentifier() else "",
        ),
        text=_written(payload),
        link=_link(payload, channel, handle),
        media=tuple(_media(mapping(payload.get("media")))),
        original=_origin(forwarded) if forwarded else None,
        channel=channel,
        at=time_of_ms(1_000 * number(payload.get("date"))),
    )


def _full_name(person: dict[str, JSONValue]) -> str:
    return f"{text(person, 'firstName')} {text(person, 'lastName')}".strip()


def _link(payload: dict[str, JSONValue], channel: str, handle: str) -> str:
    """Return the address of the message. Without the channel's name only its members can open it."""
    id_, bare = text(payload, "id"), channel.removeprefix("-100")
    if not is_digits(id_):
        return ""
    if handle.isascii() and handle.isidentifier():
        return f"https://t.me/{handle}/{id_}"
    return f"https://t.me/c/{bare}/{id_}" if is_digits(bare) else ""


def _origin(forwarded: dict[str, JSONValue]) -> Post | None:
    """Return the author of a forwarded message, as a post without text: the text is in the message itself."""
    name = text(forwarded, "fromName", "postAuthor")
    id_ = text(mapping(forwarded.get("fromId")), "channelId", "userId")
    if not (name or id_):
        return None
    return Post(
        source="telegram", author=Author(name=name, id=id_), at=time_of_ms(1_000 * number(forwarded.get("date")))
    )


def _written(payload: dict[str, JSONValue]) -> str:
    """Return the text, with the address of each hidden link in brackets after it."""
    written = text(payload, "message")
    hidden = [
        (end, text(entity, "url"))
        for entity in mappings(payload.get("entities"))
        if entity.get("className") == "MessageEntityTextUrl" and 0 <= (end := _span(entity)[1]) <= len(written) * 2
    ]
    if not hidden:
        return written
    units = written.encode("utf-16-le", "surrogatepass")  # Telegram counts offsets in these units
    parts: list[bytes] = []
    at = 0
    for end, url in sorted(hidden):
        parts += (units[2 * at : 2 * end], f" ({url})".encode("utf-16-le", "surrogatepass"))
        at = end
    return b"".join((*parts, units[2 * at :])).decode("utf-16-le", "surrogatepass")


def _span(entity: dict[str, JSONValue]) -> tuple[int, int]:
    """Return the start and the end of an entity in UTF-16 code units, or (-1, -1) if it has none."""
    start, length = index(entity.get("offset")), index(entity.get("length"))
    return (start, start + length) if start >= 0 and length >= 0 else (-1, -1)


def _media(media: dict[str, JSONValue]) -> Iterator[Media]:
    match text(media, "className"):
        case "MessageMediaPhoto":
            yield Media()
        case "MessageMediaDocument":
            document = mapping(media.get("document"))
            kind = text(document, "mimeType").partition("/")[0]
            names = {text(attribute, "className") for attribute in mappings(document.get("attributes"))}
            if kind == "video" or "DocumentAttributeVideo" in names:
                yield Media(is_video=True)
            elif kind == "image":
                yield Media()


def tags(payload: dict[str, JSONValue], tag: Tag) -> Iterator[str] | None:
    """Return the tags of this kind that the message lists, or `None` where it has no list of entities.

    A person without a handle is mentioned by name; the tag is then the id. A hashtag may name a channel: `#news@channel` counts as `#news`.
    """
    if not isinstance(payload.get("entities"), list):
        return None
    if tag is Tag.HASHTAG:
        return (marked.partition("@")[0] for _, marked in _marked(payload, _ENTITIES[tag]))
    named = {_ENTITIES[tag]: "", "MessageEntityMentionName": "userId"} if tag is Tag.MENTION else {_ENTITIES[tag]: ""}
    return (text(entity, named[text(entity, "className")]) or marked for entity, marked in _marked(payload, *named))


def has_link(payload: dict[str, JSONValue], post: Post) -> bool:
    """Return whether the text has a web address, written out (`example.com` is one) or as a hidden link."""
    if WEB_ADDRESS.search(post.text):
        return True
    return any("://" not in marked and marked for _, marked in _marked(payload, "MessageEntityUrl"))


def _marked(payload: dict[str, JSONValue], *classes: str) -> Iterator[tuple[dict[str, JSONValue], str]]:
    """Yield each entity of these classes and the beginning of the text that it marks."""
    written = text(payload, "message")
    units = b"" if written.isascii() else written.encode("utf-16-le", "surrogatepass")
    for entity in mappings(payload.get("entities"), MAX_TAGS):
        if entity.get("className") in classes:
            start, end = _span(entity)
            end = min(end, start + _MAX_MARKED)
            if start >= 0:
                cut = units[2 * start : 2 * end]
                yield entity, cut.decode("utf-16-le", "surrogatepass") if units else written[start:end]
