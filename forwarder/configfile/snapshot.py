"""What a config was loaded from: its files and their digests, which show whether one was edited since."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import msgspec

from forwarder.configfile.includes import Entry, Match, matches_of
from forwarder.core.config import Config
from forwarder.files import LONGEST_BYTES, read_argument, read_file, text_of, too_long

_SHOWN = 12
"""The number of digits of a digest that people see."""


class Step(NamedTuple):
    """What a load is at."""

    file: Path | None
    """The file that is being read; `None` between two files."""
    since_s: float
    """Since when, in seconds of the monotonic clock."""


class Files:
    """Reads each file once and keeps its content, for one load. The next load sees what changed meanwhile."""

    def __init__(self) -> None:
        self._held: dict[Path, bytes | OSError] = {}
        self._matches: dict[Entry, tuple[Match, ...]] = {}
        self.step = Step(None, monotonic())
        """What the load is at; another thread may look at it."""

    def read(self, path: Path, *, is_argument: bool = False) -> bytes:
        """Return the content of a regular file; of one that the command line names, see `read_argument`. Raises `OSError`."""
        path = path.absolute()
        if path not in self._held:
            self.step = Step(path, monotonic())
            self._held[path] = _read(path, read_argument if is_argument else read_file)
            self.step = Step(None, monotonic())
        held = self._held[path]
        if isinstance(held, OSError):
            raise held
        return held

    def matches(self, entry: Entry) -> tuple[Match, ...]:
        """Return the files that an entry of `include` names."""
        if entry not in self._matches:
            self.step = Step(entry.folder / entry.written, monotonic())
            self._matches[entry] = matches_of(entry)
            self.step = Step(None, monotonic())
        return self._matches[entry]

    def read_text(self, path: Path, *, limit: int = LONGEST_BYTES) -> str:
        """Return the text of a file of `limit` bytes at most, as `text_of` reads it. Raises `OSError`, `UnicodeDecodeError`."""
        content = self.read(path)
        if len(content) > limit:
            raise too_long(path, limit)
        return text_of(content)

    def digest(self, path: Path) -> str:
        """Return a digest of the content of a file, or of the error."""
        with suppress(OSError):
            self.read(path)
        return _digest(self._held[path.absolute()])

    @property
    def included(self) -> dict[Entry, tuple[Match, ...]]:
        """The files that each entry of `include` names."""
        return dict(self._matches)

    @property
    def digests(self) -> dict[Path, str]:
        """A digest of the content of each file, or of the error, by its absolute path."""
        return {path: _digest(held) for path, held in self._held.items()}


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """The result of loading a config: the config, or why it cannot be used, and the files that were read."""

    config: Config | None
    """`None` where it cannot be used."""
    problems: tuple[str, ...] = ()
    """Why the config cannot be used."""
    warnings: Sequence[str] = ()
    """The warnings about a config that can be used."""
    is_readable: bool = True
    """Whether the config file itself could be read."""
    advice: str = ""
    """What to do if it could not, to add to the problem."""
    files: Mapping[Path, str] = msgspec.field(default_factory=dict)
    """`Files.digests` of the load, also for a config that cannot be used."""

    included: Mapping[Entry, tuple[Match, ...]] = msgspec.field(default_factory=dict)
    """`Files.included` of the load, in the same way."""

    @property
    def digest(self) -> str:
        """A digest of all files."""
        return hashlib.sha256("".join(self.files.values()).encode()).hexdigest()[:_SHOWN]

    def is_current(self, files: Files) -> bool:
        """Return whether a load would read the same now, through `files`; `False` where the files are not known."""
        return (
            bool(self.files)
            and all(files.matches(entry) == matches for entry, matches in self.included.items())
            and all(files.digest(path) == digest for path, digest in self.files.items())
        )


def _read(path: Path, read: Callable[[Path], bytes]) -> bytes | OSError:
    try:
        return read(path)
    except OSError as error:
        return error


def _digest(held: bytes | OSError) -> str:
    return f"{held.errno}" if isinstance(held, OSError) else hashlib.sha256(held).hexdigest()
