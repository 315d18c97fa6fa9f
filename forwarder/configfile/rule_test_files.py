"""Finds and reads the files of tests that belong to a config."""

import os
from pathlib import Path

from forwarder.configfile.locations import ConfigUnreadableError
from forwarder.configfile.snapshot import Files
from forwarder.core.config import Config
from forwarder.core.config.model.rule_test import RuleTest
from forwarder.core.config.rule_tests.load import load_tests


def test_files(config: Path) -> list[Path]:
    """Return the files of tests beside a config, and in the folder `tests` there."""
    return sorted(
        file
        for folder in (config.parent, config.parent / "tests")
        for pattern in ("*_test.yaml", "*_test.yml")
        for file in folder.glob(pattern)
    )


def read_tests(file: Path, config: Config, files: Files | None = None) -> tuple[RuleTest, ...]:
    """Return the tests of a file of its own, read through `files`. Raises `ConfigError`, `ConfigUnreadableError`."""
    files = files or Files()

    def read_plain(name: str) -> str:
        return files.read_text(file.parent / name)

    try:
        text = files.read(file, is_argument=True)
    except OSError as error:
        raise ConfigUnreadableError(file, error) from error
    return load_tests(text, name=str(file), config=config, env=os.environ, read_file=read_plain, read_list=read_plain)
