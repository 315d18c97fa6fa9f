"""Warnings about a config: sentences that people read, each with its place for programs."""

from typing import Self

from forwarder.core.yaml.findings import Place
from forwarder.core.yaml.problems import render_path
from forwarder.core.yaml.tree import Path


class Remark(str):
    """A warning: a sentence that begins with its place."""

    __slots__ = ("at", "message", "place")

    at: Path
    """The path in the config; empty where the warning is about a whole file."""
    message: str
    """The sentence without the place at its beginning."""
    place: Place | None
    """The file, line and column, where they are known already; they can be found by `at`."""

    def __new__(cls, at: Path, message: str, *, shown: str = "", place: Place | None = None) -> Self:
        """Create a warning. `shown` is how people write the path, where that is not the usual way."""
        self = super().__new__(cls, f"{shown or render_path(at)}: {message}")
        self.at, self.message, self.place = at, message, place
        return self
