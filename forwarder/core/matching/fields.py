"""The fields a condition may name."""

from forwarder.core.common_fields import COMMON_FIELDS, CommonField
from forwarder.core.matching.paths import nodes_at, parse_path
from forwarder.core.matching.subject import Field

NOW = Field("now", lambda subject: (subject.now,), is_single=True)
"""When the event is matched, which is when it arrived: for quiet hours."""
_ENVELOPE = (
    Field("source", lambda subject: (subject.event.source,), is_single=True),
    Field("sid", lambda subject: (subject.event.sid,), is_single=True),
    Field("mid", lambda subject: (subject.event.mid,), is_single=True),
    Field("timestamp", lambda subject: (subject.event.timestamp,), is_single=True),
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
"""All fields but the paths into the payload."""


def field_of(name: str) -> Field | None:
    """Return the field of that name, or `None` where there is none."""
    if (known := NAMED_FIELDS.get(name)) is not None:
        return known
    keys = parse_path(name)
    return _path(name, keys[1:]) if keys is not None and keys[0] == "payload" and keys[1:] else None


def path_within(name: str) -> Field | None:
    """Return the field that reads a path below an element, or `None` where the name is no path."""
    keys = parse_path(name)
    return None if keys is None else _path(name, keys)


def _path(name: str, keys: tuple[str, ...]) -> Field:
    return Field(name, lambda subject: tuple(nodes_at(subject.root, keys)), is_deep=True)
