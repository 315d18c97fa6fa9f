"""When the event loop last ran, and when it last stood still. What came during a standstill may have been sent at any time in it."""

import msgspec

BEAT_EVERY_S = 1.0
_LATE_S = 3.0
"""A beat that is this late ends a standstill."""


class Standstill(msgspec.Struct, frozen=True):
    """Is a time in which the loop did not run, by `boot_time`."""

    began: float
    ended: float


class Pulse:
    """Keeps when the loop last stood still. It is beaten once a second while the loop runs; all times are by `boot_time`."""

    def __init__(self) -> None:
        self._beat_at: float | None = None
        self._last: Standstill | None = None

    def beat(self, now: float) -> None:
        """Note that the loop runs."""
        self._last = self.last_standstill(now)
        self._beat_at = now

    @property
    def beat_at(self) -> float:
        """When the loop surely ran; 0 if it has not been beaten yet."""
        return self._beat_at or 0.0

    def last_standstill(self, now: float) -> Standstill | None:
        """Return the last standstill; one that ends only now, before the next beat, included."""
        if self._beat_at is not None and now - self._beat_at > BEAT_EVERY_S + _LATE_S:
            return Standstill(self._beat_at, now)
        return self._last
