"""How many attempts may run at once: all that the config allows, or fewer while a receiver recovers. Pure.

Times are monotonic seconds.
"""

STEP_S = 0.25
"""How often the slow start doubles what may run at once, at most: from 1 to 16 takes a second."""
_HALVE_EVERY_S = 1.0
"""How often the limit is halved, at most: many refusals at the same time are one sign of overload."""


class SlowStart:
    """Decides how many attempts may run at once.

    `limit` begins at `most`; it falls when the receiver asks for less, and doubles with its successes until it is at `most` again.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.limit = most
        self._successes = 0
        self._grows_at = 0.0
        self._halves_at = 0.0

    def start_slowly(self, now: float) -> None:
        """Begin again with one attempt at a time."""
        self.limit = 1
        self._successes = 0
        self._grows_at = now + STEP_S

    def ease(self, now: float) -> None:
        """Halve what may run at once."""
        if now >= self._halves_at:
            self.limit = max(1, self.limit // 2)
            self._successes = 0
            self._halves_at = now + _HALVE_EVERY_S
            self._grows_at = now + STEP_S

    def note_success(self, now: float) -> bool:
        """Note that the receiver accepted one; return whether more may run now."""
        if self.limit == self._most:
            return False
        self._successes += 1
        if self._successes < self.limit or now < self._grows_at:
            return False
        self.limit = min(self.limit * 2, self._most)
        self._successes = 0
        self._grows_at = now + STEP_S
        return True
