"""Knows which file a node is from, where a config is made of several files.

The files are read as if they followed one another: the lines of a later file are counted on from the last line of the file before it, so
that a line alone says its file too. Messages show the file, and the line in it.
"""

from bisect import bisect_right
from collections.abc import Iterable
from operator import itemgetter

from forwarder.core.yaml.tree import Path

_Begin = tuple[int, str]
"""Where a file begins: a line, or an index in a list; and the name of the file, empty for the config itself."""


class Sources:
    """The files that a config is made of."""

    def __init__(self, text: bytes, name: str) -> None:
        """`text` and `name` are those of the config itself."""
        self._name = name
        self._lines = _lines_of(text)
        self._begins: list[_Begin] = [(0, "")]
        self._lists: dict[str, list[_Begin]] = {}
        self._destinations: dict[str, str] = {}

    def add(self, name: str, text: bytes) -> int:
        """Add a file, and return how many lines are before it."""
        before = self._lines
        self._begins.append((before, name))
        self._lines += _lines_of(text)
        return before

    def note_list(self, section: str, index: int, name: str) -> None:
        """Note that the elements of a list come from the file of this name, from `index` on."""
        self._lists.setdefault(section, [(0, "")]).append((index, name))

    def note_destinations(self, names: Iterable[str], file: str) -> None:
        """Note that the destinations of these names come from a file."""
        for name in names:
            self._destinations.setdefault(name, file)

    @property
    def included(self) -> list[str]:
        """The names of the included files, in their order."""
        return [name for _, name in self._begins[1:]]

    def of_destination(self, name: str) -> str:
        """Return the name of the included file with this destination; empty for one in the config itself."""
        return self._destinations.get(name, "")

    def place(self, line: int) -> tuple[str, int]:
        """Return the name of the file that a line is in, empty for the config itself, and the line in that file."""
        before, name = _last(self._begins, line - 1)
        return name, line - before

    def shown(self, line: int, column: int) -> str:
        """Return a place as people write it: `routes/coins.yaml:3:5`."""
        file, line = self.place(line)
        return f"{file or self._name}:{line}:{column}"

    def own_path(self, path: Path) -> Path:
        """Return a path with the index that an element of a list has in its own file."""
        if len(path) < 2 or not isinstance(path[1], int) or path[0] not in self._lists:
            return path
        begin, _ = _last(self._lists[str(path[0])], path[1])
        return (path[0], path[1] - begin, *path[2:])

    def element(self, section: str, index: int, *, seen_from: int | None = None) -> str:
        """Return where an element of a list is: `routes[2]`, or `routes/coins.yaml: routes[2]`.

        The config itself is named only where `seen_from`, another element of the list, is in another file.
        """
        begins = self._lists.get(section, self._begins[:1])
        begin, name = _last(begins, index)
        if seen_from is not None and _last(begins, seen_from)[1] != name:
            name = name or self._name
        return f"{name}{': ' if name else ''}{section}[{index - begin}]"


def _last(begins: list[_Begin], value: int) -> _Begin:
    """Return the last file that begins at `value` or before it."""
    return begins[bisect_right(begins, value, key=itemgetter(0)) - 1]


def _lines_of(text: bytes) -> int:
    """Return a number that no line of the text exceeds."""
    return text.count(b"\n") + text.count(b"\r") + 1


ALONE = Sources(b"", "")
"""Of a config that includes no other file."""
