"""A histogram of durations that needs little memory for any number of observations."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

_STEPS = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.25, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0)
_DECADES = range(-4, 5)
BOUNDS_S = tuple(float(f"{step}e{decade}") for decade in _DECADES for step in _STEPS)
"""Upper bounds of the buckets, in seconds: from 0.1 ms to 25 h, each at most 20 % above the one before. They are round numbers."""
_BEYOND = len(BOUNDS_S)


class Histogram:
    """Counts durations in seconds. A quantile is the upper bound of its bucket: up to 20 % too long, never too short.

    What is called for every delivery counts without `observe`: it adds 1 to the bucket of `bisect_left(BOUNDS_S, duration_s)`, and to `sum_s`.
    """

    __slots__ = ("buckets", "longest_s", "sum_s")

    def __init__(self) -> None:
        self.buckets: defaultdict[int, int] = defaultdict(int)
        """How many durations are in each bucket that is not empty, by its place in `BOUNDS_S`; one more place for longer ones."""
        self.sum_s = 0.0
        self.longest_s = 0.0

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return sum(self.buckets.values())

    def observe(self, *durations_s: float) -> None:
        """Count one duration, or several."""
        for duration_s in durations_s:
            self.sum_s += duration_s
            if duration_s > self.longest_s:  # noqa: PLR1730 - one call less for each event
                self.longest_s = duration_s
            self.buckets[bisect_left(BOUNDS_S, duration_s)] += 1

    def copy(self) -> "Histogram":
        """Return a histogram with the same counts."""
        copy = Histogram()
        copy.add(self)
        return copy

    def add(self, other: "Histogram") -> None:
        """Count everything that another histogram has counted."""
        for place, count in other.buckets.items():
            self.buckets[place] += count
        self.sum_s += other.sum_s
        self.longest_s = max(self.longest_s, other.longest_s)

    def subtract(self, other: "Histogram") -> None:
        """Take away what another histogram has counted, all of which this one has counted as well. The longest stays what it is."""
        for place, count in other.buckets.items():
            self.buckets[place] -= count
            if not self.buckets[place]:
                del self.buckets[place]
        self.sum_s -= other.sum_s

    def quantile_s(self, share: float) -> float:
        """Return the duration that `share` (0 to 1) of the durations did not exceed; 0 if nothing was counted."""
        return self.quantiles_s(share)[0]

    def quantiles_s(self, *shares: float) -> list[float]:
        """Return the same for several shares, the smallest first."""
        total, passed = self.count, 0
        found: list[float] = []
        buckets = iter(sorted(self.buckets.items()))
        place = -1
        for share in shares:
            while passed < share * total or place < 0:
                place, count = next(buckets, (_BEYOND, total))
                passed += count
            found.append(min(BOUNDS_S[place], self.longest_s) if place < _BEYOND else self.longest_s)
        return found

    def cumulative(self, bounds_s: Sequence[float]) -> list[int]:
        """Return how many durations are not longer than each of these bounds, which must be some of `BOUNDS_S`, the lowest first."""
        ordered = sorted(self.buckets.items(), reverse=True)
        found: list[int] = []
        passed = 0
        for bound in bounds_s:
            last = bisect_left(BOUNDS_S, bound)
            while ordered and ordered[-1][0] <= last:
                passed += ordered.pop()[1]
            found.append(passed)
        return found
