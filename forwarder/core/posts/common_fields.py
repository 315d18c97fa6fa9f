"""The fields that are the same for all sources. docs/fields.md lists where each source keeps them.

The fields mean the same as in messages and templates, because all of them read the same `Post`. There is one difference: if no field
of an event is known, a message shows its JSON, and here the event has no `text`.
"""

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from forwarder.core.event import JSONValue
from forwarder.core.posts import Kind, Post, Tag, has_link, read_payload, read_tags


class Facts:
    """An event's source, payload and time (Unix milliseconds), and its post, which is read once when it is first needed."""

    __slots__ = ("_post", "fields", "payload", "source", "timestamp")

    def __init__(self, source: str, payload: JSONValue, timestamp: float) -> None:
        self.source = source
        self.payload = payload
        self.timestamp = timestamp
        self.fields: dict[str, JSONValue] = payload if isinstance(payload, dict) else {}
        """The payload, or an empty object if the payload is not an object."""
        self._post: Post | None = None

    @property
    def post(self) -> Post:
        """The post of the payload."""
        if self._post is None:
            self._post = read_payload(self.source, self.fields, self.timestamp)
        return self._post


class CommonField(msgspec.Struct, frozen=True, kw_only=True):
    """A field that rules can test for events of every source."""

    name: str
    description: str
    """What the field contains, in one line."""
    read: Callable[[Facts], tuple[JSONValue, ...]]
    """Returns the values, or none if the event does not contain the field. Never raises, for any JSON."""
    ignores_case: bool
    """Whether conditions ignore case unless `ignore_case` is set."""
    marker: str = ""
    """A mark, such as the `@` of a handle, that the config may have before a value. The values read have none."""
    values: tuple[str, ...] = ()
    """All possible values, or none if any text is possible."""
    is_many: bool = False
    """Whether the field may have several values at once."""


def _said(value: str) -> tuple[JSONValue, ...]:
    return (value,) if value else ()


def _text(facts: Facts) -> tuple[JSONValue, ...]:
    post = facts.post
    if (
        not post.text and post.original is not None and facts.source == "discord"
    ):  # a forwarded message has no text of its own
        post = post.original
    return _said(f"{post.title}\n{post.text}" if post.title and post.text else post.title or post.text)


def _kind(facts: Facts) -> tuple[JSONValue, ...]:
    """Return the kind. A fast-x event does not contain it, but the text of a repost begins with `RT @`."""
    if facts.source == "fast-x" and facts.post.text.startswith("RT @"):
        return (Kind.REPOST.value,)
    return (facts.post.kind.value,)


def _tags(tag: Tag, facts: Facts) -> tuple[JSONValue, ...]:
    return read_tags(tag, facts.fields, facts.post)


def _texts(name: str, description: str, read: Callable[[Post], str]) -> CommonField:
    """Return a text field that ignores case by default."""
    return CommonField(
        name=name, description=description, read=lambda facts: _said(read(facts.post)), ignores_case=True
    )


def _handle(name: str, description: str, read: Callable[[Post], str]) -> CommonField:
    return CommonField(
        name=name,
        description=description,
        read=lambda facts: _said(read(facts.post).lstrip("@")),
        ignores_case=True,
        marker="@",
    )


def _exact(name: str, description: str, read: Callable[[Post], str]) -> CommonField:
    return CommonField(
        name=name,
        description=description,
        read=lambda facts: _said(read(facts.post)),
        ignores_case=False,
    )


def _flag(name: str, description: str, read: Callable[[Facts], bool]) -> CommonField:
    return CommonField(
        name=name,
        description=description,
        read=lambda facts: (read(facts),),
        ignores_case=False,
        values=("true", "false"),
    )


def _several(name: str, description: str, tag: Tag) -> CommonField:
    return CommonField(
        name=name, description=description, read=partial(_tags, tag), ignores_case=True, marker=tag.value, is_many=True
    )


_FIELDS = (
    CommonField(
        name="text", description="What a person reads: the title, if any, and the text.", read=_text, ignores_case=True
    ),
    _texts("title", "The title, of feeds, notices and embeds.", lambda post: post.title),
    _handle("author", "The handle of who wrote it, with or without @.", lambda post: post.author.handle),
    _exact("author_id", "The id of who wrote it.", lambda post: post.author.id),
    _texts("author_name", "The name of who wrote it, as it is displayed.", lambda post: post.author.name),
    _exact("channel", "The id of the Telegram or Discord channel.", lambda post: post.channel),
    _exact("link", "The address of the post.", lambda post: post.link),
    _texts("lang", "The language, as the source names it: en, ja.", lambda post: post.lang),
    CommonField(
        name="kind",
        description="How the post relates to others.",
        read=_kind,
        ignores_case=False,
        values=tuple(Kind),
    ),
    _flag("has_media", "Whether it has pictures or videos of its own.", lambda facts: facts.post.has_media),
    _flag(
        "has_link",
        "Whether it has a web link, besides those to its own pictures and quoted post.",
        lambda facts: has_link(facts.fields, facts.post),
    ),
    _flag(
        "has_video",
        "Whether it has a video of its own.",
        lambda facts: any(media.is_video for media in facts.post.media),
    ),
    _several("symbols", "Its cashtags, with or without $.", Tag.SYMBOL),
    _several("hashtags", "Its hashtags, with or without #.", Tag.HASHTAG),
    _several("mentions", "Whom it mentions: handles, with or without @, or ids.", Tag.MENTION),
    _handle("reply_to", "The handle of whoever it answers, with or without @.", lambda post: post.reply_to),
)

COMMON_FIELDS: Mapping[str, CommonField] = {field.name: field for field in _FIELDS}
"""The common fields by name, in the order of the documentation."""
