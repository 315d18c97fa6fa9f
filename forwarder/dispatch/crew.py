"""The workers of a lane: which of them rest, and when one is to look for work again."""

import asyncio
from collections import deque
from math import inf


class Crew:
    """Times are the loop's: monotonic seconds."""

    def __init__(self) -> None:
        self._idle: deque[asyncio.Future[None]] = deque()
        """What each worker without work waits for."""
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = inf
        self.is_shut = False
        """It is known that nothing may go before somebody looks again."""

    @property
    def has_idle(self) -> bool:
        """Whether one of them rests."""
        return bool(self._idle)

    async def rest(self) -> None:
        """Return when there is work."""
        idle = asyncio.get_running_loop().create_future()
        self._idle.append(idle)
        await idle

    def wake(self, count: int = 1) -> None:
        """Wake so many, where so many rest."""
        while count and self._idle:
            idle = self._idle.popleft()
            if not idle.done():
                idle.set_result(None)
                count -= 1

    def look_at(self, at: float, *, is_shut: bool) -> None:
        """Have one look at `at` at the latest. `is_shut`: nothing may go before. Infinity: when it is woken."""
        if at >= self._alarm_at:
            return
        self.forget()
        self._alarm, self._alarm_at = asyncio.get_running_loop().call_at(at, self._ring), at
        self.is_shut = is_shut

    def forget(self) -> None:
        """Have nobody look unless it is woken."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._alarm_at, self.is_shut = None, inf, False

    def _ring(self) -> None:
        self._alarm, self._alarm_at, self.is_shut = None, inf, False
        self.wake()
