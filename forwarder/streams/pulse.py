"""When the event loop ran last, and when it last stood still: what was heard in between says nothing of when it was sent."""

from dataclasses import dataclass

BEAT_EVERY_S = 1.0
_LATE_S = 3.0
"""A beat that comes so late ends a standstill."""


@dataclass(frozen=True, slots=True)
class Standstill:
    """A time in which the loop did not run; both by `boot_time`."""

    began: float
    ended: float


class Pulse:
    """Beats once a second while the loop runs. All times are by `boot_time`."""

    def __init__(self) -> None:
        self._beat_at: float | None = None
        self._last: Standstill | None = None

    def beat(self, now: float) -> None:
        """The loop runs."""
        self._last = self.last_standstill(now)
        self._beat_at = now

    def last_standstill(self, now: float) -> Standstill | None:
        """Return the last one, which may be ending only now: before the next beat."""
        if self._beat_at is not None and now - self._beat_at > BEAT_EVERY_S + _LATE_S:
            return Standstill(self._beat_at, now)
        return self._last
