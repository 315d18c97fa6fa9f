"""`include`: adds the sections of other files to those of the config, before anything of it is interpreted.

Which files an entry names, and what is in them, is found outside of core. A file that is included has some of the sections, and includes
no other files.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from forwarder.core.config.values.scalars import WrongValueError, is_null, parse_bool, parse_file_path
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.node_builder import MAX_NODES
from forwarder.core.yaml.nodes import ListNode, MapEntry, MapNode, Node, RefusedError
from forwarder.core.yaml.parse import EMPTY, MAX_BYTES, read_nodes
from forwarder.core.yaml.problems import MAX_REPORTED, ConfigError, Problem, did_you_mean, quote, render_path
from forwarder.core.yaml.sources import ALONE, Sources
from forwarder.core.yaml.tree import Path, Scalar, Tree
from forwarder.core.yaml.variables import expand

SECTIONS = ("routes", "destinations", "groups", "lists", "matchers", "tests")
"""The sections that an included file may have."""
MAX_FILES = 1000
_LISTS = ("routes", "tests")
_LISTED = ", ".join(SECTIONS)


class IncludedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that an entry of `include` names."""

    name: str
    """Its name in messages."""
    content: bytes = b""
    problem: str = ""
    """Why it cannot be included, as a sentence; empty where it can."""


FindFiles = Callable[[str, bool], Sequence[IncludedFile] | None]
"""Returns the files that an entry names, in their order and without those that were returned before; `None` if it matches no file.

The second argument is whether they may be outside of the folder of the config."""


def nothing_included(entry: str, _is_outside: bool) -> Sequence[IncludedFile]:
    """Refuse each entry: for a config that is no file."""
    return [IncludedFile(name=entry, problem="no file can be included here")]


class ConfigNodes(NamedTuple):
    """The nodes of a config, with those of the files that it includes."""

    root: Node
    problems: list[Problem]
    sources: Sources
    is_complete: bool
    """Whether every file could be read. If not, the problems say why not."""
    unmatched: Sequence[Path] = ()
    """The entries that match no file."""


def read_config_nodes(text: bytes, *, env: Mapping[str, str], find: FindFiles, name: str = "") -> ConfigNodes:
    """Return the nodes of a config and of the files that it includes.

    `name` is the name of the config in messages. Raises `RefusedError` if the config itself cannot be read.
    """
    root, problems = read_nodes(text)
    if not isinstance(root, MapNode) or "include" not in root.entries:
        return ConfigNodes(root, problems, ALONE, is_complete=True)
    return _Includer(root, problems, Sources(text, name), find).read(env)


def read_whole_config(text: bytes, *, name: str, env: Mapping[str, str], find: FindFiles) -> ConfigNodes:
    """Return the nodes as `read_config_nodes` does. Raises `ConfigError` with all problems if one of the files cannot be read."""
    try:
        nodes = read_config_nodes(text, env=env, find=find, name=name)
    except RefusedError as refused:
        raise ConfigError(name, [refused.problem]) from None
    if not nodes.is_complete:
        raise ConfigError(name, nodes.problems, nodes.sources)
    return nodes


class _TooMuchError(Exception):
    """The included files are more than what is read."""


