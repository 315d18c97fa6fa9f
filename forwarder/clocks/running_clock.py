"""A clock that counts only time in which the event loop ran: a standstill is a local fault, and no peer is to blame for it."""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic

_LATE_S = 3.0
"""A tick that is this late ends a standstill."""


class RunningClock:
    """Counts monotonic seconds without those of standstills. `tick` has to be called once per interval `every`."""

    def __init__(self, every: timedelta, now_s: Callable[[], float] = monotonic) -> None:
        self._every_s = every.total_seconds()
        self._now_s = now_s
        self._ticked_at = now_s()
        self._lost_s = 0.0

    def tick(self) -> bool:
        """Return whether the loop has run since the last tick. If not, what came meanwhile has to be read before anything is judged."""
        now = self._now_s()
        late_s = now - self._ticked_at - self._every_s
        self._ticked_at = now
        if late_s < _LATE_S:
            return True
        self._lost_s += late_s
        return False

    def __call__(self) -> float:
        """Return the seconds counted so far."""
        now = self._now_s()
        if now - self._ticked_at >= self._every_s + _LATE_S:  # the tick that ends the standstill is still to come
            now = self._ticked_at + self._every_s
        return now - self._lost_s
