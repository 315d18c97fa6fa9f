"""Compiles what the config says of matching: `lists`, `matchers`, and the `match` of each route."""

from collections.abc import Iterator, Mapping

from forwarder.core.config.checks import ReadFile, default_route_name
from forwarder.core.config.places import Findings
from forwarder.core.config.scalars import WrongValueError, is_null, kind, parse_file_path, show
from forwarder.core.matching import NOTHING, Condition, Names, compile_condition
from forwarder.core.matching.literals import Literals, lines_of
from forwarder.core.tree import Expanded, Path, Scalar, Tree

MAX_LIST_BYTES = 8 << 20
"""Of a list file: some hundred thousand accounts."""


MAX_MATCHER_DEPTH = 20
MAX_MATCHER_SIZE = 50_000
"""Of a matcher with all that it uses written out: one that uses another twice, and so on, doubles at each step."""


class ListFiles:
    """Reads list files, each once. `read_list` of the loader decides what relative paths are relative to."""

    def __init__(self, read: ReadFile) -> None:
        self._read = read
        self._known: dict[str, tuple[Scalar, ...] | str] = {}

    def lines(self, written: Scalar) -> tuple[Scalar, ...]:
        """Return the values in a file. Raises `ValueError` with a sentence."""
        if written not in self._known:
            self._known[str(written)] = self._look(written)
        found = self._known[str(written)]
        if isinstance(found, str):
            raise WrongValueError(found)
        return found

    @property
    def read(self) -> dict[str, tuple[Scalar, ...]]:
        """What each file held that could be read, by its path."""
        return {name: found for name, found in self._known.items() if isinstance(found, tuple)}

    def _look(self, written: Scalar) -> tuple[Scalar, ...] | str:
        try:
            text = self._read(parse_file_path(written))
        except WrongValueError as error:
            return str(error)
        except OSError as error:
            return f"cannot read {show(written)}: {error.strerror or type(error).__name__}"
        except UnicodeDecodeError:
            return f"{show(written)} is not UTF-8 text"
        if len(text) > MAX_LIST_BYTES:
            return f"{show(written)} is too long; {MAX_LIST_BYTES} characters are allowed"
        return lines_of(text)


