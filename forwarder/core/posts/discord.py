"""Reads messages of Discord in the form of discord.js: mostly ids, with the text in `content` or in embeds."""

from collections.abc import Iterator

from forwarder.core.event import JSONValue
from forwarder.core.posts.fields import MAX_TAGS, WEB_ADDRESS, elements, is_digits, mapping, mappings, text, time_of_ms
from forwarder.core.posts.post import Author, Kind, Media, Post
from forwarder.core.posts.tags import Tag

_FORWARD = 1
"""The type of a reference to a forwarded message; 0 is a reply."""


def read(payload: dict[str, JSONValue]) -> Post:
    """Return the message."""
    person, member = mapping(payload.get("author")), mapping(payload.get("member"))
    embeds = list(mappings(payload.get("embeds")))
    reference = mapping(payload.get("reference"))
    snapshots = [_snapshot(element) for element in elements(payload.get("messageSnapshots"))]
    if snapshots or reference.get("type") == _FORWARD:
        kind = Kind.REPOST
    elif payload.get("editedTimestamp"):
        kind = Kind.EDIT
    elif reference:
        kind = Kind.REPLY
    else:
        kind = Kind.POST
    channel, written = text(payload, "channelId"), text(payload, "cleanContent", "content")
    return Post(
        source="discord",
        kind=kind,
        author=Author(
            name=text(member, "nickname") or text(person, "globalName", "global_name", "username"),
            handle=text(person, "username"),
            id=text(payload, "authorId") or text(person, "id"),
            avatar=text(person, "displayAvatarURL", "avatarURL"),
        ),
        title="" if written else next(filter(None, (text(embed, "title") for embed in embeds)), ""),
        text=written or "\n\n".join(filter(None, map(_embedded, embeds))),
        link=_link(payload, channel),
        media=(*_attachments(payload), *_pictures(embeds)),
        original=snapshots[0] if snapshots else None,
        channel=channel,
        at=time_of_ms(payload.get("createdTimestamp")),
    )


def _link(payload: dict[str, JSONValue], channel: str) -> str:
    id_, guild = text(payload, "id"), text(payload, "guildId") or "@me"
    parts = (guild.removeprefix("@me") or "0", channel, id_)
    return f"https://discord.com/channels/{guild}/{channel}/{id_}" if all(map(is_digits, parts)) else ""


def _embedded(embed: dict[str, JSONValue]) -> str:
    """Return the text of an embed, below its title."""
    fields = (f"{text(field, 'name')}: {text(field, 'value')}" for field in mappings(embed.get("fields")))
    return "\n".join(filter(None, (text(embed, "description"), *fields, text(embed, "url"))))


def _snapshot(element: JSONValue) -> Post:
    """Return a forwarded message; it does not contain its author."""
    message = mapping(mapping(element).get("message")) or mapping(element)
    return Post(
        source="discord",
        text=text(message, "cleanContent", "content"),
        media=tuple(_attachments(message)),
        at=time_of_ms(message.get("createdTimestamp")),
    )


def _attachments(message: dict[str, JSONValue]) -> Iterator[Media]:
    """Yield pictures and videos. An attachment of which only the id is known counts as a picture."""
    for attachment in elements(message.get("attachments")):
        described = mapping(attachment)
        kind = text(described, "contentType", "content_type").partition("/")[0]
        if kind == "video":
            yield Media(is_video=True, video=text(described, "url"))
        elif kind == "image" or (isinstance(attachment, str) and attachment):
            yield Media(image=text(described, "url"))


def _pictures(embeds: list[dict[str, JSONValue]]) -> Iterator[Media]:
    for embed in embeds:
        image = text(mapping(embed.get("image")), "url") or text(mapping(embed.get("thumbnail")), "url")
        if image:
            yield Media(image=image)


def tags(payload: dict[str, JSONValue], tag: Tag) -> list[str] | None:
    """Return whom the message mentions: ids of people and roles, and `everyone`; `None` for other tags, which are only in the text."""
    mentions = payload.get("mentions")
    if tag is not Tag.MENTION or not isinstance(mentions, dict):
        return None
    found = ["everyone"] if mentions.get("everyone") is True else []
    for key in ("users", "roles"):
        found += (text({"id": of}, "id") or text(mapping(of), "id") for of in elements(mentions.get(key), MAX_TAGS))
    return found


def has_link(payload: dict[str, JSONValue], post: Post) -> bool:
    """Return whether the text has a web address, or an embed leads to one."""
    embeds = mappings(payload.get("embeds"))
    return any(
        WEB_ADDRESS.search(found) for found in (post.title, post.text, *(text(embed, "url") for embed in embeds))
    )
