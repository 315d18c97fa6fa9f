"""Conditions from YAML, and events to match them with."""

import json
from datetime import UTC, datetime
from typing import Any

import yaml

from forwarder.core.event import Event, JSONValue, decode_event
from forwarder.core.matching import Condition, Names, Subject, compile_condition
from forwarder.core.yaml.tree import Path, Scalar, Tree

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def tree(text: str) -> Tree:
    """Return the content of a YAML file with this text, as the config reads it."""

    def read(node: yaml.Node) -> Tree:
        match node:
            case yaml.MappingNode():
                return {key.value: read(value) for key, value in node.value}
            case yaml.SequenceNode():
                return [read(element) for element in node.value]
            case _:
                return Scalar(node.value, quoted=isinstance(node, yaml.ScalarNode) and node.style is not None)

    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    return read(node)


def condition(text: str, names: Names | None = None) -> Condition:
    """Return the condition in this text; it must have no mistakes."""
    problems: list[tuple[Path, str]] = []
    compiled = compile_condition(tree(text), lambda path, message: problems.append((path, message)), names)
    assert problems == []
    return compiled


def event(payload: JSONValue = None, **envelope: object) -> Event:
    """Return an event of X, or with another envelope."""
    value = {"mid": "1", "sid": "2", "source": "x", "timestamp": 3, "payload": payload or {}} | envelope
    return decode_event(json.dumps(value).encode())


def subject(payload: JSONValue = None, *, now: datetime = NOW, **envelope: object) -> Subject:
    """Return such an event as conditions see it."""
    return Subject(event(payload, **envelope), now)


def decoded(frame: bytes) -> Subject:
    """Return the event of this frame as conditions see it."""
    return Subject(decode_event(frame), NOW)


_OF_ENVELOPE = ("source", "sid", "mid", "timestamp")


def subject_of(described: dict[str, Any]) -> Subject:
    """Return the event of a flat description: `now`, the keys of the envelope, and everything else as payload."""
    now = datetime.fromisoformat(described["now"]) if "now" in described else NOW
    envelope = {key: described[key] for key in _OF_ENVELOPE if key in described}
    payload = {key: value for key, value in described.items() if key != "now" and key not in _OF_ENVELOPE}
    return subject(payload, now=now, **envelope)