class Conditions:
    """The conditions of one config: `names` are what they may refer to, once both sections are read."""

    def __init__(self, tree: dict[str, Tree], read_list: ReadFile, findings: Findings) -> None:
        self._findings = findings
        self._files = ListFiles(read_list)
        self.lists = self._read_lists(tree.get("lists"))
        self.names = Names(lists=self.lists, read_list=self._files.lines)
        self.names = Names(lists=self.lists, read_list=self._files.lines, matchers=self._matchers(tree.get("matchers")))

    @property
    def lines(self) -> Mapping[str, tuple[Scalar, ...]]:
        """The values in list files, by the files' names."""
        return self._files.read

    def _read_lists(self, section: Tree | None) -> dict[str, tuple[Scalar, ...]]:
        """Return the named lists; one may have those above it in it."""
        read: dict[str, tuple[Scalar, ...]] = {}
        literals = Literals(read, self._files.lines, self._findings.add)
        for name, below in self._named(section, "lists"):
            read[name] = literals.values(below, ("lists", name))
        return read

    def _named(self, section: Tree | None, key: str) -> Iterator[tuple[str, Tree]]:
        if section is None or is_null(section):
            return
        if not isinstance(section, dict):
            self._findings.add((key,), f"expected a mapping, got {kind(section)}")
            return
        yield from section.items()

    def _matchers(self, section: Tree | None) -> dict[str, Condition]:
        """Return the named conditions; one may use others, whatever their order, but not itself."""
        written = dict(self._named(section, "matchers"))
        compiled: dict[str, Condition] = dict.fromkeys(written, NOTHING)
        self._names_of_matchers = Names(lists=self.lists, read_list=self._files.lines, matchers=compiled)
        sizes: dict[str, int] = {}
        for name in written:
            self._compile_matcher(name, written, compiled, sizes, [])
        return compiled

    def _compile_matcher(
        self,
        name: str,
        written: dict[str, Tree],
        compiled: dict[str, Condition],
        sizes: dict[str, int],
        under_way: list[str],
    ) -> None:
        """Compile a matcher, those that it uses first. `sizes` has how much each is with those written out in it."""
        if name in sizes:
            return
        path: Path = ("matchers", name)
        under_way = [*under_way, name]
        size = _size(written[name])
        for place, used in _uses(written[name], path):
            if used in under_way:
                loop = " → ".join([*under_way[under_way.index(used) :], used])
                self._findings.add(place, f"a matcher cannot use itself: {loop}")
            elif len(under_way) >= MAX_MATCHER_DEPTH:
                self._findings.add(place, f"matchers that use each other more than {MAX_MATCHER_DEPTH} deep")
            elif used in written:
                self._compile_matcher(used, written, compiled, sizes, under_way)
                size += sizes[used]
        sizes[name] = size
        if size > MAX_MATCHER_SIZE:
            if all(sizes.get(used, 0) <= MAX_MATCHER_SIZE for _, used in _uses(written[name], path)):  # told once
                self._findings.add_at_key(
                    path, f"with the matchers that it uses it is more than {MAX_MATCHER_SIZE:,} values and conditions"
                )
        else:
            compiled[name] = self._compile(written[name], path, self._names_of_matchers)

    def of_routes(self, tree: dict[str, Tree]) -> dict[str, object]:
        """Return the tree with each `match` of a route and of `expect` compiled, and a name for each route that has none."""
        ready: dict[str, object] = dict(tree)
        compiled = {"lists": self.lists, "matchers": dict(self.names.matchers)}
        ready.update((key, below) for key, below in compiled.items() if isinstance(tree.get(key), dict))
        routes = tree.get("routes")
        if isinstance(routes, list):
            ready["routes"] = [self._route(route, ("routes", index)) for index, route in enumerate(routes)]
        expected = tree.get("expect")
        if isinstance(expected, list):
            ready["expect"] = [self._expected(each, ("expect", index)) for index, each in enumerate(expected)]
        return ready

    def _expected(self, written: Tree, path: Path) -> object:
        if not isinstance(written, dict) or "match" not in written:
            return written
        return {**written, "match": self._compile(written["match"], (*path, "match"), self.names)}

    def _route(self, route: Tree, path: Path) -> object:
        if not isinstance(route, dict):
            return route
        ready: dict[str, object] = dict(route)
        if "name" not in route or is_null(route["name"]):
            ready["name"] = default_route_name(path)
        if "match" in route:
            ready["match"] = self._compile(route["match"], (*path, "match"), self.names)
        return ready

    def _compile(self, tree: Tree, path: Path, names: Names) -> Condition:
        if is_null(tree):
            # Not "all events": a file saved while the condition is being written would send everything everywhere.
            what = (
                'leave "match" out where every event is meant'
                if path[-1] == "match"
                else "name a field and what it must be"
            )
            self._findings.add(path, f"the condition is missing; {what}")
            return NOTHING
        problems: list[tuple[Path, str]] = []
        condition = compile_condition(tree, lambda below, message: problems.append((below, message)), names)
        if problems:
            # A message may quote its value. One that is the same whatever the variables hold does not tell what they hold.
            blind: set[tuple[Path, str]] = set()
            compile_condition(_as_written(tree), lambda below, message: blind.add((below, message)), names)
            for below, message in problems:
                if (below, message) not in blind:
                    message = "not a valid condition with what its variables hold (which is not shown)"  # noqa: PLW2901
                # An unknown name is wrong where it stands, not at the value under it.
                add = self._findings.add_at_key if message.startswith("unknown") else self._findings.add
                add((*path, *below), message)
        return condition


def _size(tree: Tree) -> int:
    """Return how many values and keys there are."""
    if isinstance(tree, dict):
        return len(tree) + sum(map(_size, tree.values()))
    return sum(map(_size, tree)) + 1 if isinstance(tree, list) else 1


def _uses(tree: Tree, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the matchers that a condition names."""
    if isinstance(tree, dict):
        for key, below in tree.items():
            if key != "matcher":
                yield from _uses(below, (*path, key))
            elif isinstance(below, Scalar):
                yield (*path, key), below
            elif isinstance(below, list):
                yield from (
                    ((*path, key, index), str(each)) for index, each in enumerate(below) if isinstance(each, Scalar)
                )
    elif isinstance(tree, list):
        for index, below in enumerate(tree):
            yield from _uses(below, (*path, index))


def _as_written(tree: Tree) -> Tree:
    match tree:
        case dict():
            return {key: _as_written(below) for key, below in tree.items()}
        case list():
            return [_as_written(element) for element in tree]
        case Expanded():
            return Scalar(tree.written, quoted=tree.quoted)
        case _:
            return tree
