"""Suggests the path that was meant when an event does not have a field."""

import difflib
import json
import re

from forwarder.core.event import JSONValue
from forwarder.core.matching.paths import parse_path
from forwarder.core.matching.subject import Field, Subject

_PLAIN_KEY = re.compile(r"[^.\"\s]+")
_MOST_PATHS = 1_000
_LONGEST = 200
"""The longest path that is compared, in characters."""
_ALIKE = 0.75


def nothing_at(field: Field, subject: Subject) -> str:
    """Return a sentence that the event does not have the field, with the path that may have been meant."""
    keys = parse_path(field.name) if field.is_deep else None
    what = "the event" if subject.root is subject.event.payload else "the object"
    name = field.name if field.name.isprintable() else json.dumps(field.name)
    said = f"{what} has no {name}"
    if keys is None:
        return said
    is_below_payload = subject.root is subject.event.payload
    near = _near(keys[1:] if is_below_payload else keys, subject.root)
    return f"{said}; did you mean {'payload.' if is_below_payload else ''}{near}?" if near else said


def _near(keys: tuple[str, ...], root: JSONValue) -> str:
    """Return the path of the event that is most similar to these keys, or nothing."""
    wanted = ".".join(keys)[:_LONGEST]
    found = difflib.get_close_matches(wanted, _paths(root), n=1, cutoff=_ALIKE)
    return found[0] if found else ""


def _paths(root: JSONValue) -> list[str]:
    """Return the paths of an event in the form that conditions have, short ones first."""
    found: dict[str, None] = {}
    level: list[tuple[str, JSONValue]] = [("", root)]
    while level and len(found) < _MOST_PATHS:
        below: list[tuple[str, JSONValue]] = []
        for path, value in level:
            if isinstance(value, list):
                below.extend((path, element) for element in value[:10])
            elif isinstance(value, dict):
                for key, element in value.items():
                    written = f"{path}.{_as_key(key)}" if path else _as_key(key)
                    if len(written) <= _LONGEST and len(found) < _MOST_PATHS:
                        found[written] = None
                        below.append((written, element))
        level = below
    return list(found)


def _as_key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) and key.isprintable() else json.dumps(key)
