"""A sliding-window rate limit: when the next request may be sent, or whether a post may be. Pure; times are in seconds."""

from array import array


class SlidingWindow:
    """Allows at most `count` in any `per_s` seconds, as a sliding log counts them. A pause does not add up to more.

    The times are in an array, a ring of at most `count`: there may be a hundred thousand windows at the same time.
    """

    __slots__ = ("_closed_until", "_count", "_oldest", "_per_s", "_times", "over_at")

    def __init__(self, count: int, per_s: float) -> None:
        self._count = count
        self._per_s = per_s
        self._times = array("d")
        self._oldest = 0
        self._closed_until = self.over_at = 0.0
        """`over_at` is when all that `try_take` counted is over."""

    def __len__(self) -> int:
        return len(self._times)

    def allowed_at(self) -> float:
        """Return when the next request may be sent. A time in the past means now."""
        if len(self._times) < self._count:
            return self._closed_until
        return max(self._times[self._oldest] + self._per_s, self._closed_until)

    def take(self, now_s: float) -> None:
        """Count a request that is sent now."""
        times = self._times
        if len(times) < self._count:
            times.append(now_s)
        else:
            oldest = self._oldest
            times[oldest] = now_s
            self._oldest = (oldest + 1) % self._count

    def try_take(self, at: float) -> bool:
        """Count one at `at` if it is allowed then; return whether it was.

        `at` may be before the last one, which then counts as the same time; more than a window before, all is forgotten: the
        clock was set back.
        """
        times, oldest, per_s = self._times, self._oldest, self._per_s
        if times:
            newest = times[oldest - 1]
            if newest > at + per_s:
                del times[:]
                self._oldest = oldest = 0
            elif newest > at:
                at = newest
        if len(times) < self._count:
            times.append(at)
        elif times[oldest] <= at - per_s:
            times[oldest] = at
            self._oldest = (oldest + 1) % self._count
        else:
            return False
        self.over_at = at + per_s
        return True

    def close(self, until_s: float) -> None:
        """Allow no request before then, because the server asked for it."""
        self._closed_until = max(self._closed_until, until_s)
