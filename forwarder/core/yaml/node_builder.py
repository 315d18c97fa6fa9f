"""Builds nodes from libyaml's events, within limits that hold before anything is expanded."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

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

from forwarder.core.yaml.nodes import BlockNode, ListNode, MapEntry, MapNode, Node, RefusedError, TextNode
from forwarder.core.yaml.problems import MAX_REPORTED, Problem, quote, render_path
from forwarder.core.yaml.tree import Path

MAX_DEPTH = 50
MAX_NODES = 500_000
"""Every alias counts in full, and a long text counts once more for each 100 characters, so that aliases cannot multiply either.

10,000 routes with ten authors and ten words each are 3 MiB and 370,000 nodes."""
MAX_ALIASES = 50_000
_MERGE = "<<"
_BLOCKS = ("|", ">")


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is not complete yet."""

    node: ListNode | MapNode
    key: TextNode | None = None
    merged: list[MapNode] | None = None

    @property
    def steps(self) -> Path:
        """The path of the next element; empty before a key."""
        if isinstance(self.node, ListNode):
            return (len(self.node.items),)
        return (str(self.key),) if self.key is not None else ()


class NodeBuilder:
    """Builds nodes from events with its own stack, and counts the nodes, aliases and levels of the file."""

    def __init__(self, lines_before: int = 0) -> None:
        """`lines_before` counts the lines of the files before this one; they are added to each line."""
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._lines_before = lines_before
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._node_count = 0
        self._alias_count = 0

    def take(self, event: yaml.Event) -> None:
        """Handle one event."""
        mark = event.start_mark
        assert mark is not None  # noqa: S101 - libyaml gives one with every event
        line, column = mark.line + 1 + self._lines_before, mark.column + 1
        if isinstance(event, ScalarEvent):  # most of all events
            style = event.style
            node = str.__new__(BlockNode if style in _BLOCKS else TextNode, event.value)
            node.quoted, node.line, node.column = bool(style), line, column
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
            raise RefusedError(line, column, "a second document begins here; the file must contain one document only")

    def _path(self) -> Path:
        return tuple(step for frame in self._stack for step in frame.steps)

    def _report(self, place: Node, message: str) -> None:
        if len(self.problems) < MAX_REPORTED:
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
            raise self._refuse(
                line, column, f"more than {MAX_NODES} values up to here, where each alias counts in full"
            )

    def _open(self, node: ListNode | MapNode, event: CollectionStartEvent) -> None:
        if self._expects_key():
            raise self._refuse(
                node.line, node.column, "a key must be a text; write a value that begins with { or [ in quotes"
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
            raise self._refuse(line, column, f"there is no anchor &{anchor} before this alias")
        if any(frame.node is node for frame in self._stack):
            raise self._refuse(line, column, f"the alias *{anchor} is inside its own anchor")
        self._count(node.size, line, column)
        self._check_depth(node.height, line, column)
        return node

    def _expects_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].node, MapNode) and self._stack[-1].key is None

    def _close(self) -> None:
        frame = self._stack.pop()
        if isinstance(frame.node, MapNode):
            # The keys of the mapping itself come before merged ones, and an earlier merge before a later one.
            for mapping in frame.merged or ():
                for key, entry in mapping.entries.items():
                    frame.node.entries.setdefault(key, entry)
        self._add(frame.node)

    def _add(self, node: Node) -> None:
        """Add a complete node to the list or mapping that contains it."""
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
                self._report(key, "the key << is here twice; write one with a list of aliases")
            frame.merged = [*(frame.merged or ()), *self._mergeable(value)]
        elif name in mapping.entries:
            first = mapping.entries[name].line - self._lines_before
            self._report(key, f"this key is here twice, first on line {first}")
        else:
            mapping.entries[name] = MapEntry(key.line, key.column, value)

    def _mergeable(self, value: Node) -> Iterator[MapNode]:
        for node in value.items if isinstance(value, ListNode) else (value,):
            if isinstance(node, MapNode):
                yield node
            else:
                self._report(node, "<< takes a mapping or a list of mappings")
