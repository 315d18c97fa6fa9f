"""Which real files an entry of `include` names, and which of them are refused."""

import os
from pathlib import Path

import pytest

from forwarder.configfile import includes
from forwarder.configfile.includes import Entry, finder, matches_of
from forwarder.configfile.read import load, read_config, read_routing, warnings_of_file
from forwarder.configfile.rule_tests import failures_of
from forwarder.configfile.snapshot import Files

CONFIG = """\
include: [ENTRIES]
streams: [{api_key: k}]
destinations: {bot: {url: 'http://127.0.0.1:9/'}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    (folder / "routes").mkdir(parents=True)
    return folder / "config.yaml"


def write(config: Path, *entries: str, rest: str = "", **routes: str) -> None:
    """Write a config that includes entries, and a file in its folder `routes` with one route for each name."""
    config.write_text(CONFIG.replace("ENTRIES", ", ".join(map(repr, entries))) + rest)
    for name, file in routes.items():
        (config.parent / "routes" / file).write_text(f"routes: [{{name: {name}, to: bot}}]")


def names(config: Path) -> list[str]:
    return [route.name for route in read_config(config).routes]


def problems(config: Path) -> list[str]:
    return [each.replace(str(config.parent), "DIR") for each in load(config).problems]


def test_a_pattern_stands_for_its_files_sorted_by_name_and_each_file_is_read_once(config: Path) -> None:
    write(
        config,
        "routes/last.yaml",
        "routes/*.yaml",
        "routes/a.yaml",
        b="20-b.yaml",
        a="a.yaml",
        last="last.yaml",
        z="10-z.yaml",
    )
    (config.parent / "routes" / "same.yaml").symlink_to("a.yaml")
    assert names(config) == ["last", "z", "b", "a"]
    assert [route.name for route in read_routing(config).routes] == ["last", "z", "b", "a"]
    assert {file.name for file in load(config).files} == {
        "config.yaml",
        "20-b.yaml",
        "a.yaml",
        "last.yaml",
        "10-z.yaml",
    }


def test_a_pattern_leaves_out_the_config_hidden_files_folders_and_files_of_tests(config: Path) -> None:
    write(config, "*.yaml", "routes/*", rest="routes: [{name: own, to: bot}]\n", hidden=".a.yaml", a="a.yaml")
    (config.parent / "b_test.yaml").write_text("tests: [{event: {}, expect: nowhere}]")
    (config.parent / "routes" / "folder.yaml").mkdir()
    assert names(config) == ["own", "a"]
    assert len(failures_of(read_config(config), config)) == 1  # it is run as a file of tests


def test_a_pattern_that_matches_nothing_is_a_warning_and_a_file_that_is_missing_a_mistake(config: Path) -> None:
    write(config, "rules/*.yaml", rest="routes: [{to: bot}]\n")
    (warning,) = load(config).warnings
    assert warning.startswith(f"{config}:1:11: include[0]: no file matches")
    write(config, "rules/a.yaml", rest="routes: [{to: bot}]\n")
    assert problems(config) == [
        "DIR/config.yaml:1:11: include[0]: cannot read DIR/rules/a.yaml: No such file or directory"
    ]


def test_a_pattern_that_matches_only_folders_is_warned_of_too(config: Path) -> None:
    write(config, "routes/*", "r*", rest="routes: [{to: bot}]\n")
    (config.parent / "routes" / "below.yaml").mkdir()
    first, second = load(config).warnings
    assert first.startswith(f"{config}:1:11: include[0]: no file matches")
    assert second.startswith(f"{config}:1:23: include[1]: no file matches")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("routes/**", "** does not stand for folders in folders; write each level, such as routes/*/*.yaml"),
        ("**/*.yaml", "** does not stand for folders in folders; write each level, such as routes/*/*.yaml"),
        ("routes", "DIR/routes is a folder; for the files in it write routes/*.yaml"),
        ("routes/fifo", "cannot read DIR/routes/fifo: it is a FIFO (a named pipe), not a regular file"),
        ("config.yaml", "the config cannot include itself"),
        ("link.yaml", "the config cannot include itself"),
        ("a_test.yaml", "DIR/a_test.yaml is a file of tests, which forwarder test finds without include"),
    ],
)
def test_what_cannot_be_included_is_refused(config: Path, entry: str, problem: str) -> None:
    write(config, entry)
    os.mkfifo(config.parent / "routes" / "fifo")
    (config.parent / "link.yaml").symlink_to("config.yaml")
    assert problems(config) == [f"DIR/config.yaml:1:11: include[0]: {problem}"]


def test_a_file_that_may_not_be_read_is_reported_by_name(config: Path) -> None:
    def read(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    (file,) = finder(config, read=read)("a.yaml", False) or ()
    assert file.problem == f"cannot read {config.parent}/a.yaml: Permission denied"


OUTSIDE = "; to allow it, write include_outside: true in the config"


def test_files_outside_of_the_folder_are_refused_and_the_message_says_how_to_allow_them(config: Path) -> None:
    shared = config.parent.parent / "shared"
    shared.mkdir()
    (shared / "s.yaml").write_text("routes: [{name: shared, to: bot}]")
    (config.parent / "link.yaml").symlink_to("../shared/s.yaml")
    (config.parent / "linked").symlink_to("../shared")
    places = {
        "../shared/s.yaml": "DIR/../shared/s.yaml is outside of the folder of the config",
        "../shared/*.yaml": "DIR/../shared/*.yaml is outside of the folder of the config",
        f"{shared}/s.yaml": f"{shared}/s.yaml is outside of the folder of the config",
        "link.yaml": f"DIR/link.yaml leads to {shared}/s.yaml, outside of the folder of the config",
        "linked/*.yaml": f"DIR/linked/s.yaml leads to {shared}/s.yaml, outside of the folder of the config",
        "routes/../../etc2/a": "DIR/routes/../../etc2/a is outside of the folder of the config",
    }
    for entry, problem in places.items():
        write(config, entry)
        assert problems(config) == [f"DIR/config.yaml:1:11: include[0]: {problem}{OUTSIDE}"]
        if "etc2" not in entry:
            write(config, entry, rest="include_outside: true\n")
            assert names(config) == ["shared"]


def test_a_folder_that_is_a_link_and_the_links_of_kubernetes_are_inside(config: Path) -> None:
    write(config, "a.yaml", f"{config.parent}/routes/*.yaml", b="b.yaml")
    data = config.parent / "..2026"
    data.mkdir()
    (data / "a.yaml").write_text("routes: [{name: a, to: bot}]")
    (config.parent / "..data").symlink_to("..2026")
    (config.parent / "a.yaml").symlink_to("..data/a.yaml")
    (config.parent.parent / "link").symlink_to("etc")
    assert names(config) == ["a", "b"]
    assert names(config.parent.parent / "link" / "config.yaml") == ["a", "b"]


def test_more_files_than_are_read_are_noticed_without_looking_at_all(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(includes, "MAX_FILES", 2)
    write(config, "routes/*", a="a", b="b", c="c", d="d")
    assert len(matches_of(Entry(config.parent, "routes/*"))) == 3


def test_a_load_is_current_until_a_file_matches_or_does_not_match_any_more(config: Path) -> None:
    write(config, "routes/*.yaml", a="a.yaml")
    loaded = load(config)
    assert loaded.is_current(Files())
    write(config, "routes/*.yaml", b="b.yaml")
    assert not loaded.is_current(Files())
    (config.parent / "routes" / "b.yaml").unlink()
    assert loaded.is_current(Files())
    (config.parent / "routes" / "a.yaml").rename(config.parent / "routes" / "c.yaml")
    assert not loaded.is_current(Files())
    assert load(config).digest == loaded.digest
    write(config, "routes/*.yaml", other="c.yaml")
    assert load(config).digest != loaded.digest


def test_a_link_that_led_outside_is_looked_at_again_when_it_leads_elsewhere(config: Path) -> None:
    write(config, "routes/*.yaml", good="good")
    link = config.parent / "routes" / "a.yaml"
    link.symlink_to("/etc/hostname")
    loaded = load(config)
    assert loaded.config is None
    assert all(str(file) != "/etc/hostname" for file in loaded.files)
    link.unlink()
    link.symlink_to("good")
    assert not loaded.is_current(Files())
    assert names(config) == ["good"]


def test_an_included_file_that_everyone_may_read_or_change_is_warned_of(config: Path) -> None:
    write(config, "more.yaml", rest="routes: [{to: bot}]\n")
    config.chmod(0o600)
    more = config.parent / "more.yaml"
    more.write_text("destinations: {two: {url: 'http://127.0.0.1:9/', auth: {bearer: canary}}}")
    more.chmod(0o646)
    first, second = warnings_of_file(config, read_config(config))
    assert first.startswith(
        f"{more}: every user of this machine can read it, and it contains secrets (destinations.two.auth.bearer)"
    )
    assert second.startswith(f"{more}: every user may change it")
    more.chmod(0o600)
    assert list(warnings_of_file(config, read_config(config))) == []


def test_a_failing_test_of_an_included_file_names_that_file(config: Path) -> None:
    write(config, "routes/*.yaml", rest="tests: [{name: own, event: {}, expect: nowhere}]\n", a="a.yaml")
    (config.parent / "routes" / "b.yaml").write_text("tests:\n  - {name: t, event: {}, expect: nowhere}")
    own, included = failures_of(read_config(config), config)
    assert own.startswith('tests: "own" (line 4): bot also gets it')
    assert included.startswith(f'{config.parent}/routes/b.yaml: "t" (line 2): bot also gets it')
