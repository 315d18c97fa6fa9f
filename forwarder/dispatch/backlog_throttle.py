"""How fast the backlogs of all lanes may drain while fresh events come: all share one loop, and a fast receiver's backlog would fill it.

Measured with a receiver on the same machine, 50,000 waiting and 200 fresh events a second: without it the backlog drained at 11,500
a second, and a fresh event took 2.1 to 2.9 times its usual median.
"""

from datetime import timedelta

from forwarder.core.dispatch.token_bucket import Rate, TokenBucket

_RATE = Rate(count=4_000, per=timedelta(seconds=1), burst=4)
"""Of all backlogs together: at 70 µs of this machine's CPU for each, a quarter of it."""
_FRESH_FOR_S = 1.0


class BacklogThrottle:
    """Slows the backlogs of all lanes down while fresh events come. Times are the loop's: monotonic seconds."""

    def __init__(self) -> None:
        self._bucket = TokenBucket(_RATE)
        self._fresh_until = 0.0

    def note_fresh(self, now: float) -> None:
        """Note that a lane attempts a fresh delivery now."""
        self._fresh_until = now + _FRESH_FOR_S

    def allowed_at(self, now: float) -> float:
        """Return when the next delivery of a backlog may go; zero is now."""
        if now >= self._fresh_until:
            return 0.0
        allowed_at = self._bucket.allowed_at()
        return allowed_at if allowed_at > now else 0.0

    def take(self, now: float) -> None:
        """Count a delivery of a backlog that goes now."""
        self._bucket.take(now)
