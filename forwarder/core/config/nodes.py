"""From bytes to nodes: YAML's structure, each node with its place, nothing interpreted.

Read from libyaml's events and not from `yaml.compose`, for three reasons: an explicit tag can still be told from a resolved
one, depth is bounded before anything recurses, and an alias costs what it stands for at the moment it is met, so a bomb
of aliases or merge keys is refused before it is expanded. The C loader, because it reads the largest file allowed well
within a second (the Python one needs many), because its marks count characters as the Python one's do, and because its
messages are fixed sentences: they never quote the file, which may hold a secret.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from forwarder.core.config.problems import MAX_TOLD, Problem, quote, render_path
from forwarder.core.tree import Path, Scalar

MAX_BYTES = 8 << 20
MAX_DEPTH = 50
MAX_NODES = 500_000
"""Counted with every alias expanded. A long text counts once more for each 100 characters: what aliases multiply is bounded too.

10,000 routes with ten authors and ten words each come to 3 MiB and 370,000 nodes."""
MAX_ALIASES = 50_000

_CHARACTERS_A_NODE = 100
_MERGE = "<<"
_BOM = "\ufeff"
_LINE_BREAK = re.compile(r"\r\n?|\n")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What YAML calls unprintable, and three marks (U+0085, U+2028, U+2029) that it takes for line breaks and editors do not."""

_HINTS = {
    "mapping values are not allowed in this context": 'a value that holds ": " must stand in quotes',
    "found character that cannot start any token": "indent with spaces, not tabs; a value that begins with @, ` or % "
    "must stand in quotes",
    "did not find expected key": "is the line indented as its neighbours are?",
    "did not find expected '-' indicator": "is the line indented as its neighbours are?",
    "found unexpected end of stream": "is a quote missing?",
    "found a tab character that violates indentation": "indent with spaces, not tabs",
}


class _Mark(Protocol):
    line: int
    column: int


class TextNode(Scalar):
    """A scalar and its place. It stands in the tree too, where it has no variables in it: most of a large file is scalars."""

    __slots__ = ("column", "line")

    line: int
    column: int
    height = 0

    @property
    def size(self) -> int:
        """See `Node`."""
        return 1 + len(self) // _CHARACTERS_A_NODE


@dataclass(slots=True)
class ListNode:
    """A sequence."""

    line: int
    column: int
    items: "list[Node]" = field(default_factory=list)
    size: int = 1
    height: int = 1


@dataclass(slots=True)
class Entry:
    """A value of a mapping, and where its key stands."""

    line: int
    column: int
    value: "Node"


@dataclass(slots=True)
class MapNode:
    """A mapping, its merge keys already applied."""

    line: int
    column: int
    entries: dict[str, Entry] = field(default_factory=dict)
    size: int = 1
    height: int = 1


Node = TextNode | ListNode | MapNode
"""`size` counts the nodes below and itself with every alias and merge expanded, `height` the levels of nesting."""


class RefusedError(Exception):
    """A file that cannot be read further; `problem` says why."""

    def __init__(self, line: int, column: int, message: str, path: Path = ()) -> None:
        self.problem = Problem(line, column, render_path(path), message)
        super().__init__(message)


