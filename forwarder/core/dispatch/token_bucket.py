"""A rate limit: a token bucket, stored as one number. Pure; times are monotonic seconds."""

from datetime import timedelta

import msgspec

_SLACK_S = 0.01
"""How much of a late timer may be caught up: otherwise a rate without bursts would never be reached."""


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """At most `count` requests in each `per`, evenly spaced; up to `burst` of them at once after a pause."""

    count: int
    per: timedelta
    burst: int = 1

    @property
    def spacing_s(self) -> float:
        """The time from one request to the next, in seconds."""
        return self.per.total_seconds() / self.count


class TokenBucket:
    """Decides when the next request is within a rate.

    `full_at` is when the bucket would be full again were nothing taken meanwhile (the generic cell rate algorithm,
    ITU-T I.371: the theoretical arrival time).
    """

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._spacing_s = rate.spacing_s
        self._tolerance_s = (rate.burst - 1) * self._spacing_s + min(self._spacing_s, _SLACK_S)
        self._full_at = 0.0

    def allowed_at(self) -> float:
        """Return when the next request may be sent; a time that has passed means at once."""
        return self._full_at - self._tolerance_s

    def take(self, now: float) -> None:
        """Count a request that is sent now."""
        self._full_at = max(self._full_at, now) + self._spacing_s
