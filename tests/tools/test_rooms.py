"""CONTRIBUTING.md and docs/testing.md show the rooms as they are, and every place that they name is there."""

import re
import tomllib
from pathlib import Path

import pytest

from forwarder.cli import COMMANDS
from tests.support.paths import ROOT
from tools import rooms

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FLOORS = rooms.floors_of(PYPROJECT)
WITHOUT_A_ROOM = {"contracts", "crash", "data", "e2e", "interop", "support", "tools"}
"""Folders of tests that belong to no room; docs/testing.md says what each is for."""
WITHOUT_TESTS_OF_THEIR_NAME = {
    "a value, without a rule: whoever makes and reads it has the tests": {
        *("core/config/model/compiled.py", "core/config/model/rule_test.py"),
        *("core/dispatch/lane_events.py", "core/routing/table.py", "dispatch/shared_limits.py", "daemon/signals.py"),
        *("emulator/settings.py", "outbox/sqlite/file/names.py", "clocks/wall_clock.py", "control/errors.py"),
    },
    "Protocols: tests/contracts and each implementation have the tests": {
        *("core/ports.py", "outbox/store.py", "streams/stream.py"),
    },
    "calls `main`; each test that starts a process goes through it": {"__main__.py"},
    "the parser of a command: tests/cli/arguments/test_arguments.py has them all in its tables, and fails for one that is not": {
        f"cli/arguments/{module}.py" for module, _ in COMMANDS.values()
    },
    "options of several commands or of `listen`: in the same tables; what they do is in tests/cli/test_signatures.py": {
        *("cli/arguments/filters.py", "cli/arguments/options.py", "cli/arguments/signatures.py"),
    },
}
"""Modules that need no test file of their name, by the reason."""


def test_the_map_and_the_drawing_are_those_of_the_code() -> None:
    assert rooms.drawn(PAGE) == PAGE, "renew them: .venv/bin/python -m tools.rooms"


def test_every_room_is_on_a_floor_and_in_the_map() -> None:
    in_code = {path.parent.name for path in (ROOT / "forwarder").glob("*/__init__.py")}
    in_code |= {path.stem for path in (ROOT / "forwarder").glob("*.py") if not path.name.startswith("__")}
    assert {room for floor in FLOORS for room in floor} == in_code
    for room in in_code:
        assert re.search(rf"^\| `forwarder/{room}(/|\.py)` \| \w", PAGE, flags=re.MULTILINE), room


def test_each_drawn_import_goes_down() -> None:
    floor = {room: number for number, rooms_of_floor in enumerate(FLOORS) for room in rooms_of_floor}
    assert len(drawn := re.findall(r"^  (\w+) --> (\w+)$", PAGE, flags=re.MULTILINE)) > 20
    assert [(one, other) for one, other in drawn if floor[one] >= floor[other]] == []


def test_an_import_of_the_bottom_room_is_drawn_only_where_no_other_leads_there() -> None:
    drawing = rooms.drawing([["top"], ["low", "lone"], ["core"]], {("top", "low"), ("top", "core"), ("low", "core")})
    assert drawing.splitlines()[1:] == [
        "flowchart TD",
        *("  top", "  lone", "  low", "  core"),
        *("  top --> low", "  low --> core"),
        "```",
    ]


def test_a_stale_page_fails_the_check_and_is_renewed_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "CONTRIBUTING.md"
    page.write_text(PAGE.replace("  cli --> demo\n", ""), encoding="utf-8")
    monkeypatch.setattr(rooms, "PAGE", page)
    assert rooms.main(["--check"]) == 1
    assert "python -m tools.rooms" in capsys.readouterr().err
    assert rooms.main([]) == 0
    assert page.read_text(encoding="utf-8") == PAGE
    assert rooms.main(["--check"]) == 0


def test_a_page_without_its_markers_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs each of these once"):
        rooms.drawn("no markers")


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/testing.md"])
def test_every_path_that_a_page_names_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    words = {word for code in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text) for word in code.split()}
    paths = {word for word in words if re.match(r"(forwarder|tests|tools|docs|locks|benchmarks|\.ci)/", word)}
    paths |= {word for word in words if re.fullmatch(r"[\w.-]+\.(md|json|toml|yaml)", word)}
    links = {link.partition("#")[0] for link in re.findall(r"\]\((?!https?:)([^)#]+)", text)}
    missing = {path for path in paths if not (ROOT / path).exists()}
    missing |= {link for link in links if not (ROOT / name).parent.joinpath(link).exists()}
    assert paths
    assert missing - {"tests/interop/node_modules"} == set()


def test_each_of_the_ten_likeliest_changes_has_its_files() -> None:
    section = PAGE.partition("## Where do I change")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (a new [\w ]+) \| (.+) \|$", section, flags=re.MULTILINE)
    assert len(rows) == 10
    assert all(re.search(r"`(tests|docs)/", files) for _, files in rows)


def test_the_modules_of_documented_commands_are_there() -> None:
    modules = set(re.findall(r"python -m (tools\.\w+)", PAGE))
    assert modules == {f"tools.{path.stem}" for path in (ROOT / "tools").glob("*.py") if path.stem != "__init__"}


def folders(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if any(path.glob("*.py"))}


def test_the_folders_of_tests_are_those_of_the_rooms() -> None:
    in_code = folders(ROOT / "forwarder") | {"systemd"}
    mirrored = {folder for folder in folders(ROOT / "tests") if folder.partition("/")[0] not in WITHOUT_A_ROOM}
    assert mirrored - in_code == set()
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    assert [folder for folder in WITHOUT_A_ROOM if f"`tests/{folder}`" not in page] == []


def modules_without_tests(root: Path) -> set[str]:
    """Return the modules of `forwarder/` for which there is no test file of their name in the mirrored folder."""
    paths = {path.relative_to(root / "forwarder") for path in (root / "forwarder").rglob("*.py")}
    return {
        path.as_posix()
        for path in paths
        if path.name != "__init__.py" and not (root / "tests" / path.with_name(f"test_{path.name}")).exists()
    }


def test_each_module_has_a_test_file_of_its_name_or_a_reason_to_have_none() -> None:
    excused = set().union(*WITHOUT_TESTS_OF_THEIR_NAME.values())
    without = modules_without_tests(ROOT)
    assert without - excused == set(), "give each a test file of its name in the mirrored folder of tests/"
    assert excused - without == set(), "these have a test file, or are no modules any more: they need no excuse"


def test_a_module_without_a_test_file_is_found_in_any_folder(tmp_path: Path) -> None:
    for name in ("forwarder/__init__.py", "forwarder/room/__init__.py", "forwarder/room/one.py", "forwarder/two.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert modules_without_tests(tmp_path) == {"room/one.py", "two.py"}
    (tmp_path / "tests" / "room").mkdir(parents=True)
    (tmp_path / "tests" / "test_one.py").touch()  # not in the mirrored folder
    (tmp_path / "tests" / "test_two.py").touch()
    assert modules_without_tests(tmp_path) == {"room/one.py"}
    (tmp_path / "tests" / "room" / "test_one.py").touch()
    assert modules_without_tests(tmp_path) == set()
