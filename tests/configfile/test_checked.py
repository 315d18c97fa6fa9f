"""Everything that a check finds, each with its file, line, column and path."""

from pathlib import Path

import pytest

from forwarder.configfile.checked import CheckedConfig, Finding, check_config, configs_in, without_included

CONFIG = """\
streams:
  - api_key: canary
routes:
  - name: all
    to: bot
    match: {text: {word: " btc"}}
destinations:
  bot: {url: "http://127.0.0.1:9/"}
  spare: {url: "http://127.0.0.1:9/", compress_from: 1KiB}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    file.chmod(0o600)
    return file


def places(findings: list[Finding]) -> list[tuple[str, int | None, int | None, str]]:
    assert all("canary" not in each.text + each.message for each in findings)
    return [(Path(each.file).name, each.line, each.column, each.path) for each in findings]


def check(file: Path) -> CheckedConfig:
    found = check_config(file)
    assert found.is_valid == (not found.problems)
    return found


def test_a_valid_config_has_warnings_with_their_places(config: Path) -> None:
    found = check(config)
    assert found.is_valid
    assert places(found.warnings) == [
        ("config.yaml", 6, 26, "routes[0].match.text.word"),
        ("config.yaml", 9, 54, "destinations.spare.compress_from"),
        ("config.yaml", 9, 10, "destinations.spare"),
    ]
    assert found.warnings[1].text == (
        f"{config}:9:54: destinations.spare.compress_from: has no effect without compression; add compression, or remove it"
    )
    assert found.warnings[1].message == "has no effect without compression; add compression, or remove it"


def test_a_warning_about_an_included_file_has_its_place_there(config: Path) -> None:
    config.write_text("include: more.yaml\n" + CONFIG)
    (config.parent / "more.yaml").write_text("\nroutes:\n  - {name: again, to: bot, match: {source: twitter}}\n")
    found = check(config)
    assert places(found.warnings)[1] == ("more.yaml", 3, 5, "routes[0]")
    assert found.included == {str(config.parent / "more.yaml")}


def test_the_warnings_about_whole_files_have_no_line(config: Path) -> None:
    config.write_text(CONFIG.replace("api_key: canary", "api_key_file: key"))
    (config.parent / "key").write_text("canary\n")
    (config.parent / "key").chmod(0o644)
    config.chmod(0o602)
    found = check(config)
    assert found.is_valid
    assert places(found.warnings)[0] == ("key", None, None, "")
    assert places(found.warnings)[-1] == ("config.yaml", None, None, "")
    assert found.warnings[-1].message.startswith("every user may change it")


def test_every_mistake_has_its_place(config: Path) -> None:
    config.write_text(CONFIG.replace("to: bot", "to: bott") + "wrong: 1\n")
    found = check(config)
    assert (found.config, found.warnings) == (None, [])
    assert places(found.problems) == [("config.yaml", 5, 9, "routes[0].to"), ("config.yaml", 10, 1, "wrong")]
    assert found.problems[0].message == '"bott" is not a destination; did you mean "bot"?'
    assert found.problems[0].text == f"{config}:5:9: routes[0].to: {found.problems[0].message}"


def test_a_config_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    (problem,) = check(tmp_path / "none.yaml").problems
    assert (problem.file, problem.line) == (str(tmp_path / "none.yaml"), None)
    assert "No such file" in problem.message


def test_the_mistakes_of_all_files_of_tests_are_reported(config: Path) -> None:
    for name in ("a", "b"):
        (config.parent / f"{name}_test.yaml").write_text("tests:\n  - {event: {}, expect: bott}\n")
    (config.parent / "c_test.yaml").symlink_to("nowhere")
    assert places(check(config).problems) == [
        ("a_test.yaml", 2, 25, "tests[0].expect"),
        ("b_test.yaml", 2, 25, "tests[0].expect"),
        ("c_test.yaml", None, None, ""),
    ]


@pytest.mark.parametrize("is_required", [True, False])
def test_a_test_that_fails_is_a_problem_where_a_reload_refuses_it(config: Path, is_required: bool) -> None:
    config.write_text(f"{CONFIG}reload: {{require_tests: {str(is_required).lower()}}}\n")
    (config.parent / "a_test.yaml").write_text("tests:\n  - {name: t, event: {}, expect: bot}\n")
    found = check(config)
    failing = found.problems if is_required else found.warnings
    assert places(failing)[0] == ("a_test.yaml", 2, None, "tests")
    if is_required:
        assert failing[0].text == f'{config}: a_test.yaml: "t" (line 2): bot does not get it'
        assert failing[-1].message == "a reload refuses this config, because a test fails (reload.require_tests)"
    else:
        assert failing[0].text == 'test fails: a_test.yaml: "t" (line 2): bot does not get it'


def test_the_configs_of_a_folder_are_those_that_no_other_one_includes(config: Path) -> None:
    folder = config.parent
    config.write_text("include: [more.yml, parts/*.yaml]\n" + CONFIG)
    (folder / "more.yml").write_text("lists: {coins: [btc]}\n")
    for name in (".hidden.yaml", "a_test.yaml", "notes.txt", "other.yaml"):
        (folder / name).write_text("a: 1\n")
    found = configs_in(folder)
    assert [file.name for file in found] == ["config.yaml", "more.yml", "other.yaml"]
    assert [each.file.name for each in without_included([check_config(file) for file in found])] == [
        "config.yaml",
        "other.yaml",
    ]
