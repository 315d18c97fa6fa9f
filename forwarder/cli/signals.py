"""Handles the signals of `forwarder run` from its first line to its last, so that none has its default action, which ends the process.

It is loaded before anything else, so it loads next to nothing itself.
"""

import os
import signal
from collections.abc import Callable, Mapping
from types import FrameType

TYPE_CHECKING = False  # that of `typing` takes longer to load than all of this
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

_STOPS = (signal.SIGTERM, signal.SIGINT)
_OTHERS = (signal.SIGHUP, signal.SIGUSR2)

_early: list[int] = []
"""Signals that came before the daemon was ready."""


def handle_early() -> None:
    """Handle signals before the daemon is ready: a stop ends the process, which has nothing to close; the others are kept for later."""
    for number in _STOPS:
        signal.signal(number, _end)
    for number in _OTHERS:
        signal.signal(number, _keep)


def handle_in_loop(loop: "AbstractEventLoop", handlers: Mapping[signal.Signals, Callable[[], None]]) -> None:
    """Have this running loop call the handlers from now on, and at once for signals that came early.

    They are set without `loop.add_signal_handler`: a loop sets the default action again when it closes, and the process ends later.
    """

    def call(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(handlers[signal.Signals(number)])

    for number in handlers:
        signal.signal(number, call)
    while _early:
        handlers[signal.Signals(_early.pop(0))]()


def ignore(handlers: Mapping[signal.Signals, object]) -> None:
    """Ignore these signals until the process has ended: it has stopped, and returns its exit code."""
    for number in handlers:
        signal.signal(number, signal.SIG_IGN)


def _end(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)


def _keep(number: int, _frame: FrameType | None) -> None:
    if number not in _early:
        _early.append(number)
