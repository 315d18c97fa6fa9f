"""Counts what waits in the outbox for those who ask the running daemon. A disk that does not answer holds nobody up."""

import asyncio
from pathlib import Path

from forwarder.clocks.wall_clock import utc_now
from forwarder.core.monitoring.status import Backlog
from forwarder.outbox.open import read_backlog
from forwarder.outbox.problems import OutboxUnusableError
from forwarder.threads import start_in_thread

_COUNTED_WITHIN_S = 4.0
"""How long the outbox may take to count. An answer without these counts is better than none."""
_FRESH_S = 0.5
"""For so long a count is not made again: one view of the page asks more than once."""


class BacklogReader:
    """Reads the backlog in a thread, never more than one at a time: who asks meanwhile, or right after it, gets the same answer."""

    def __init__(self, outbox: Path) -> None:
        self._outbox = outbox
        self._counting: asyncio.Future[Backlog | None] | None = None
        """What counts at present, or has counted last."""
        self._begun_at = 0.0
        """When it began, by the clock of the loop."""

    async def read(self) -> Backlog | None:
        """Return what the outbox holds, or `None` if it cannot be read in time. A count that hangs is not begun a second time, nor waited for again."""
        now = asyncio.get_running_loop().time()
        if self._counting is None or (self._counting.done() and now - self._begun_at >= _FRESH_S):
            self._counting, self._begun_at = start_in_thread(self._count, name="count backlog"), now
        counting = self._counting  # another one may begin before this one's result is taken
        left_s = max(self._begun_at + _COUNTED_WITHIN_S - now, 0.0)
        done, _ = await asyncio.wait([counting], timeout=left_s)
        return counting.result() if done else None

    def _count(self) -> Backlog | None:
        try:
            return read_backlog(self._outbox, now=utc_now())
        except OutboxUnusableError:
            return None
