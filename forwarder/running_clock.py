"""Seconds in which the event loop ran: a process that stood still has heard nothing, and nobody else is to blame for that."""

from collections.abc import Callable
from time import monotonic

_LATE_S = 3.0
"""A tick that comes so late ends a standstill."""


class RunningClock:
    """Monotonic seconds, without those by which a tick came late. It has to be ticked every `every_s`."""

    def __init__(self, every_s: float, now_s: Callable[[], float] = monotonic) -> None:
        self._every_s = every_s
        self._now_s = now_s
        self._ticked_at = now_s()
        self._lost_s = 0.0

    def tick(self) -> bool:
        """Return whether the loop has run since the last one: if not, what came meanwhile has to be read before anything is judged."""
        now = self._now_s()
        late_s = now - self._ticked_at - self._every_s
        self._ticked_at = now
        if late_s < _LATE_S:
            return True
        self._lost_s += late_s
        return False

    def __call__(self) -> float:
        """Return the seconds now."""
        now = self._now_s()
        if now - self._ticked_at >= self._every_s + _LATE_S:  # the tick that ends the standstill is still to come
            now = self._ticked_at + self._every_s
        return now - self._lost_s
