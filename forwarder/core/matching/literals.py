"""Reads the values of a condition: written there, from `lists`, or from a file."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from forwarder.core.yaml.tree import Path, Scalar, Tree

Report = Callable[[Path, str], None]
"""Receives each problem: its path in the condition's tree, and what is wrong."""

_JSON = json.JSONDecoder(parse_constant=lambda _: "")
_MISSING = 'the value is missing; a value that begins with # is written in quotes, and an empty text is ""'
_REFERENCES = ("list", "file")


class Literals:
    """Reads the values of conditions and resolves references to lists and files."""

    def __init__(
        self,
        lists: Mapping[str, tuple[Scalar, ...]],
        read_list: Callable[[Scalar], tuple[Scalar, ...]] | None,
        report: Report,
    ) -> None:
        self._lists = lists
        self._read_list = read_list
        self.report = report

    def values(self, tree: Tree, path: Path) -> tuple[Scalar, ...]:
        """Return the values of a single value, a list of values, `{list: NAME}` or `{file: NAME}`."""
        return tuple(value for _, value in self.placed(tree, path))

    def placed(self, tree: Tree, path: Path) -> list[tuple[Path, Scalar]]:
        """Return the values like `values`, each with its path for reports."""
        if isinstance(tree, Scalar):
            if not tree and not tree.quoted:
                self.report(path, _MISSING)
            return [(path, tree)]
        if isinstance(tree, dict):
            return self._referred(tree, path)
        if not tree:
            self.report(path, "an empty list matches nothing; remove it or name a value")
        found: list[tuple[Path, Scalar]] = []
        for index, element in enumerate(tree):
            if isinstance(element, list):
                self.report((*path, index), "expected a value, got a list")
            else:
                found += self.placed(element, (*path, index))
        return found

    def _referred(self, tree: dict[str, Tree], path: Path) -> list[tuple[Path, Scalar]]:
        kind = next(iter(tree), "")
        if len(tree) != 1 or kind not in _REFERENCES:
            at_a_test = isinstance(path[-1], int) and kind.isidentifier()
            hint = f"; a test is written without a dash and brackets: {{{kind}: …}}" if at_a_test else ""
            self.report(
                path, f"expected a value, a list of values, {{list: NAME}} or {{file: NAME}}, got a mapping{hint}"
            )
            return []
        below, place = tree[kind], (*path, kind)
        found: list[tuple[Path, Scalar]] = []
        for index, name in enumerate(below if isinstance(below, list) else [below]):
            at = (*place, index) if isinstance(below, list) else place
            if not isinstance(name, Scalar) or not name:
                self.report(at, f"expected the name of a {kind}")
            else:
                found += [(at, value) for value in (self._named if kind == "list" else self._read)(name, at)]
        return found

    def _named(self, name: Scalar, path: Path) -> tuple[Scalar, ...]:
        if name not in self._lists:
            known = ", ".join(list(self._lists)[:10]) or "none"
            self.report(path, f'there is no list of that name under "lists"; there are: {known}')
        return self._lists.get(name, ())

    def _read(self, name: Scalar, path: Path) -> tuple[Scalar, ...]:
        if self._read_list is None:
            self.report(path, "no files can be read here")
            return ()
        try:
            return self._read_list(name)
        except ValueError as error:
            self.report(path, str(error))
            return ()


def lines_of(text: str) -> tuple[Scalar, ...]:
    """Return the values of a list file: one on each line. Blank lines and comments are left out.

    A comment begins with `#` and a space, a tab or another `#`, so that the hashtag `#btc` is a value.
    """
    lines = (line.strip() for line in text.splitlines())
    return tuple(Scalar(line) for line in lines if line and not (line[0] == "#" and (line == "#" or line[1] in "# \t")))


def switch(tree: Tree, path: Path, report: Report) -> bool | None:
    """Return true or false, or `None` after reporting any other value."""
    if isinstance(tree, Scalar) and tree.lower() in {"true", "false"}:
        return tree.lower() == "true"
    report(path, "expected true or false")
    return None


def as_json(text: str) -> Iterator[bool | int | float | None]:
    """Yield the JSON number, true, false or null that an unquoted text also means, if any."""
    try:
        value = _JSON.decode(text)
    except (ValueError, RecursionError):
        return
    if value is None or isinstance(value, bool | int | float):
        yield value


def listed(values: Sequence[str]) -> str:
    """Return words as people list them: `a, b or c`."""
    return " or ".join(filter(None, (", ".join(values[:-1]), values[-1])))
