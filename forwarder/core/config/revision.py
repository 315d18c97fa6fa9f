"""A revision: the routing part of a config as bytes, stored with the events that it routed, to explain them later."""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from forwarder.core.yaml.tree import Expanded, Scalar, Sealed, Tree

_LEVEL = 3
"""The compression level of zlib: 10,000 routes take 20 ms, and a tenth of their size."""
_DIGITS = 12
_PLAIN, _QUOTED, _EXPANDED, _EXPANDED_QUOTED, _SEALED, _SEALED_QUOTED = "=", "'", "$", "&", "#", "%"
"""The first character of a scalar. With variables and for a digest, the length of the written text follows, a colon, the written text, and the
value or its digest."""


class NotARevisionError(ValueError):
    """The bytes are not a revision that this program can read."""


class Revision(msgspec.Struct, frozen=True):
    """The packed routing part of a config, and its digest."""

    digest: str
    data: bytes

    @property
    def is_sound(self) -> bool:
        """Whether the digest fits the data."""
        try:
            return _digest(zlib.decompress(self.data)) == self.digest
        except zlib.error:
            return False


class Unpacked(NamedTuple):
    """What a revision contains."""

    tree: dict[str, Tree]
    files: dict[str, tuple[Scalar, ...]]
    """The values of the list files, by the names of the files."""
    salt: str
    """What its digests were made with; empty in a revision of an older version, which has none."""
    routes: str
    """A digest of all but the destinations; empty in a revision of an older version."""


def stored(data: bytes) -> Revision:
    """Return the revision that was packed to these bytes."""
    return Revision(_digest(zlib.decompress(data)), data)


def fingerprint(tree: dict[str, Tree], files: Mapping[str, Sequence[Scalar]]) -> str:
    """Return a digest of a tree and of the values in its list files, before any of them are replaced by digests."""
    return _digest(json.dumps([_encoded(tree), {name: "\n".join(lines) for name, lines in files.items()}]).encode())


def packed(
    tree: dict[str, Tree], files: Mapping[str, Sequence[Scalar]], *, salt: str = "", routes: str = ""
) -> Revision:
    """Return the revision of a tree and of the values in its list files; `salt` is that of the digests in them.

    `routes` is a digest of all but the destinations.
    """
    lists = {name: list(map(_encoded, lines)) for name, lines in files.items()}
    value = {"routing": _encoded(tree), "lists": lists, "salt": salt, "routes": routes}
    text = json.dumps(value, separators=(",", ":")).encode()
    return Revision(_digest(text), zlib.compress(text, _LEVEL))


def unpacked(data: bytes) -> Unpacked:
    """Return the arguments of `packed`, also for a revision of an older version. Raises `NotARevisionError`."""
    try:
        value = json.loads(zlib.decompress(data))
        salt, routes = value.get("salt", ""), value.get("routes", "")
        tree = _decoded(value["routing"], salt)
        lists = _decoded(value["lists"], salt) if "lists" in value else _of_older_version(value["files"])
    except (zlib.error, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise NotARevisionError("it cannot be read") from error
    if (
        not isinstance(tree, dict)
        or not isinstance(lists, dict)
        or not isinstance(salt, str)
        or not isinstance(routes, str)
    ):
        raise NotARevisionError("it contains no routes")
    files = {
        name: tuple(line for line in lines if isinstance(line, Scalar))
        for name, lines in lists.items()
        if isinstance(lines, list)
    }
    return Unpacked(tree, files, salt, routes)


def _of_older_version(files: Any) -> Tree:  # noqa: ANN401 - JSON
    """Return the list files of a revision that has their lines as texts."""
    return {name: [Scalar(line) for line in lines] for name, lines in files.items()}


def _digest(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=_DIGITS // 2).hexdigest()


def _encoded(tree: Tree) -> Any:  # noqa: ANN401 - JSON
    if type(tree) is Scalar:  # nearly all of it
        return (_QUOTED if tree.quoted else _PLAIN) + tree
    if type(tree) is Sealed:
        return f"{_SEALED_QUOTED if tree.quoted else _SEALED}{len(tree.written)}:{tree.written}{tree}"
    if isinstance(tree, dict):
        return {key: _encoded(below) for key, below in tree.items()}
    if isinstance(tree, list):
        return [_encoded(below) for below in tree]
    if isinstance(tree, Expanded):
        mark = _EXPANDED_QUOTED if tree.quoted else _EXPANDED
        return f"{mark}{len(tree.written)}:{tree.written}{tree}"
    return (_QUOTED if tree.quoted else _PLAIN) + str(tree)


def _decoded(value: Any, salt: str) -> Tree:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _decoded(below, salt) for key, below in value.items()}
    if isinstance(value, list):
        return [_decoded(below, salt) for below in value]
    mark, text = value[0], value[1:]
    if mark in {_PLAIN, _QUOTED}:
        return Scalar(text, quoted=mark == _QUOTED)
    if mark not in {_EXPANDED, _EXPANDED_QUOTED, _SEALED, _SEALED_QUOTED}:
        raise ValueError("an unknown kind of scalar")
    length, _, rest = text.partition(":")
    end = int(length)
    if mark in {_SEALED, _SEALED_QUOTED}:
        return Sealed(rest[end:], quoted=mark == _SEALED_QUOTED, written=rest[:end], salt=salt)
    return Expanded(rest[end:], quoted=mark == _EXPANDED_QUOTED, written=rest[:end])
