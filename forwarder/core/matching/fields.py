"""The fields that a condition may test."""

from forwarder.core.event import KNOWN_SOURCES
from forwarder.core.matching.paths import nodes_at, parse_path
from forwarder.core.matching.subject import Field
from forwarder.core.posts.common_fields import COMMON_FIELDS, CommonField

NOW = Field("now", lambda subject: (subject.now,), is_single=True)
"""The time at which the event is matched, which is when it arrived. For quiet hours."""
_ENVELOPE = (
    Field("source", lambda subject: (subject.event.source,), known=KNOWN_SOURCES, is_single=True),
    Field("sid", lambda subject: (subject.event.sid,), is_single=True),
    Field("mid", lambda subject: (subject.event.mid,), is_single=True),
    Field("timestamp", lambda subject: (subject.event.timestamp,), is_single=True),
    Field("truncated", lambda subject: (subject.event.truncated,), values=("true", "false"), is_single=True),
    NOW,
)


def _common(known: CommonField) -> Field:
    read = known.read
    return Field(
        known.name,
        lambda subject: read(subject.facts),
        ignores_case=known.ignores_case,
        marker=known.marker,
        values=known.values,
        is_single=not known.is_many,
    )


NAMED_FIELDS: dict[str, Field] = {
    each.name: each for each in (*_ENVELOPE, *(_common(known) for known in COMMON_FIELDS.values()))
}
"""All fields except the paths into the payload."""


def field_of(name: str) -> Field | None:
    """Return the field with this name, or `None` if there is none."""
    if (known := NAMED_FIELDS.get(name)) is not None:
        return known
    keys = parse_path(name)
    return _path(name, keys[1:]) if keys is not None and keys[0] == "payload" and keys[1:] else None


def path_within(name: str) -> Field | None:
    """Return the field for a path that begins at an element, or `None` if the name is not a path."""
    keys = parse_path(name)
    return None if keys is None else _path(name, keys)


def _path(name: str, keys: tuple[str, ...]) -> Field:
    return Field(name, lambda subject: tuple(nodes_at(subject.root, keys)), is_deep=True)
