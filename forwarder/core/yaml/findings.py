"""Collects the problems of a file with their places, and leaves out those that follow from others."""

from collections.abc import Collection
from typing import NamedTuple

from forwarder.core.yaml.nodes import MapEntry, MapNode, Node, TextNode
from forwarder.core.yaml.problems import MAX_REPORTED, Problem, did_you_mean, render_path
from forwarder.core.yaml.sources import ALONE, Sources
from forwarder.core.yaml.tree import Path

_LONG = 100
_MAX_COMPARED = 100_000
"""The most words that are compared to suggest another one; this takes about a second."""


class Place(NamedTuple):
    """The place of a value in its file."""

    file: str
    """Empty for the config itself."""
    line: int
    column: int
    path: str
    """The path in that file, as people write it."""


class Findings:
    """Collects problems by their paths, and finds the place of each in the file.

    A mistake in an anchor is reported once, however many aliases repeat it.
    """

    def __init__(self, root: Node, problems: list[Problem], sources: Sources = ALONE) -> None:
        """`sources` knows which of several files a line is in."""
        self._root = root
        self._sources = sources
        self._spoiled: set[Path] = set()
        self._compared = 0
        self._defaults = self._entries(("defaults",))
        self._problems = {(problem.line, problem.column, problem.message): problem for problem in problems}

    @property
    def problems(self) -> list[Problem]:
        """All problems, up to `MAX_REPORTED`."""
        return list(self._problems.values())

    @property
    def is_long(self) -> bool:
        """Whether there are so many problems that suggestions would take too long."""
        return len(self._problems) > _LONG

    def did_you_mean(self, word: str, known: Collection[str]) -> str:
        """Return a hint with the nearest of the known words; an empty text where none is near or the search would take too long."""
        self._compared += len(known)
        return "" if self.is_long or self._compared > _MAX_COMPARED else did_you_mean(word, known)

    def add(self, path: Path, message: str) -> None:
        """Add a problem of the value at `path`, or of the nearest mapping above where there is no such value."""
        node, path = self._find(path)
        if path not in self._spoiled:
            self._note(node.line, node.column, path, message)

    def add_at_key(self, path: Path, message: str) -> None:
        """Add a problem of the key that `path` ends with."""
        mapping, found = self._find(path[:-1])
        entry = mapping.entries.get(str(path[-1])) if isinstance(mapping, MapNode) and found == path[:-1] else None
        if ":" in str(path[-1]):
            message += "; is a space missing after the colon?"
        if entry is None:
            self.add(path, message)
        else:
            self._note(entry.line, entry.column, path, message)

    def spoil(self, path: Path, message: str) -> None:
        """Add a problem of the value at `path`, and ignore later problems of that value."""
        self.add(path, message)
        self._spoiled.add(self._find(path)[1])

    def has(self, path: Path) -> bool:
        """Return whether the file has a value at `path`, null included."""
        return self._find(path)[1] == path

    def place(self, path: Path) -> Place:
        """Return the place of the value at `path`, or of the last value on the way to it."""
        node, found = self._find(path)
        file, line = self._sources.place(node.line)
        return Place(file, line, node.column, render_path(self._sources.own_path(found)))

    def elsewhere(self, path: Path, other: Path) -> str:
        """Return where the value at `other` is, in parentheses, if that is another file than the one of `path`; else nothing."""
        node, _ = self._find(other)
        is_same = self.place(path).file == self._sources.place(node.line)[0]
        return "" if is_same else f" ({self._sources.shown(node.line, node.column)})"

    def is_default(self, path: Path) -> bool:
        """Return whether the value at `path`, or the value that contains it, was copied from `defaults`."""
        if path[:1] != ("destinations",) or len(path) < 3 or not self._defaults:
            return False
        entry = self._entries(path[:2]).get(str(path[2]))
        return entry is not None and entry is self._defaults.get(str(path[2]))

    def _entries(self, path: Path) -> dict[str, MapEntry]:
        node, found = self._find(path)
        return node.entries if isinstance(node, MapNode) and found == path else {}

    def _note(self, line: int, column: int, path: Path, message: str) -> None:
        if (line, column, message) in self._problems:
            return
        if self.is_default(path):
            # It is valid in `defaults`, which was checked first, but it does not fit this destination.
            place = self._entries(path[:1])[str(path[1])]
            line, column = place.line, place.column
            key = render_path(path[2:3])
            message += f' ({key} is from defaults; write your own here, or "{key}: ~" for none)'
            path = path[:2]
        if len(self._problems) < MAX_REPORTED:
            self._problems.setdefault(
                (line, column, message), Problem(line, column, render_path(self._sources.own_path(path)), message)
            )

    def _find(self, path: Path) -> tuple[Node, Path]:
        """Return the node at `path` and its path, or the last node on the way to it.

        The value of `api_key` may be from `api_key_file`; the node is then that of the file's name. A list may be written as
        its only element.
        """
        node = self._root
        found: Path = ()
        for step in path:
            if isinstance(node, TextNode):
                break
            if isinstance(node, MapNode):
                key = str(step) if step in node.entries else f"{step}_file"
                if key not in node.entries:
                    break
                node, found = node.entries[key].value, (*found, key)
            elif isinstance(step, int) and step < len(node.items):
                node, found = node.items[step], (*found, step)
            else:
                break
        return node, found
