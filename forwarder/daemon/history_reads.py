"""Reads the history for those who ask the running daemon: in threads, a few at a time, each within a time limit."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TypeVar

from forwarder.core.history import History
from forwarder.outbox.open import open_history
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError, ReadGivenUpError
from forwarder.threads import start_in_thread
from forwarder.web.ports import UnavailableError

_MOST_READS = 4
"""How many reads are under way at the same time."""
_TURN_WITHIN_S = 5.0
"""How long a read waits for its turn."""
_READ_WITHIN_S = 10.0
_END_WITHIN_S = 2.0
"""How much longer a read may take to notice that it is given up. One that does not is at a disk that does not respond."""

_T = TypeVar("_T")

_BUSY = "too many searches are under way; try again in a moment"
_SLOW = "the search took longer than {:.0f} s; narrow it, for example by time"
_SILENT = "the disk of the outbox does not answer; try again later"


class HistoryReader:
    """Calls functions that read the history in threads.

    A thread that waits for a disk cannot be ended. It keeps its place until the disk responds, so that threads do not pile up.
    """

    def __init__(
        self,
        outbox: Path,
        *,
        within_s: float = _READ_WITHIN_S,
        turn_within_s: float = _TURN_WITHIN_S,
        most: int = _MOST_READS,
    ) -> None:
        self._outbox = outbox
        self._within_s = within_s
        self._turn_within_s = turn_within_s
        self._places = asyncio.Semaphore(most)

    async def read(self, work: Callable[[History], _T]) -> _T:
        """Return what `work` returns. Raises `UnavailableError`. What is cancelled meanwhile ends its read, too."""
        try:
            async with asyncio.timeout(self._turn_within_s):
                await self._places.acquire()
        except TimeoutError:
            raise UnavailableError(_BUSY) from None
        is_given_up = False
        until = monotonic() + self._within_s

        def give_up() -> bool:
            return is_given_up or monotonic() > until

        def run() -> _T:
            with open_history(self._outbox, give_up=give_up) as history:
                return work(history)

        done = start_in_thread(run, name="read history")
        done.add_done_callback(lambda _done: self._places.release())
        try:
            await asyncio.wait([done], timeout=self._within_s + _END_WITHIN_S)
        except asyncio.CancelledError:
            is_given_up = True
            raise
        if not done.done():
            is_given_up = True
            raise UnavailableError(_SILENT)
        try:
            return done.result()
        except ReadGivenUpError as error:
            raise UnavailableError(_SLOW.format(self._within_s)) from error
        except OutboxUnusableError as error:
            advice = "" if error.problem is OutboxProblem.CORRUPT else f". {error.advice}"
            raise UnavailableError(f"the outbox cannot be read now: {error.detail}{advice}") from error