def read_nodes(data: bytes) -> tuple[Node, list[Problem]]:
    """Return the root of the file and the mistakes that did not stop the reading: repeated keys, tags, bad merges.

    Raises `RefusedError` for what does: wrong encoding, wrong YAML, and each of the bounds above.
    """
    text = _decode(data)
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text) from None
    if builder.root is None:
        raise RefusedError(1, 1, "the file is empty")
    return builder.root, builder.problems


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise RefusedError(1, 1, f"the file is {len(data)} bytes long; {MAX_BYTES} are allowed")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line, column = _place(data[: error.start].decode())
        raise RefusedError(
            line, column, f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from None
    text = text.removeprefix(_BOM)
    if found := _FORBIDDEN.search(text):
        line, column = _place(text[: found.start()])
        raise RefusedError(line, column, f"the character U+{ord(found[0]):04X} is not allowed here")
    return text


def _place(before: str) -> tuple[int, int]:
    """Return line and column, both from 1, of what follows this text."""
    lines = _LINE_BREAK.split(before.removeprefix(_BOM))
    return len(lines), len(lines[-1]) + 1


def _position(mark: "_Mark | None") -> tuple[int, int]:
    """Return a place as people count; libyaml gives one with every event."""
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _syntax_error(error: yaml.MarkedYAMLError, text: str) -> RefusedError:
    mark, begin, said = error.problem_mark, error.context_mark, error.problem or ""
    line, column = _position(mark)
    context = f"{error.context} that begins on line {begin.line + 1}: " if error.context and begin else ""
    if (
        "nesting depth" in said
    ):  # libyaml from 0.2.6 on has a bound of its own, and looks further ahead than we have got
        return RefusedError(line, column, f"nested more than {MAX_DEPTH} deep")
    hint = _HINTS.get(said, "")
    lines = _LINE_BREAK.split(text)
    if said.startswith("did not find expected ','") and line <= len(lines) and "${" in lines[line - 1]:
        hint = 'between { } or [ ] a "${NAME}" must stand in quotes'
    return RefusedError(line, column, f"not valid YAML: {context}{said}{'; ' if hint else ''}{hint}")


@dataclass(slots=True)
class _Frame:
    """A list or mapping whose end has not come yet."""

    node: ListNode | MapNode
    key: TextNode | None = None
    merged: list[MapNode] | None = None

    @property
    def steps(self) -> Path:
        """Which element comes next; nothing before a key."""
        if isinstance(self.node, ListNode):
            return (len(self.node.items),)
        return (str(self.key),) if self.key is not None else ()


class _Builder:
    """Makes nodes of events, with a stack of its own and a count of what the file costs."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._node_count = 0
        self._alias_count = 0

    def take(self, event: yaml.Event) -> None:
        """Add what the event says."""
        mark = event.start_mark
        assert mark is not None  # noqa: S101 - libyaml gives one with every event
        line, column = mark.line + 1, mark.column + 1
        if isinstance(event, ScalarEvent):  # most of all events
            node = str.__new__(TextNode, event.value)
            node.quoted, node.line, node.column = bool(event.style), line, column
            self._begin(node, event)
            self._add(node)
        elif isinstance(event, MappingStartEvent):
            self._open(MapNode(line, column), event)
        elif isinstance(event, SequenceStartEvent):
            self._open(ListNode(line, column), event)
        elif isinstance(event, CollectionEndEvent):
            self._close()
        elif isinstance(event, AliasEvent):
            self._add(self._resolve(str(event.anchor), line, column))
        elif isinstance(event, DocumentStartEvent) and self.root is not None:
            raise RefusedError(line, column, "a second document begins here; the file must hold one")

    def _path(self) -> Path:
        return tuple(step for frame in self._stack for step in frame.steps)

    def _report(self, place: Node, message: str) -> None:
        if len(self.problems) < MAX_TOLD:
            self.problems.append(Problem(place.line, place.column, render_path(self._path()), message))

    def _refuse(self, line: int, column: int, message: str) -> RefusedError:
        return RefusedError(line, column, message, self._path())

    def _begin(self, node: Node, event: ScalarEvent | CollectionStartEvent) -> None:
        self._count(node.size, node.line, node.column)
        if (tag := event.tag) is not None:
            written = tag.replace("tag:yaml.org,2002:", "!!")
            self._report(node, f"the tag {quote(written)} is not supported; write the value without it")
        if event.anchor is not None:
            self._anchors[event.anchor] = node

    def _count(self, size: int, line: int, column: int) -> None:
        self._node_count += size
        if self._node_count > MAX_NODES:
            raise self._refuse(line, column, f"more than {MAX_NODES} values up to here, each alias counted in full")

    def _open(self, node: ListNode | MapNode, event: CollectionStartEvent) -> None:
        if self._expects_key():
            raise self._refuse(
                node.line, node.column, "a key must be a text; a value that begins with { or [ must stand in quotes"
            )
        self._begin(node, event)
        self._check_depth(node.height, node.line, node.column)
        self._stack.append(_Frame(node))

    def _check_depth(self, height: int, line: int, column: int) -> None:
        if len(self._stack) + height > MAX_DEPTH:
            raise self._refuse(line, column, f"nested more than {MAX_DEPTH} deep")

    def _resolve(self, anchor: str, line: int, column: int) -> Node:
        self._alias_count += 1
        if self._alias_count > MAX_ALIASES:
            raise self._refuse(line, column, f"more than {MAX_ALIASES} aliases")
        node = self._anchors.get(anchor)
        if node is None:
            raise self._refuse(line, column, f"no anchor &{anchor} stands before this alias")
        if any(frame.node is node for frame in self._stack):
            raise self._refuse(line, column, f"the alias *{anchor} stands within what it names")
        self._count(node.size, line, column)
        self._check_depth(node.height, line, column)
        return node

    def _expects_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].node, MapNode) and self._stack[-1].key is None

    def _close(self) -> None:
        frame = self._stack.pop()
        if isinstance(frame.node, MapNode):
            # What stands in the mapping itself goes before what is merged, an earlier merge before a later one.
            for mapping in frame.merged or ():
                for key, entry in mapping.entries.items():
                    frame.node.entries.setdefault(key, entry)
        self._add(frame.node)

    def _add(self, node: Node) -> None:
        """Put a finished node where it belongs."""
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        above = frame.node
        if isinstance(above, ListNode):
            above.items.append(node)
        elif frame.key is not None:
            self._put(frame, above, frame.key, node)
            frame.key = None
        else:
            frame.key = self._key(node)
        above.size += node.size
        if node.height >= above.height:
            above.height = node.height + 1

    def _key(self, node: Node) -> TextNode:
        if not isinstance(node, TextNode):
            raise self._refuse(node.line, node.column, "a key must be a text")
        if not node and not node.quoted:
            raise self._refuse(node.line, node.column, 'a key is missing before ":"')
        return node

    def _put(self, frame: _Frame, mapping: MapNode, key: TextNode, value: Node) -> None:
        name = sys.intern(str(key))  # the same few words in thousands of mappings
        if name == _MERGE and not key.quoted:
            if frame.merged is not None:
                self._report(key, "the key << stands here twice; give it a list of aliases")
            frame.merged = [*(frame.merged or ()), *self._mergeable(value)]
        elif name in mapping.entries:
            first = mapping.entries[name].line
            self._report(key, f"this key stands here twice, first on line {first}")
        else:
            mapping.entries[name] = Entry(key.line, key.column, value)

    def _mergeable(self, value: Node) -> Iterator[MapNode]:
        for node in value.items if isinstance(value, ListNode) else (value,):
            if isinstance(node, MapNode):
                yield node
            else:
                self._report(node, "<< takes a mapping or a list of mappings")
