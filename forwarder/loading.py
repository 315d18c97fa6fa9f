"""Which files a config was read from and what they held, so that it can be told whether one was edited since."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from forwarder.core.config import Config

_SHOWN = 12
"""Digits of a digest that people are shown."""


class Files:
    """Reads files, each once, and remembers what they held. For one load: what changes meanwhile is seen by the next."""

    def __init__(self) -> None:
        self._held: dict[Path, bytes | OSError] = {}

    def read(self, path: Path) -> bytes:
        """Return what a file holds. Raises `OSError`."""
        path = path.absolute()
        if path not in self._held:
            self._held[path] = _read(path)
        held = self._held[path]
        if isinstance(held, OSError):
            raise held
        return held

    def read_text(self, path: Path) -> str:
        """Return its text, whatever ends its lines. Raises `OSError`, `UnicodeDecodeError`."""
        return self.read(path).decode().replace("\r\n", "\n").replace("\r", "\n")

    @property
    def digests(self) -> dict[Path, str]:
        """By the absolute path of each file that was asked for, what stands for its content, or for its absence."""
        return {path: _digest(held) for path, held in self._held.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What came of reading a config."""

    config: Config | None
    """`None` where it cannot be used."""
    problems: tuple[str, ...] = ()
    """Why not."""
    is_readable: bool = True
    """Whether the config file itself could be read."""
    files: Mapping[Path, str] = field(default_factory=dict)
    """As `Files.digests` has them, those that a bad config names included."""

    @property
    def digest(self) -> str:
        """Stands for everything that was read."""
        return hashlib.sha256("".join(self.files.values()).encode()).hexdigest()[:_SHOWN]

    def is_current(self) -> bool:
        """Return whether a load would read the same now; `False` where it is not known what it read."""
        return bool(self.files) and all(_digest(_read(path)) == digest for path, digest in self.files.items())


def _read(path: Path) -> bytes | OSError:
    try:
        return path.read_bytes()
    except OSError as error:
        return error


def _digest(held: bytes | OSError) -> str:
    return f"{held.errno}" if isinstance(held, OSError) else hashlib.sha256(held).hexdigest()
