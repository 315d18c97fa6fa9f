"""An event loop on which time passes faster, with real sockets: for waits of minutes."""

import asyncio
import selectors
from collections.abc import Coroutine
from time import monotonic
from typing import Any, TypeVar

import pytest

_T = TypeVar("_T")


class _HurriedSelector(selectors.DefaultSelector):
    def __init__(self, times: float) -> None:
        super().__init__()
        self._times = times

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / self._times)


class _HurriedLoop(asyncio.SelectorEventLoop):
    def __init__(self, times: float) -> None:
        super().__init__(_HurriedSelector(times))
        self._times = times

    def time(self) -> float:
        return monotonic() * self._times


def run_hurried(work: Coroutine[Any, Any, _T], *, times: float, patch: pytest.MonkeyPatch) -> _T:
    """Run `work` so many times as fast, the clock that supervisors go by included."""
    for module in ("connection", "context", "renewal", "reconnect_schedule", "supervisor"):
        patch.setattr(f"forwarder.streams.{module}.boot_time", lambda: monotonic() * times)
    with asyncio.Runner(loop_factory=lambda: _HurriedLoop(times)) as runner:
        return runner.run(work)
