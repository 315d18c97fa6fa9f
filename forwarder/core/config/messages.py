"""Reports the errors that pydantic finds, in sentences of our own and with their place in the file."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from forwarder.core.config.model.destination import DestinationConfig, DestinationSettings
from forwarder.core.config.model.rate_and_breaker import BreakerConfig, RateLimitConfig
from forwarder.core.config.model.retry import RetrySchedule
from forwarder.core.config.model.root import Config
from forwarder.core.config.values.scalars import is_null, kind
from forwarder.core.config.values.section import keys_of
from forwarder.core.dispatch.circuit_breaker import BreakerPolicy
from forwarder.core.dispatch.retry import RetryPolicy
from forwarder.core.dispatch.token_bucket import Rate
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.problems import quote
from forwarder.core.yaml.tree import Path

_MEANT: dict[Any, type[BaseModel]] = {RetryPolicy: RetrySchedule, Rate: RateLimitConfig, BreakerPolicy: BreakerConfig}
"""The section that describes a field, by the type of the value that the field stores."""

_MAPPINGS: dict[Path, str] = {("on_failure",): "a mapping such as {to: alerts}"}
"""What is expected for a key where people write a single value."""

_KEY = "[key]"
"""The end of pydantic's path for an error in the key of a mapping, not in its value."""


def report_error(error: ErrorDetails, findings: Findings) -> None:
    """Report one of pydantic's errors. Every type that our models can raise has its sentence here."""
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
            findings.add(path, "it is empty; write at least one element")
        case "too_long":
            findings.add(
                path, f"the list has {error['ctx']['actual_length']} elements; {error['ctx']['max_length']} are allowed"
            )
        case "list_type":
            findings.add(path, _expected("a list", error["input"]))
        case _:  # model_type, dict_type
            findings.add(path, _expected(_MAPPINGS.get(path[-1:], "a mapping"), error["input"]))


def _expected(what: str, came: object) -> str:
    return f"the value is missing; write {what}" if is_null(came) else f"expected {what}, got {kind(came)}"


def _unknown(path: Path, findings: Findings) -> str:
    section, key = _section(path[:-1]), str(path[-1])
    if section is DestinationSettings and key in keys_of(DestinationConfig):
        return f"{quote(key)} is not allowed in defaults; write it in each destination"
    nearest = findings.did_you_mean(key, keys_of(section))
    return f"unknown key{nearest or '; the keys are ' + ', '.join(keys_of(section))}"


def _missing(path: Path) -> str:
    key = str(path[-1])
    if f"{key}_file" in keys_of(_section(path[:-1])):
        return f'the key "{key}" (or "{key}_file") is missing'
    return f'the key "{key}" is missing'


def _section(path: Path) -> type[BaseModel]:
    """Return the model that describes the mapping at `path`, or the one around it."""
    section: type[BaseModel] = Config
    for key in path:
        field = keys_of(section).get(str(key))
        if field is not None:  # else the key is a number in a list or a name in a mapping
            sections = _sections((field.annotation, *field.metadata))
            section = next(sections, section)
    return section


def _sections(parts: tuple[Any, ...]) -> Iterator[type[BaseModel]]:
    """Yield the models in a type."""
    for part in parts:
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield part
        elif part in _MEANT:
            yield _MEANT[part]
        else:
            yield from _sections(get_args(part))
