"""Reads paths into JSON, such as `payload.author.id`, and follows them. A key that contains a dot is written in `"…"`."""

import json
import re
from collections.abc import Iterator, Sequence

from forwarder.core.event import JSONValue

_STEP = re.compile(r'"(?:[^"\\]|\\.)*"|[^."]+')


def parse_path(written: str) -> tuple[str, ...] | None:
    """Return the keys of a path, or `None` if the text is not a path: it has an empty key or an open quote."""
    keys: list[str] = []
    at = 0
    while found := _STEP.match(written, at):
        step = found[0]
        try:
            keys.append(json.loads(step) if step[0] == '"' else step)
        except ValueError:
            return None
        at = found.end()
        if at == len(written):
            return tuple(keys)
        if written[at] != ".":
            return None
        at += 1
    return None


def nodes_at(value: JSONValue, keys: Sequence[str]) -> Iterator[JSONValue]:
    """Yield every value that the path leads to. An array on the way is replaced by its elements; an array at the end is one value.

    This is a loop and no recursion, because a payload may be nested 500 levels deep.
    """
    waiting = [(value, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth == len(keys):
            yield value
        elif isinstance(value, dict):
            if keys[depth] in value:
                waiting.append((value[keys[depth]], depth + 1))
        elif isinstance(value, list):
            waiting.extend((element, depth) for element in reversed(value))


def elements_of(value: JSONValue) -> Iterator[JSONValue]:
    """Yield the value, or the elements of an array, including those of nested arrays."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(reversed(value))
        else:
            yield value
