"""A clock for the canaries of a daemon that a test sets forward instead of waiting. As a program: the daemon with that clock."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

from forwarder import cli
from forwarder.monitoring import canaries

_FILE = "FORWARDER_TEST_CANARY_CLOCK"
PROGRAM = (sys.executable, str(Path(__file__)))


class CanaryClock:
    """How far ahead of the real one it is, in a file that the daemon reads."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "canary-clock"
        self._ahead_s = 0.0
        self.advance(0.0)

    def advance(self, by_s: float) -> None:
        """Set it forward."""
        self._ahead_s += by_s
        beside = self._file.with_suffix(".new")
        beside.write_text(str(self._ahead_s), encoding="ascii")
        beside.replace(self._file)

    @property
    def env(self) -> Mapping[str, str]:
        """What a daemon's environment needs to have."""
        return {_FILE: str(self._file)}


class _AheadClock:
    """In the place of `RunningClock`, which would take a step for a standstill."""

    def __init__(self, _every_s: float) -> None:
        self._file = Path(os.environ[_FILE])

    def tick(self) -> bool:
        return True

    def __call__(self) -> float:
        return monotonic() + float(self._file.read_text(encoding="ascii"))


if __name__ == "__main__":
    vars(canaries)["RunningClock"] = _AheadClock
    sys.exit(cli.main())
