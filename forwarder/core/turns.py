"""When the next request may go where so many are allowed in any stretch of time. Pure; times are monotonic seconds."""

from collections import deque


class Turns:
    """At most `count` in any `per_s` seconds, as a sliding log counts them: a pause gives no more than that."""

    def __init__(self, count: int, per_s: float) -> None:
        self._count = count
        self._per_s = per_s
        self._taken: deque[float] = deque(maxlen=count)
        self._closed_until = 0.0

    def opens_at(self) -> float:
        """Return when the next one may go; a time that has passed means at once."""
        if len(self._taken) < self._count:
            return self._closed_until
        return max(self._taken[0] + self._per_s, self._closed_until)

    def take(self, now_s: float) -> None:
        """Count one that goes now."""
        self._taken.append(now_s)

    def close(self, until_s: float) -> None:
        """Let none go before then: the server asks for it."""
        self._closed_until = max(self._closed_until, until_s)