class _Includer:
    """Reads the files that one config includes, and adds their sections to its own."""

    def __init__(self, root: MapNode, problems: list[Problem], sources: Sources, find: FindFiles) -> None:
        self._root = root
        self._problems = problems
        self._sources = sources
        self._find = find
        self._entries = dict(root.entries)
        self._merged: dict[str, ListNode | MapNode] = {}
        """The sections that have something of an included file. The nodes of the files are not changed: aliases share them."""
        self._count = 0
        self._bytes = 0
        self._nodes = root.size
        self._height = root.height
        self._is_complete = True
        self._unmatched: list[Path] = []

    def read(self, env: Mapping[str, str]) -> ConfigNodes:
        """Return the nodes of all files."""
        entries = list(self._entries_of(env))
        try:
            for place, path, entry, is_outside in entries:
                self._include(place, path, entry, is_outside=is_outside)
        except _TooMuchError as error:
            self._refuse(place, path, str(error))
        root = MapNode(self._root.line, self._root.column, self._entries, self._nodes, self._height)
        return ConfigNodes(root, self._problems, self._sources, self._is_complete, self._unmatched)

    def _entries_of(self, env: Mapping[str, str]) -> Iterator[tuple[Node, Path, str, bool]]:
        """Yield the node of each entry of `include` and its path, the file or pattern that it names, and whether that may be outside."""
        findings = Findings(self._root, self._problems)
        known = len(findings.problems)
        written = self._root.entries["include"].value
        section = expand(written, env, findings, ("include",))
        if len(findings.problems) > known:
            self._problems[:] = findings.problems
            self._is_complete = False
            return
        outside = self._root.entries.get("include_outside")
        is_outside = outside is not None and _is_true(expand(outside.value, env, findings, ("include_outside",)))
        each: list[tuple[Node, Path, Tree]] = [(written, ("include",), section)]
        if isinstance(section, list) and isinstance(written, ListNode):
            each = [(written.items[index], ("include", index), entry) for index, entry in enumerate(section)]
        if len(each) > MAX_FILES:
            self._refuse(written, ("include",), f"more than {MAX_FILES} files are included")
            return
        for node, path, entry in each:
            if path == ("include",) and is_null(entry):
                return
            if not isinstance(entry, Scalar):
                self._refuse(node, path, "expected the path of a file, such as routes/*.yaml, or a list of paths")
                continue
            try:
                yield node, path, parse_file_path(entry), is_outside
            except WrongValueError as error:
                self._refuse(node, path, str(error))

    def _include(self, place: Node, path: Path, entry: str, *, is_outside: bool) -> None:
        found = self._find(entry, is_outside)
        if found is None:
            self._unmatched.append(path)
        for file in found or ():
            self._count += 1
            self._bytes += len(file.content)
            if self._count > MAX_FILES:
                raise _TooMuchError(f"more than {MAX_FILES} files are included")
            if self._bytes > MAX_BYTES:
                raise _TooMuchError(f"with {file.name} the included files have more than {MAX_BYTES} bytes")
            if file.problem:
                self._refuse(place, path, file.problem)
            else:
                self._take(file)

    def _take(self, file: IncludedFile) -> None:
        before = self._sources.add(file.name, file.content)
        try:
            root, problems = read_nodes(file.content, lines_before=before)
        except RefusedError as refused:
            problem = refused.problem
            if problem.message == EMPTY:
                problem = msgspec.structs.replace(problem, message=f"{EMPTY}; an included file has {_LISTED}")
            self._add(problem)
            self._is_complete = False
            return
        for problem in problems:
            self._add(problem)
        self._nodes += root.size
        self._height = max(self._height, root.height)
        if self._nodes > MAX_NODES:
            raise _TooMuchError(f"with {file.name} the config and its included files have more than {MAX_NODES} values")
        if not isinstance(root, MapNode):
            what = "a list" if isinstance(root, ListNode) else "a text"
            hint = ' write "routes:" above a list of routes' if isinstance(root, ListNode) else ""
            self._refuse(root, (), f"expected a mapping with {_LISTED}, got {what}{';' if hint else ''}{hint}")
            return
        for key, entry in root.entries.items():
            if key in SECTIONS:
                self._merge(key, entry, file.name)
            elif not key.startswith("x-"):
                self._report(entry, (key,), _why_not(key))

    def _merge(self, key: str, entry: MapEntry, name: str) -> None:
        """Add a section of an included file."""
        added = entry.value
        if is_null(added):
            return
        kind = ListNode if key in _LISTS else MapNode
        if not isinstance(added, kind):
            self._report(added, (key,), f"expected {'a list' if key in _LISTS else 'a mapping'}")
            return
        section = self._section(key, entry)
        if section is None:
            return
        section.size += added.size
        section.height = max(section.height, added.height)
        if isinstance(section, ListNode):
            self._sources.note_list(key, len(section.items), name)
            section.items += added.items if isinstance(added, ListNode) else ()
            return
        named = added.entries if isinstance(added, MapNode) else {}
        if key == "destinations":
            self._sources.note_destinations(named, name)
        for each, below in named.items():
            if (other := section.entries.setdefault(each, below)) is not below:
                where = self._sources.shown(other.line, other.column)
                self._report(below, (key, each), f"{quote(each)} is defined already, at {where}; remove one of them")

    def _section(self, key: str, entry: MapEntry) -> ListNode | MapNode | None:
        """Return the section of all files so far, to add to it; `None` where that of the config is of another kind, which is reported later."""
        if key in self._merged:
            return self._merged[key]
        place = self._entries.get(key)
        if place is None or is_null(place.value):
            place = entry
            made: ListNode | MapNode = (
                ListNode(entry.value.line, entry.value.column)
                if key in _LISTS
                else MapNode(entry.value.line, entry.value.column)
            )
        elif isinstance(own := place.value, ListNode) and key in _LISTS:
            made = ListNode(own.line, own.column, list(own.items), own.size, own.height)
        elif isinstance(own, MapNode) and key not in _LISTS:
            made = MapNode(own.line, own.column, dict(own.entries), own.size, own.height)
        else:
            return None
        self._merged[key] = made
        self._entries[key] = MapEntry(place.line, place.column, made)
        return made

    def _refuse(self, place: Node, path: Path, message: str) -> None:
        """Add a problem with which the config is not looked at any further: names would seem to be missing."""
        self._report(place, path, message)
        self._is_complete = False

    def _report(self, place: Node | MapEntry, path: Path, message: str) -> None:
        self._add(Problem(place.line, place.column, render_path(path), message))

    def _add(self, problem: Problem) -> None:
        if len(self._problems) < MAX_REPORTED:
            self._problems.append(problem)


def _is_true(written: Tree) -> bool:
    """Return whether a switch is on. Another value than a switch has is reported by the model."""
    try:
        return parse_bool(written)
    except WrongValueError:
        return False


def _why_not(key: str) -> str:
    """Return why an included file cannot have this key."""
    from forwarder.core.config.model.root import Config  # noqa: PLC0415 - it loads every model, to name keys by

    if key == "include_outside":
        return f"{quote(key)} may only be in the config itself; move it there"
    if key == "include":
        return f"an included file cannot include others; write all files under include in the config ({quote(key)})"
    if key in Config.model_fields:
        return f"{quote(key)} may only be in the config itself; an included file has {_LISTED}"
    return f"unknown key{did_you_mean(key, SECTIONS) or f'; an included file has {_LISTED}'}"
