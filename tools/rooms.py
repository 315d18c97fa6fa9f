"""The map of the packages and the drawing of their imports in CONTRIBUTING.md, both made from the code.

`python -m tools.rooms` writes them between their markers; with `--check` it only reports whether they are up to date. In this module,
a package of forwarder is called a room, and a layer of packages a floor.
"""

import argparse
import ast
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "CONTRIBUTING.md"
_PACKAGE = "forwarder"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the map and the drawing, or check them; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.rooms", description="Update the map of the packages in CONTRIBUTING.md."
    )
    parser.add_argument("--check", action="store_true", help="only report whether the map is up to date")
    asked = parser.parse_args(arguments)
    before = PAGE.read_text(encoding="utf-8")
    now = drawn(before)
    if not asked.check:
        PAGE.write_text(now, encoding="utf-8")
    elif now != before:
        print(
            "The map of the packages in CONTRIBUTING.md is out of date. To update it: .venv/bin/python -m tools.rooms",
            file=sys.stderr,
        )
        return 1
    return 0


def drawn(page: str) -> str:
    """Return the page with the map and the drawing as the code is now."""
    floors = floors_of(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")))
    page = _between(page, "map", table(floors, duties(ROOT / _PACKAGE)))
    return _between(page, "imports", drawing(floors, imports()))


def floors_of(pyproject: Mapping[str, object]) -> list[list[str]]:
    """Return the rooms of each floor, the top one first, as the first contract of import-linter orders them."""
    match pyproject:
        case {"tool": {"importlinter": {"contracts": [{"layers": [*layers]}, *_]}}}:
            return [[room.strip().removeprefix(f"{_PACKAGE}.") for room in layer.split("|")] for layer in layers]
        case _:
            message = "pyproject.toml has no contract of layers"
            raise ValueError(message)


def duties(package: Path) -> dict[str, str]:
    """Return the first sentence of each room's docstring; of the rooms in a room too, as `core/config`."""
    files = {path.parent: path for path in package.rglob("__init__.py") if path.parent != package}
    files |= {path.with_suffix(""): path for path in package.glob("*.py") if not path.name.startswith("__")}
    return {place.relative_to(package).as_posix(): _first_sentence(path) for place, path in sorted(files.items())}


def table(floors: Sequence[Sequence[str]], duties: Mapping[str, str]) -> str:
    """Return the map as a table: a line for each room, the top floor first, with the rooms of `core` below it."""
    lines = ["| Package | What it does |", "|---|---|"]
    for rooms in floors:
        for room in sorted(rooms):
            inner = [each for each in sorted(duties) if each.startswith(f"{room}/") and each.count("/") == 1]
            for each in [room, *inner]:
                place = f"{_PACKAGE}/{each}"
                path = f"{place}.py" if (ROOT / f"{place}.py").exists() else f"{place}/"
                lines.append(f"| `{path}` | {duties[each]} |")
    return "\n".join(lines)


def imports() -> set[tuple[str, str]]:
    """Return each pair of rooms of which the first imports the second."""
    graph = grimp.build_graph(_PACKAGE, cache_dir=None)
    found = set()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            if (pair := (_room_of(module), _room_of(imported)))[0] != pair[1] and all(pair):
                found.add(pair)
    return found


def drawing(floors: Sequence[Sequence[str]], imports: set[tuple[str, str]]) -> str:
    """Return a Mermaid flowchart of the imports between rooms.

    An import of the bottom room is not drawn where its importer reaches that room anyway: nearly every room does.
    """
    (bottom,) = floors[-1]
    above = {room for room, imported in imports if imported != bottom}
    shown = {pair for pair in imports if pair[1] != bottom or pair[0] not in above}
    lines = ["```mermaid", "flowchart TD"]
    lines += [f"  {room}" for rooms in floors for room in sorted(rooms)]
    order = {room: (floor, room) for floor, rooms in enumerate(floors) for room in rooms}
    lines += [f"  {room} --> {imported}" for room, imported in sorted(shown, key=lambda pair: [*map(order.get, pair)])]
    return "\n".join([*lines, "```"])


def _room_of(module: str) -> str:
    """Return the room that a module is in; empty for the package itself and what starts it."""
    _, _, rest = module.partition(".")
    room = rest.partition(".")[0]
    return "" if room.startswith("__") else room


def _first_sentence(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def _between(page: str, name: str, content: str) -> str:
    """Return the page with `content` between the two markers of that name."""
    begin, end = f"<!-- {name}: made by `python -m tools.rooms` -->", f"<!-- end of {name} -->"
    if page.count(begin) != 1 or page.count(end) != 1:
        message = f"CONTRIBUTING.md needs each of these once: {begin} {end}"
        raise ValueError(message)
    return re.sub(
        f"{re.escape(begin)}.*{re.escape(end)}", lambda _: f"{begin}\n{content}\n{end}", page, flags=re.DOTALL
    )


if __name__ == "__main__":
    sys.exit(main())
