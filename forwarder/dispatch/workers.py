"""The workers of a lane: which of them wait for work, and when one of them looks for work by itself."""

import asyncio
from collections import deque
from math import inf


class Workers:
    """Lets workers wait for work, and wakes them when there is some or at a given time. Times are the loop's: monotonic seconds."""

    def __init__(self) -> None:
        self._idle: deque[asyncio.Future[None]] = deque()
        """One future for each worker that waits for work."""
        self._coming = 0
        """Workers that were woken, and have not looked for work since."""
        self._timer: asyncio.Handle | None = None
        self._timer_at = inf
        self.all_blocked = False
        """Nothing may be attempted before the timer wakes a worker."""

    @property
    def may_wake_another(self) -> bool:
        """Whether a worker waits for work, and none is about to look for some: that one will see that there is more."""
        return bool(self._idle) and not self._coming

    async def wait_for_work(self) -> None:
        """Return when there may be work."""
        idle = asyncio.get_running_loop().create_future()
        self._idle.append(idle)
        try:
            await idle
        except asyncio.CancelledError:
            self._coming -= not idle.cancelled()
            raise
        self._coming -= 1

    def wake(self, count: int = 1) -> None:
        """Wake `count` workers, or all that wait if they are fewer."""
        while count and self._idle:
            idle = self._idle.popleft()
            if not idle.done():
                idle.set_result(None)
                self._coming += 1
                count -= 1

    def wake_at(self, at: float, *, all_blocked: bool) -> None:
        """Wake a worker at `at` at the latest; infinity: not by time. `all_blocked`: nothing may be attempted before."""
        if at >= self._timer_at:
            return
        self.cancel_timer()
        self._timer, self._timer_at = asyncio.get_running_loop().call_at(at, self._ring), at
        self.all_blocked = all_blocked

    def cancel_timer(self) -> None:
        """Wake nobody by time any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at, self.all_blocked = None, inf, False

    def _ring(self) -> None:
        self._timer, self._timer_at, self.all_blocked = None, inf, False
        self.wake()
