"""Checks a config with everything that belongs to it, and collects what is wrong with it and what is odd, each with its place."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from forwarder.configfile.includes import finder
from forwarder.configfile.locations import ConfigUnreadableError
from forwarder.configfile.read import read_files_of, warnings_of_file
from forwarder.configfile.rule_test_files import read_tests, test_files
from forwarder.configfile.rule_tests import failing_tests
from forwarder.configfile.snapshot import Files
from forwarder.core.config import Config
from forwarder.core.config.lint import warnings_of
from forwarder.core.config.load import find_places
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.problems import ConfigError
from forwarder.core.yaml.remarks import Remark

_REFUSED = "a reload refuses this config, because a test fails (reload.require_tests)"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake or warning."""

    text: str
    """All of it on one line, for people."""
    file: str
    line: int | None = None
    column: int | None = None
    path: str = ""
    message: str


class CheckedConfig(msgspec.Struct, kw_only=True):
    """What a check of a config found."""

    file: Path
    config: Config | None = None
    """`None` where it is not valid."""
    problems: list[Finding] = []
    warnings: list[Finding] = []
    included: frozenset[str] = frozenset()
    """The real paths of the files that it includes."""

    @property
    def is_valid(self) -> bool:
        """Whether a daemon would use it."""
        return not self.problems


def check_config(file: Path, *, more: Callable[[Config], Iterable[str]] = lambda _config: ()) -> CheckedConfig:
    """Return what is wrong with a config, its test files and its tests, and what is odd. `more` yields further warnings."""
    files = Files()
    found = CheckedConfig(file=file)

    def note_warning(named: Path, sentence: str) -> None:
        found.warnings.append(Finding(text=sentence, file=str(named), message=sentence))

    try:
        found.config = config = read_files_of(file, files, note_warning)
    except ConfigUnreadableError as error:
        found.problems.append(unreadable(file, error))
    except ConfigError as error:
        found.problems += _problems_of(error)
    found.included = frozenset(match.real for matches in files.included.values() for match in matches)
    if found.config is None:
        return found
    for tests in test_files(file):
        try:
            read_tests(tests, config, files)
        except ConfigUnreadableError as error:
            found.problems.append(unreadable(tests, error))
        except ConfigError as error:
            found.problems += _problems_of(error)
    if not found.problems:
        _run_tests(found, config, files)
    places = _places(file, files)
    said = (*warnings_of(config), *warnings_of_file(file, config), *more(config))
    found.warnings += [of_remark(each, file, places) for each in said]
    return found


def unreadable(file: Path, error: ConfigUnreadableError) -> Finding:
    """Return the finding about a file that cannot be read."""
    return Finding(text=str(error), file=str(file), message=str(error))


def of_remark(said: str, file: Path, places: Findings | None) -> Finding:
    """Return the finding for a warning; `places` knows the places in the config."""
    if not isinstance(said, Remark):
        return Finding(text=said, file=str(file), message=said)
    place = said.place
    if place is None and places is not None:
        place = places.place(said.at)
    if place is None:
        return Finding(text=said, file=str(file), message=said.message)
    text: str = said
    if said.place is None and said.at and place.line:
        named = place.file or str(file)
        text = f"{named}:{place.line}:{place.column}: {said.removeprefix(f'{named}: ')}"
    return Finding(
        text=text,
        file=place.file or str(file),
        line=place.line or None,
        column=place.column or None,
        path=place.path,
        message=said.message,
    )


def configs_in(folder: Path) -> list[Path]:
    """Return the files in a folder that may be configs, sorted by name. Raises `OSError`."""
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix in {".yaml", ".yml"}
        and not file.name.startswith(".")
        and not file.stem.endswith("_test")
        and not os.path.isdir(file)  # noqa: PTH112 - Path.is_dir raises where it may not look
    )


def without_included(checked: Sequence[CheckedConfig]) -> list[CheckedConfig]:
    """Return the configs that no other one of them includes."""
    included = frozenset[str]().union(*(each.included for each in checked))
    return [each for each in checked if os.path.realpath(each.file) not in included]


def _run_tests(found: CheckedConfig, config: Config, files: Files) -> None:
    """Add the tests that fail: they are problems where a reload refuses them, and warnings where it does not."""
    failing = [of_remark(each, found.file, None) for each in failing_tests(config, found.file, files)]
    if not failing:
        return
    if config.reload.require_tests:
        found.problems += [msgspec.structs.replace(each, text=f"{found.file}: {each.text}") for each in failing]
        found.problems.append(Finding(text=f"{found.file}: {_REFUSED}", file=str(found.file), message=_REFUSED))
    else:
        found.warnings += [
            msgspec.structs.replace(each, text=f"test fails: {each.text}", message=f"test fails: {each.message}")
            for each in failing
        ]


def _problems_of(error: ConfigError) -> Iterator[Finding]:
    for problem, text in zip(error.problems, str(error).splitlines(), strict=True):
        yield Finding(
            text=text,
            file=problem.file or error.name,
            line=problem.line,
            column=problem.column,
            path=problem.path,
            message=problem.message,
        )


def _places(file: Path, files: Files) -> Findings:
    """Return what knows the places in a valid config."""
    return find_places(
        files.read(file, is_argument=True),
        name=str(file),
        env=os.environ,
        find_files=finder(file, read=files.read, look=files.matches),
    )
