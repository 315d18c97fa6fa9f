"""Compiles `lists`, `matchers`, and the `match` of each route and expectation."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from forwarder.core.config.checks.names import ReadFile, default_route_name
from forwarder.core.config.hints.blocks import strip_blocks
from forwarder.core.config.hints.collect import Hints
from forwarder.core.config.values.scalars import WrongValueError, is_null, kind, parse_bool, parse_file_path, show
from forwarder.core.matching import NOTHING, Condition, Names, compile_condition
from forwarder.core.matching.bodies import compile_body
from forwarder.core.matching.compile import Observe, unobserved
from forwarder.core.matching.literals import Literals, Report, lines_of
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.tree import Expanded, Path, Scalar, Tree

MAX_LIST_BYTES = 8 << 20
"""The largest list file: some hundred thousand accounts."""
MAX_MATCHER_DEPTH = 20
MAX_MATCHER_SIZE = 50_000
"""The largest matcher, with the matchers that it uses written out. One that uses another one twice doubles its size."""


_Compiled = TypeVar("_Compiled")


class ListFiles:
    """Reads each list file once. `read_list` of the loader decides what relative paths are relative to."""

    def __init__(
        self, read: ReadFile, *, hints: Hints | None = None, known: Mapping[str, tuple[Scalar, ...]] | None = None
    ) -> None:
        """`hints` looks at the lines; `known` are the values of files that are not read."""
        self._read = read
        self._hints = hints
        self._known: dict[str, tuple[Scalar, ...] | str] = dict(known or {})

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
        """The values of each readable file, by its path."""
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
            return f"{show(written)} is too long; a list file may have {MAX_LIST_BYTES} characters"
        if self._hints is not None:
            self._hints.of_list_file(written.written if isinstance(written, Expanded) else written, text)
        return lines_of(text)


class Conditions:
    """Compiles the conditions of one config; `names` holds the lists and matchers that they may use."""

    def __init__(
        self,
        tree: dict[str, Tree],
        read_list: ReadFile,
        findings: Findings,
        *,
        hints: Hints | None = None,
        known: Mapping[str, tuple[Scalar, ...]] | None = None,
    ) -> None:
        """Prepare to compile; the last line break of each block in conditions and lists is removed from `tree`.

        `hints` looks at the values. `known` are the values of list files that are not read, by the names of the files.
        """
        strip_blocks(tree)
        self._findings = findings
        self._hints = hints
        self._files = ListFiles(read_list, hints=hints, known=known)
        self.lists = self._read_lists(tree.get("lists"))
        self.names = Names(lists=self.lists, read_list=self._files.lines, exact=_is_true(tree.get("exact")))
        self.names = replace(self.names, matchers=self._matchers(tree.get("matchers")))

    @property
    def lines(self) -> Mapping[str, tuple[Scalar, ...]]:
        """The values in list files, by the names of the files."""
        return self._files.read

    def _read_lists(self, section: Tree | None) -> dict[str, tuple[Scalar, ...]]:
        """Return the named lists; a list may use the lists above it."""
        read: dict[str, tuple[Scalar, ...]] = {}
        literals = Literals(read, self._files.lines, self._findings.add)
        for name, below in self._named(section, "lists"):
            read[name] = literals.values(below, ("lists", name))
            if self._hints is not None:
                self._hints.of_list(("lists", name), below)
        return read

    def _named(self, section: Tree | None, key: str) -> Iterator[tuple[str, Tree]]:
        if section is None or is_null(section):
            return
        if not isinstance(section, dict):
            self._findings.add((key,), f"expected a mapping, got {kind(section)}")
            return
        yield from section.items()

    def _matchers(self, section: Tree | None) -> dict[str, Condition]:
        """Return the named conditions; one may use others in any order, but not itself."""
        written = dict(self._named(section, "matchers"))
        compiled: dict[str, Condition] = dict.fromkeys(written, NOTHING)
        self._names_of_matchers = replace(self.names, matchers=compiled)
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
        """Compile a matcher after those that it uses. `sizes` holds the size of each one with those written out."""
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
                self._findings.add(place, f"matchers use each other more than {MAX_MATCHER_DEPTH} levels deep here")
            elif used in written:
                self._compile_matcher(used, written, compiled, sizes, under_way)
                size += sizes[used]
        sizes[name] = size
        if size > MAX_MATCHER_SIZE:
            if all(sizes.get(used, 0) <= MAX_MATCHER_SIZE for _, used in _uses(written[name], path)):  # reported once
                self._findings.add_at_key(
                    path,
                    f"this matcher and those that it uses have more than {MAX_MATCHER_SIZE:,} values and conditions",
                )
        else:
            compiled[name] = self._compile(written[name], path, self._names_of_matchers)

    def of_routes(self, tree: dict[str, Tree]) -> dict[str, object]:
        """Return the tree with each `match` compiled, and with a name for each route that has none."""
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

    def of_destinations(self, tree: dict[str, Tree], draft: dict[str, object]) -> dict[str, object]:
        """Return the draft with the condition of each `success` compiled, in `defaults` too."""
        ready = dict(draft)
        if isinstance(defaults := tree.get("defaults"), dict):
            ready["defaults"] = self._with_success(defaults, ("defaults",))
        if isinstance(destinations := tree.get("destinations"), dict):
            ready["destinations"] = {
                name: self._with_success(settings, ("destinations", name)) for name, settings in destinations.items()
            }
        return ready

    def _with_success(self, settings: Tree, path: Path) -> object:
        success = settings.get("success") if isinstance(settings, dict) else None
        if not isinstance(settings, dict) or not isinstance(success, dict) or "body" not in success:
            return settings
        place = (*path, "success", "body")
        if is_null(success["body"]):
            self._findings.add(place, "the condition is missing; write a field of the JSON and its value, or a text")
            return {key: below for key, below in settings.items() if key != "success"}
        body = self._checked(
            success["body"], place, lambda tree, report, observe: compile_body(tree, report, self.names, observe)
        )
        return {**settings, "success": {**success, "body": body}}

    def _compile(self, tree: Tree, path: Path, names: Names) -> Condition:
        if is_null(tree):
            # Not "every event": a file that is saved while the condition is being written would send everything everywhere.
            what = 'remove "match" to match every event' if path[-1] == "match" else "write a field and its value"
            self._findings.add(path, f"the condition is missing; {what}")
            return NOTHING
        return self._checked(
            tree, path, lambda written, report, observe: compile_condition(written, report, names, observe)
        )

    def _checked(self, tree: Tree, path: Path, compile_: Callable[[Tree, Report, Observe], _Compiled]) -> _Compiled:
        """Return what `compile_` makes of a tree, and add its problems to the findings and its traps to the hints."""
        problems: list[tuple[Path, str]] = []
        observe = unobserved if self._hints is None else self._hints.below(path)
        condition = compile_(tree, lambda below, message: problems.append((below, message)), observe)
        if problems:
            # A message may quote a value. A message that is the same without the values of variables does not reveal them.
            blind: set[tuple[Path, str]] = set()
            compile_(_as_written(tree), lambda below, message: blind.add((below, message)), unobserved)
            for below, message in problems:
                shown = message
                if (below, message) not in blind:
                    shown = "the condition is not valid with the values of its variables (which are not shown)"
                # An unknown name is reported at the name, not at the value under it.
                add = self._findings.add_at_key if shown.startswith("unknown") else self._findings.add
                add((*path, *below), shown)
        return condition


def _is_true(written: Tree | None) -> bool:
    """Return whether a switch is on. Another value than a switch has is reported by the model."""
    try:
        return written is not None and parse_bool(written)
    except WrongValueError:
        return False


def _size(tree: Tree) -> int:
    """Return the number of values and keys."""
    if isinstance(tree, dict):
        return len(tree) + sum(map(_size, tree.values()))
    return sum(map(_size, tree)) + 1 if isinstance(tree, list) else 1


def _uses(tree: Tree, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the matchers that a condition uses, with their places."""
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
