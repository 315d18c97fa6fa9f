"""Collects the hints of one config: warnings with their places in the file, in the order of the file."""

import re
from collections.abc import Iterable

from forwarder.core.config.hints.list_files import hints_of_list_file
from forwarder.core.config.hints.names import hints_of_list_name, hints_of_name
from forwarder.core.config.hints.paths import hints_of_path
from forwarder.core.config.hints.secrets import hints_of_secrets
from forwarder.core.config.hints.signs import hints_of_signs
from forwarder.core.config.hints.times import hints_of_timestamp
from forwarder.core.config.hints.values import hints_of_value
from forwarder.core.config.hints.whole_texts import hints_of_whole_text
from forwarder.core.matching.compile import ALL_TESTS, Observe
from forwarder.core.matching.conditions import Exists, ValueTest
from forwarder.core.matching.other_values import zone_without_summer
from forwarder.core.matching.subject import Field
from forwarder.core.matching.texts import Contains, Equals, Prefix, Regex, Suffix, Wildcard, Word
from forwarder.core.matching.values import Between, Compare, WallClock
from forwarder.core.yaml.findings import Findings, Place
from forwarder.core.yaml.problems import printable
from forwarder.core.yaml.remarks import Remark
from forwarder.core.yaml.tree import Path, Scalar, Tree

_OF_TEXT = Contains | Equals | Prefix | Regex | Suffix | Wildcard | Word
_is_plain = re.compile(r"[\w@$:-]+").fullmatch
_IN_LISTS = "equals"
"""Values of a named list are looked at like those of this test: most lists are of accounts and words."""


_Key = tuple[str, int, int, str]
"""The file, line and column of a warning, and its sentence."""


class Hints:
    """Takes the values of a config as they are compiled, and keeps what is odd about them."""

    def __init__(self, name: str, findings: Findings) -> None:
        """`name` is the name of the config in messages; `findings` knows the places."""
        self._name = name
        self._findings = findings
        self._found: dict[str, dict[_Key, Remark]] = {}
        """The warnings of each kind by their places, so that what several rules share is reported once."""
        self._lists: set[str] = set()
        """The names of the lists."""

    def below(self, above: Path) -> Observe:
        """Return what looks at the tests of the condition at this path."""
        return lambda path, name, field, tree, test: self._look((*above, *path), name, field, tree, test)

    def _look(self, path: Path, name: str, field: Field, tree: Tree, test: ValueTest | Exists) -> None:
        if field.is_deep:
            self._add("path", path[:-1] if name else path, hints_of_path(field))
        if isinstance(test, WallClock) and (said := zone_without_summer(test.zone_name)):
            self._add("zone", path, (said,))
        if isinstance(test, Compare | Between) and field.name == "timestamp":
            self._add("timestamp", path, hints_of_timestamp(test))
        if not isinstance(test, _OF_TEXT) or field.values or name in {"list", "file"}:
            return
        is_odd = self._look_at_values(path, name or _IN_LISTS, tree, field)
        if not name and isinstance(tree, Scalar):
            is_odd |= self._add("list name", path, hints_of_list_name(field, tree, self._lists))
        if not name and not is_odd:
            self._add("whole text", path, hints_of_whole_text(field, tree))
        if isinstance(test, Regex):
            from forwarder.core.config.hints.regexes import hints_of_regex  # noqa: PLC0415 - only regexes need it

            placed = {id(value): steps for steps, value in _direct(tree)}
            for value in test.written:
                self._add("regex", (*path, *placed.get(id(value), ())), hints_of_regex(value, field=field))

    def of_list(self, path: Path, tree: Tree) -> None:
        """Look at the values of a named list."""
        self._lists.add(str(path[-1]))
        self._look_at_values(path, _IN_LISTS, tree, None)

    def _look_at_values(self, path: Path, test: str, tree: Tree, field: Field | None) -> bool:
        """Look at the values of a test; return whether one has a sign that means something else."""
        is_odd = False
        is_meant = isinstance(tree, list) and len(tree) == 1  # a list of one says so
        for steps, value in _direct(tree):
            place = (*path, *steps)
            if test == "wildcard" or value.quoted or not _is_plain(value):  # nearly all are
                is_alone = isinstance(tree, Scalar)
                self._add("value", place, hints_of_value(test, value, field=field, is_alone=is_alone))
                if not is_meant and self._add("sign", place, hints_of_signs(test, value, field, ALL_TESTS)):
                    is_odd = True
                    continue
            if field is not None and test == _IN_LISTS:
                self._add("name", place, hints_of_name(field, value))
        return is_odd

    def of_list_file(self, file: str, text: str) -> None:
        """Look at the lines of a list file."""
        for line, column, said in hints_of_list_file(text):
            self._note("list file", Place(file, line, column, ""), (), said)

    def of_secrets(self, tree: dict[str, Tree]) -> None:
        """Look at the API keys, tokens and signing secrets; nothing of them is shown."""
        for path, said in hints_of_secrets(tree):
            self._add("secret", path, (said,))

    def of_include(self, path: Path) -> None:
        """Note that an entry of `include` matches no file."""
        self._add("include", path, ("no file matches; what it should name is missing from the config",))

    @property
    def warnings(self) -> tuple[tuple[str, ...], ...]:
        """The warnings of each kind, in the order of the file."""
        return tuple(tuple(found[key] for key in sorted(found)) for found in self._found.values())

    def _note(self, kind: str, place: Place, path: Path, said: str) -> None:
        shown = f"{place.file}:{place.line}:{place.column}" + (f": {place.path}" if place.path else "")
        key = (place.file, place.line, place.column, said)
        remark = Remark(path, printable(said), shown=printable(shown), place=place)
        self._found.setdefault(kind, {}).setdefault(key, remark)

    def _add(self, kind: str, path: Path, said: Iterable[str]) -> bool:
        """Note the warnings about a place; return whether there are any."""
        is_any = False
        for each in said:
            is_any = True
            place = self._findings.place(path)
            self._note(kind, place._replace(file=place.file or self._name), path, each)
        return is_any


def _direct(tree: Tree) -> Iterable[tuple[Path, Scalar]]:
    """Yield the values that are written at a test, with the steps to each; not those of lists and files."""
    if isinstance(tree, Scalar):
        yield (), tree
    elif isinstance(tree, list):
        for index, each in enumerate(tree):
            if isinstance(each, Scalar):
                yield (index,), each
