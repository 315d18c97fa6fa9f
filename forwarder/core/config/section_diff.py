"""Describes the differences between two versions of a section, in the words of the file.

Durations, numbers, switches and words of a closed set are shown with their old and new value. Everything else (URLs, headers, keys,
texts) may be a secret, so only the fact that it changed is shown.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Literal, get_args, get_origin

from pydantic import BaseModel

from forwarder.core.config.values.quantities import write_size
from forwarder.core.dispatch.token_bucket import Rate
from forwarder.core.durations import write_duration
from forwarder.core.routing.sampling import write_share

_NAMES = frozenset({"to"})
"""Keys with the names of destinations."""
_SIZES = frozenset({"max_size", "compress_from"})


def differences(old: BaseModel, new: BaseModel, prefix: str = "") -> Iterator[str]:
    """Yield a few words for each key with another value. A file with another name and the same text is no difference."""
    for key, field in type(old).model_fields.items():
        before, after = getattr(old, key), getattr(new, key)
        if key.endswith("_file") or before == after:
            continue
        name = f"{prefix}{key}"
        if isinstance(before, BaseModel) and isinstance(after, BaseModel):
            yield from differences(before, after, f"{name}.")
        elif isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from of_mappings(before, after, f"{name}.")
        elif key in _NAMES:
            yield f"{name} {', '.join(before)} → {', '.join(after)}"
        elif _is_open(before, field.annotation) and _is_open(after, field.annotation):
            yield f"{name} {_shown(before, key)} → {_shown(after, key)}"
        else:
            yield f"{name} {_became(before, after)}"


def of_mappings(old: Mapping[str, object], new: Mapping[str, object], prefix: str) -> Iterator[str]:
    """Yield the same for two mappings from names."""
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if isinstance(before, tuple) and isinstance(after, tuple):
            more, fewer = len(set(after) - set(before)), len(set(before) - set(after))
            counts = [f"{count:,} {word}" for count, word in ((more, "added"), (fewer, "removed")) if count]
            yield f"{prefix}{name}: {', '.join(counts) or 'another order'}"
        else:
            yield f"{prefix}{name} {_became(before, after)}"


def _became(before: object, after: object) -> str:
    return "added" if before is None else "removed" if after is None else "changed"


def _is_open(value: object, annotation: object) -> bool:
    """Return whether a value can be shown, because it cannot be a secret."""
    return value is None or isinstance(value, timedelta | int | float | StrEnum | Rate) or _is_literal(annotation)


def _is_literal(annotation: object) -> bool:
    return get_origin(annotation) is Literal or any(map(_is_literal, get_args(annotation)))


def _shown(value: object, key: str) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case timedelta():
            return write_duration(value)
        case int() if key == "sample":
            return write_share(value)
        case int() if key in _SIZES:
            return write_size(value)
        case Rate():
            burst = f" (burst {value.burst})" if value.burst > 1 else ""
            return f"{value.count}/{write_duration(value.per).removeprefix('1')}{burst}"
        case _:
            return str(value)
