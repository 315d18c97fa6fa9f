"""A timeout that counts only time in which the event loop ran.

While a process is stopped, a machine sleeps or the loop is blocked, nothing is read, and what came is still in the socket. Such time
says nothing about the peer: after it the loop reads first, and the time that was left continues.
"""

import asyncio
from types import TracebackType
from typing import Self

_LONGEST_STEP_S = 1.0
_STEPS = 20
_LAST_LOOK_S = 0.2
"""After the time is over the loop reads once more, for this long: what came is not late just because a timer ran first."""
_STANDSTILL_S = 1.0
"""A last look that is this late has read nothing, so there is another one."""


class RunningTimeout:
    """Raises `TimeoutError` from its block after `allowed_s`, at most a twentieth and 0.2 s late.

    It uses one timer that looks at intervals: moving a timer at every message would cost more than reading the message.
    """

    def __init__(self, allowed_s: float) -> None:
        self._allowed_s = allowed_s
        self._step_s = min(_LONGEST_STEP_S, allowed_s / _STEPS)
        self._limit = asyncio.timeout(None)
        self._loop = asyncio.get_running_loop()
        self._counted_s = 0.0
        self.is_counting = True
        """Whether time counts. The block sets it to false while it does something else than to wait for the peer."""
        self.is_restarted = False
        """Set to true by the block to count from zero again, together with `is_counting`. Both are plain, because they are set for every message."""
        self._is_last_look = False

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        self._look_in(self._step_s)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._looking.cancel()
        await self._limit.__aexit__(kind, error, trace)

    def _look_in(self, seconds: float) -> None:
        self._looked_at = self._loop.time()
        self._looking = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        passed_s = self._loop.time() - self._looked_at
        was_last_look, self._is_last_look = self._is_last_look, False
        if self.is_restarted or not self.is_counting:
            self.is_restarted, self._counted_s = False, 0.0
        else:
            self._counted_s += min(passed_s, 2 * self._step_s)
        if self._counted_s < self._allowed_s:
            self._look_in(self._step_s)
        elif was_last_look and passed_s < _LAST_LOOK_S + _STANDSTILL_S:
            self._limit.reschedule(self._loop.time())
        else:
            self._is_last_look = True
            self._look_in(_LAST_LOOK_S)
