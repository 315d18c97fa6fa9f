"""Finds the files that `include` names on this machine, and refuses those that are outside of the folder of the config."""

import glob
import os
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from forwarder.core.config.include import MAX_FILES, FindFiles, IncludedFile
from forwarder.files import read_file

_TESTS = ("_test.yaml", "_test.yml")
_TO_ALLOW = "to allow it, write include_outside: true in the config"


class Entry(NamedTuple):
    """An entry of `include`: a file or a pattern, relative to a folder."""

    folder: Path
    written: str


class Match(NamedTuple):
    """A file that an entry names, and the file that this name leads to."""

    path: Path
    real: str


def matches_of(entry: Entry) -> tuple[Match, ...]:
    """Return the files that an entry names, sorted by their paths. One without a pattern in it names one file, which need not exist."""
    written = [entry.written]
    if glob.has_magic(entry.written):
        # One more than are read, so that it is noticed that there are too many.
        found = glob.iglob(entry.written, root_dir=entry.folder)  # noqa: PTH207 - Path.glob also matches hidden files
        written = sorted(islice(found, MAX_FILES + 1))
    paths = [entry.folder / each for each in written]
    return tuple(Match(path, os.path.realpath(path)) for path in paths)


def _is_folder(match: Match) -> bool:
    return os.path.isdir(match.real)  # noqa: PTH112 - Path.is_dir raises where it may not look


def finder(
    config: Path,
    *,
    read: Callable[[Path], bytes] = read_file,
    look: Callable[[Entry], tuple[Match, ...]] = matches_of,
) -> FindFiles:
    """Return what finds the included files of one load of a config. `read` and `look` do so for it."""
    return _Finder(config, read, look).find


class _Finder:
    def __init__(self, config: Path, read: Callable[[Path], bytes], look: Callable[[Entry], tuple[Match, ...]]) -> None:
        self._folder = config.parent
        self._inside = (os.path.abspath(self._folder), os.path.realpath(self._folder))  # noqa: PTH100 - without `..`
        self._config = os.path.realpath(config)
        self._seen: set[str] = set()
        self._read = read
        self._look = look

    def find(self, entry: str, is_outside: bool) -> Sequence[IncludedFile] | None:
        """Return the files that an entry names and that were not returned before; `None` where no file matches."""
        is_pattern = glob.has_magic(entry)
        if not is_outside and not self._is_inside(os.path.abspath(self._folder / entry)):  # noqa: PTH100 - without `..`
            return [self._refused(entry, f"{self._folder / entry} is outside of the folder of the config; {_TO_ALLOW}")]
        if "**" in entry:
            return [
                self._refused(
                    entry, "** does not stand for folders in folders; write each level, such as routes/*/*.yaml"
                )
            ]
        matches = self._look(Entry(self._folder, entry))
        if is_pattern and all(map(_is_folder, matches)):
            return None
        return [file for match in matches if (file := self._file(match, entry, is_pattern, is_outside)) is not None]

    def _is_inside(self, path: str) -> bool:
        return any(Path(path).is_relative_to(folder) for folder in self._inside)

    def _file(self, match: Match, entry: str, is_pattern: bool, is_outside: bool) -> IncludedFile | None:
        path, real = match
        is_config, is_test = real == self._config, path.name.endswith(_TESTS)
        if real in self._seen or (is_pattern and (is_config or is_test or _is_folder(match))):
            return None
        self._seen.add(real)
        if is_config:
            return self._refused(entry, "the config cannot include itself")
        if is_test:
            return self._refused(entry, f"{path} is a file of tests, which forwarder test finds without include")
        if not is_outside and not self._is_inside(real):
            return self._refused(entry, f"{path} leads to {real}, outside of the folder of the config; {_TO_ALLOW}")
        try:
            return IncludedFile(name=str(path), content=self._read(path))
        except IsADirectoryError:
            return self._refused(entry, f"{path} is a folder; for the files in it write {entry.rstrip('/')}/*.yaml")
        except OSError as error:
            return self._refused(entry, f"cannot read {path}: {error.strerror or type(error).__name__}")

    def _refused(self, entry: str, problem: str) -> IncludedFile:
        return IncludedFile(name=entry, problem=problem)
