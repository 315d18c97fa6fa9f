"""Which files of tests belong to a config."""

from pathlib import Path

from forwarder.configfile.rule_test_files import test_files as files_of


def test_files_next_to_the_config_and_in_its_folder_tests_are_found_in_order(tmp_path: Path) -> None:
    (tmp_path / "tests" / "deep").mkdir(parents=True)
    for name in (
        "b_test.yaml",
        "a_test.yml",
        "test.yaml",
        "a_test.json",
        "tests/c_test.yaml",
        "tests/deep/d_test.yaml",
    ):
        (tmp_path / name).touch()
    found = [file.relative_to(tmp_path).as_posix() for file in files_of(tmp_path / "config.yaml")]
    assert found == ["a_test.yml", "b_test.yaml", "tests/c_test.yaml"]
