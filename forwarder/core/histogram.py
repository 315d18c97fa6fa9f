"""A histogram of durations that needs little memory for any number of observations."""

from bisect import bisect_left

_LOWEST_S = 0.0001
_STEP = 2**0.25
_BOUNDS_S = [_LOWEST_S * _STEP**power for power in range(120)]
"""Upper bounds of the buckets, in seconds: from 0.1 ms to 25 h, each 19 % above the one before."""


class Histogram:
    """Counts durations in seconds. A quantile is the upper bound of its bucket: up to 19 % too long, never too short."""

    def __init__(self) -> None:
        self.count = 0
        self.sum_s = 0.0
        self.longest_s = 0.0
        self._buckets = [0] * (len(_BOUNDS_S) + 1)

    def observe(self, *durations_s: float) -> None:
        """Count one duration, or several."""
        for duration_s in durations_s:
            self.count += 1
            self.sum_s += duration_s
            if duration_s > self.longest_s:  # noqa: PLR1730 - one call less for each event
                self.longest_s = duration_s
            self._buckets[bisect_left(_BOUNDS_S, duration_s)] += 1

    def quantile_s(self, share: float) -> float:
        """Return the duration that `share` (0 to 1) of the durations did not exceed; 0 if nothing was counted."""
        rank, passed = share * self.count, 0
        for bound, count in zip(_BOUNDS_S, self._buckets, strict=False):
            passed += count
            if passed and passed >= rank:
                return min(bound, self.longest_s)
        return self.longest_s
