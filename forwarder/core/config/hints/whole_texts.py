"""Finds words that are compared with a whole text, as nobody posts it. `equals:` says that this is meant."""

from collections.abc import Iterator

from forwarder.core.config.hints.show import in_single_quotes, word
from forwarder.core.config.values.scalars import is_null
from forwarder.core.matching.subject import Field
from forwarder.core.yaml.tree import Scalar, Tree

_LONG_TEXTS = frozenset({"text", "title", "payload.text", "payload.full_text"})


def hints_of_whole_text(field: Field, tree: Tree) -> Iterator[str]:
    """Yield a hint for a value or a list of values of a long text, without the name of a test."""
    if field.name not in _LONG_TEXTS:
        return
    values = tree if isinstance(tree, list) else [tree]
    first = values[0] if values and isinstance(values[0], Scalar) else None
    if first is not None and all(values):
        name, shown = field.name, word(first)
        if is_null(first):
            yield f"{shown} matches only the text null; for events without {name} write {name}: {{exists: false}}"
            return
        if first[0] == "!" and first[1:].isalnum():
            meant = in_single_quotes(first[1:], first, instead="value")
            yield f"{shown} matches only if that is the whole {name}; for texts without it write not: {{{name}: {{word: {meant}}}}}"
            return
        yield (
            f"{shown} matches only if that is the whole {name}; to find it within, write {name}: {{word: {shown}}}; "
            f"if it is meant, write {name}: {{equals: {shown}}}"
        )
