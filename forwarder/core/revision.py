"""The routing part of a config as it is kept with the events it was in force for, so that they can be explained later."""

import hashlib
import json
import zlib
from dataclasses import dataclass
from typing import Any

from forwarder.core.tree import Expanded, Scalar, Tree

_LEVEL = 3
"""Of zlib: 10,000 routes in 20 ms, a tenth of their size."""
_DIGITS = 12
_PLAIN, _QUOTED, _EXPANDED, _EXPANDED_QUOTED = "=", "'", "$", "&"
"""Begin a scalar; of one with variables the length of what is written follows, a colon, what is written, then what it holds."""


class NotARevisionError(ValueError):
    """Bytes that are no revision, or none that this program understands."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A routing part by its digest; `data` is what `packed` has made of it."""

    digest: str
    data: bytes

    @property
    def is_sound(self) -> bool:
        """Whether the digest is that of the data."""
        try:
            return _digest(zlib.decompress(self.data)) == self.digest
        except zlib.error:
            return False


def packed(tree: dict[str, Tree], files: dict[str, list[str]]) -> Revision:
    """Return the revision of this tree, and of what the list files that it names held."""
    value = {"routing": _encoded(tree), "files": files}
    text = json.dumps(value, separators=(",", ":")).encode()
    return Revision(_digest(text), zlib.compress(text, _LEVEL))


def unpacked(data: bytes) -> tuple[dict[str, Tree], dict[str, list[str]]]:
    """Return what `packed` took. Raises `NotARevisionError`."""
    try:
        value = json.loads(zlib.decompress(data))
        tree, files = _decoded(value["routing"]), value["files"]
    except (zlib.error, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise NotARevisionError("it cannot be read") from error
    if not isinstance(tree, dict) or not isinstance(files, dict):
        raise NotARevisionError("it holds no routes")
    return tree, files


def _digest(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=_DIGITS // 2).hexdigest()


def _encoded(tree: Tree) -> Any:  # noqa: ANN401 - JSON
    if type(tree) is Scalar:  # nearly all of it
        return (_QUOTED if tree.quoted else _PLAIN) + tree
    if isinstance(tree, dict):
        return {key: _encoded(below) for key, below in tree.items()}
    if isinstance(tree, list):
        return [_encoded(below) for below in tree]
    if isinstance(tree, Expanded):
        mark = _EXPANDED_QUOTED if tree.quoted else _EXPANDED
        return f"{mark}{len(tree.written)}:{tree.written}{tree}"
    return (_QUOTED if tree.quoted else _PLAIN) + str(tree)


def _decoded(value: Any) -> Tree:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _decoded(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_decoded(below) for below in value]
    mark, text = value[0], value[1:]
    if mark in {_PLAIN, _QUOTED}:
        return Scalar(text, quoted=mark == _QUOTED)
    if mark not in {_EXPANDED, _EXPANDED_QUOTED}:
        raise NotARevisionError("it holds what is no scalar")
    length, _, rest = text.partition(":")
    end = int(length)
    return Expanded(rest[end:], quoted=mark == _EXPANDED_QUOTED, written=rest[:end])
