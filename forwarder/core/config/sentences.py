"""What pydantic found, in our words and at its place in the file."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from forwarder.core.breaker import BreakerPolicy
from forwarder.core.config.destination import DestinationConfig, DestinationSettings
from forwarder.core.config.fields import keys_of
from forwarder.core.config.model import AdminConfig, Config
from forwarder.core.config.pacing import BreakerConfig, RateLimitConfig
from forwarder.core.config.places import Findings
from forwarder.core.config.problems import quote
from forwarder.core.config.retry import RetrySchedule
from forwarder.core.config.scalars import PUBLIC_STREAM, is_null, kind
from forwarder.core.rate import Rate
from forwarder.core.retry import RetryPolicy
from forwarder.core.tree import Path

_PLANNED: dict[type[BaseModel], frozenset[str]] = {
    AdminConfig: frozenset({"listen"}),
}
"""Keys of the design that this version does not know yet."""

_MEANT: dict[Any, type[BaseModel]] = {RetryPolicy: RetrySchedule, Rate: RateLimitConfig, BreakerPolicy: BreakerConfig}
"""Sections whose field holds what they mean."""

_KEY = "[key]"
"""What pydantic ends a path with when the key of a mapping is meant and not its value."""


def tell(error: ErrorDetails, findings: Findings) -> None:
    """Note one of pydantic's errors. Every type that our models can raise has its sentence here."""
    path: Path = error["loc"]
    match error["type"]:
        case "value_error" if path[-1] == _KEY and not findings.has(path):
            findings.add_at_key(path[:-1], str(error["ctx"]["error"]))
        case "value_error":
            findings.add(path, str(error["ctx"]["error"]))
        case "extra_forbidden":
            findings.add_at_key(path, _unknown(path, findings))
        case "missing" if findings.has(path):
            findings.add(path, "the value is missing")
        case "missing":
            findings.add(path, _missing(path))
        case "too_short":
            findings.add(path, "at least one is needed here")
        case "too_long":
            findings.add(
                path, f"{error['ctx']['actual_length']} are too many; {error['ctx']['max_length']} are allowed"
            )
        case "list_type":
            findings.add(path, _expected("a list", error["input"]))
        case _:  # model_type, dict_type
            findings.add(path, _expected("a mapping", error["input"]))


def _expected(what: str, came: object) -> str:
    return f"the value is missing; {what} is expected" if is_null(came) else f"expected {what}, got {kind(came)}"


def _unknown(path: Path, findings: Findings) -> str:
    section, key = _section(path[:-1]), str(path[-1])
    if key in _PLANNED.get(section, ()):
        return f"{quote(key)} is not supported by this version yet"
    if section is DestinationSettings and key in keys_of(DestinationConfig):
        return f"{quote(key)} is of each destination alone; write it there"
    nearest = findings.did_you_mean(key, keys_of(section))
    return f"unknown key{nearest or '; known are ' + ', '.join(keys_of(section))}"


def _missing(path: Path) -> str:
    key = str(path[-1])
    if key == "api_key" and path[0] == "streams":
        return f'the key "api_key" (or "api_key_file") is missing; without one there is only the public stream: {PUBLIC_STREAM}'
    if f"{key}_file" in keys_of(_section(path[:-1])):
        return f'the key "{key}" (or "{key}_file") is missing'
    return f'the key "{key}" is missing'


def _section(path: Path) -> type[BaseModel]:
    """Return the model that describes the mapping at `path`, or the one around it."""
    section: type[BaseModel] = Config
    for key in path:
        field = keys_of(section).get(str(key))
        if field is not None:  # else it is the number in a list or the name in a mapping
            sections = _sections((field.annotation, *field.metadata))
            section = next(sections, section)
    return section


def _sections(parts: tuple[Any, ...]) -> Iterator[type[BaseModel]]:
    """Yield the models that a type is made of."""
    for part in parts:
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield part
        elif part in _MEANT:
            yield _MEANT[part]
        else:
            yield from _sections(get_args(part))
