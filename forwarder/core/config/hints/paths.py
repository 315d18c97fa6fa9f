"""Finds paths into the payload that read nothing: with an index, a placeholder, or a part that is no key."""

import re
from collections.abc import Iterator

from forwarder.core.matching.subject import Field

_INDEX = re.compile(r"\[[^\]]*\]|\.(?:[0-9]+|\*)(?=\.|$)")
_AS_TESTS = frozenset(
    {"equals", "contains", "prefix", "suffix", "wildcard", "regex", "gt", "gte", "lt", "lte", "between", "older_than"}
)
"""The tests that no payload has as a key."""


def hints_of_path(field: Field) -> Iterator[str]:
    """Yield the hints about a field that is a path."""
    name = field.name
    if not field.is_deep or '"' in name:
        return
    if _INDEX.search(name):
        yield f"a path has no index: it goes through every element of an array; write {_INDEX.sub('', name)}"
        return
    if name.startswith("payload.payload."):
        yield f"the payload is named twice; write {name.removeprefix('payload.')}"
    head, _, last = name.rpartition(".")
    if last in _AS_TESTS and head not in {"", "payload"}:
        yield f"this reads the key {last} of {head}; for the test write {head}: {{{last}: …}}"
