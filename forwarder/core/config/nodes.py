"""From bytes to nodes: YAML's structure, each node with its place, nothing interpreted.

Read from libyaml's events and not from `yaml.compose`, for three reasons: an explicit tag can still be told from a resolved
one, depth is bounded before anything recurses, and an alias costs what it stands for at the moment it is met, so a bomb
of aliases or merge keys is refused before it is expanded. The C loader, because it reads the largest file allowed well
within a second (the Python one needs many), because its marks count characters as the Python one's do, and because its
messages are fixed sentences: they never quote the file, which may hold a secret.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import yaml

from forwarder.core.config.problems import Problem, quote, render_path
from forwarder.core.tree import Path, Scalar

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_NODES = 100_000
"""Counted with every alias expanded. A long text counts once more for each 100 characters: what aliases multiply is bounded too."""
MAX_ALIASES = 1_000

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


@dataclass(slots=True)
class TextNode:
    """A scalar; all aliases of it share the one text."""

    line: int
    column: int
    text: Scalar
    size: int = 1
    height: int = 0


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
        return (str(self.key.text),) if self.key else ()


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
        line, column = _position(event.start_mark)
        match event:
            case yaml.DocumentStartEvent() if self.root is not None:
                raise RefusedError(line, column, "a second document begins here; the file must hold one")
            case yaml.AliasEvent():
                self._add(self._resolve(str(event.anchor), line, column))
            case yaml.ScalarEvent():
                text = Scalar(event.value, quoted=bool(event.style))
                node = TextNode(line, column, text, size=1 + len(text) // 100)
                self._begin(node, event)
                self._add(node)
            case yaml.SequenceStartEvent():
                self._open(ListNode(line, column), event)
            case yaml.MappingStartEvent():
                self._open(MapNode(line, column), event)
            case yaml.CollectionEndEvent():
                self._close()

    def _path(self) -> Path:
        return tuple(step for frame in self._stack for step in frame.steps)

    def _report(self, place: Node, message: str) -> None:
        self.problems.append(Problem(place.line, place.column, render_path(self._path()), message))

    def _refuse(self, line: int, column: int, message: str) -> RefusedError:
        return RefusedError(line, column, message, self._path())

    def _begin(self, node: Node, event: yaml.NodeEvent) -> None:
        self._count(node.size, node.line, node.column)
        tag = getattr(event, "tag", None)
        if tag is not None:
            written = tag.replace("tag:yaml.org,2002:", "!!")
            self._report(node, f"the tag {quote(written)} is not supported; write the value without it")
        if event.anchor is not None:
            self._anchors[event.anchor] = node

    def _count(self, size: int, line: int, column: int) -> None:
        self._node_count += size
        if self._node_count > MAX_NODES:
            raise self._refuse(line, column, f"more than {MAX_NODES} values up to here, each alias counted in full")

    def _open(self, node: ListNode | MapNode, event: yaml.NodeEvent) -> None:
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
        if self._expects_key():
            if not isinstance(node, TextNode):
                raise self._refuse(node.line, node.column, "a key must be a text")
            if not node.text and not node.text.quoted:
                raise self._refuse(node.line, node.column, 'a key is missing before ":"')
            frame.key = node
        elif frame.key is None:
            assert isinstance(frame.node, ListNode)  # noqa: S101 - a mapping without a key expects one
            frame.node.items.append(node)
        else:
            self._put(frame, frame.key, node)
            frame.key = None
        frame.node.size += node.size
        frame.node.height = max(frame.node.height, node.height + 1)

    def _put(self, frame: _Frame, key: TextNode, value: Node) -> None:
        assert isinstance(frame.node, MapNode)  # noqa: S101 - only mappings have keys
        if key.text == _MERGE and not key.text.quoted:
            if frame.merged is not None:
                self._report(key, "the key << stands here twice; give it a list of aliases")
            frame.merged = [*(frame.merged or ()), *self._mergeable(value)]
        elif key.text in frame.node.entries:
            first = frame.node.entries[key.text].line
            self._report(key, f"this key stands here twice, first on line {first}")
        else:
            frame.node.entries[str(key.text)] = Entry(key.line, key.column, value)

    def _mergeable(self, value: Node) -> Iterator[MapNode]:
        for node in value.items if isinstance(value, ListNode) else (value,):
            if isinstance(node, MapNode):
                yield node
            else:
                self._report(node, "<< takes a mapping or a list of mappings")
