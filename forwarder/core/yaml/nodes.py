"""The nodes of a YAML file: texts, lists and mappings, each with its place in the file."""

from dataclasses import dataclass, field

from forwarder.core.yaml.problems import Problem, render_path
from forwarder.core.yaml.tree import Path, Scalar

_CHARACTERS_A_NODE = 100


class TextNode(Scalar):
    """A scalar with its place. Without variables it is used in the tree as it is, because most of a large file is scalars."""

    __slots__ = ("column", "line")

    line: int
    column: int
    height = 0

    @property
    def size(self) -> int:
        """See `Node`."""
        return 1 + len(self) // _CHARACTERS_A_NODE


class BlockNode(TextNode):
    """The text of a block (`|`, `>`), which usually ends with a line break."""

    __slots__ = ()


@dataclass(slots=True)
class ListNode:
    """A sequence with its place."""

    line: int
    column: int
    items: "list[Node]" = field(default_factory=list)
    size: int = 1
    height: int = 1


@dataclass(slots=True)
class MapEntry:
    """A value of a mapping, and the place of its key."""

    line: int
    column: int
    value: "Node"


@dataclass(slots=True)
class MapNode:
    """A mapping with its place. Its merge keys are already applied."""

    line: int
    column: int
    entries: dict[str, MapEntry] = field(default_factory=dict)
    size: int = 1
    height: int = 1


Node = TextNode | ListNode | MapNode
"""`size` counts the node and all nodes in it, with every alias and merge expanded; `height` counts the levels of nesting."""


class RefusedError(Exception):
    """The file cannot be read any further; `problem` says why."""

    def __init__(self, line: int, column: int, message: str, path: Path = ()) -> None:
        self.problem = Problem(line, column, render_path(path), message)
        super().__init__(message)
