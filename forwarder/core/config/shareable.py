"""What of a config may be shown to others, as in a bug report: its settings without secrets, addresses, and contents of rules."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from enum import Enum

import msgspec
from pydantic import BaseModel

from forwarder.core.config.model.root import Config
from forwarder.core.config.values.secret import Secret
from forwarder.core.durations import write_duration
from forwarder.core.event import JSONValue
from forwarder.core.masking import HIDDEN, is_secret_name

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://)(?:[^/?#\s]*@)?([^/?#\s]*)(\S*)", re.IGNORECASE)
_CONTENTS = frozenset(
    {
        "match",
        "matchers",
        "body",
        "success",
        "lists",
        "tests",
        "expect",
        "username",
        "chat_id",
        "thread_id",
        "thread_name",
        "topic",
    }
)
"""Keys whose values are a person's own: rules, and who is written to."""


def shareable(config: Config) -> JSONValue:
    """Return the settings that the config has, as JSON; what is secret or a person's own is replaced by a mark."""
    return _shown(config)


def secrets_of(value: object) -> Iterator[str]:
    """Yield every secret text in a config, or in a part of one."""
    match value:
        case Secret():
            yield value.reveal()
        case BaseModel():
            for name in type(value).model_fields:
                yield from secrets_of(getattr(value, name))
        case Mapping():
            for each in value.values():
                yield from secrets_of(each)
        case str():
            return
        case Sequence():
            for each in value:
                yield from secrets_of(each)


def _shown(value: object) -> JSONValue:
    match value:
        case BaseModel():
            return {
                name: _contents(getattr(value, name))
                if name in _CONTENTS or is_secret_name(name)
                else _shown(getattr(value, name))
                for name in type(value).model_fields
                if name in value.model_fields_set
            }
        case msgspec.Struct():
            return {name: _shown(getattr(value, name)) for name in value.__struct_fields__}
        case Mapping():
            return {str(name): _shown(each) for name, each in value.items()}
        case bool() | int() | float() | None:
            return value
        case Enum():
            return str(value.value)
        case timedelta():
            return write_duration(value)
        case str():
            return _ADDRESS.sub(lambda found: f"{found[1]}{found[2]}" + (f"/{HIDDEN}" if found[3] else ""), value)
        case Sequence() if not isinstance(value, bytes):
            return [_shown(each) for each in value]
        case _:  # a secret, a template, a condition
            return HIDDEN


def _contents(value: object) -> JSONValue:
    """Return how much there is, in the place of what it is."""
    if value is None or isinstance(value, str | Secret | BaseModel):
        return None if value is None else HIDDEN
    return f"{HIDDEN} ({len(value)})" if isinstance(value, Mapping | Sequence) else HIDDEN
