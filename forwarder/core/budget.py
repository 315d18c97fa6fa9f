"""How much a service takes, whichever of our destinations it comes from. Pure; times are monotonic seconds."""

from collections import deque
from dataclasses import dataclass
from datetime import timedelta

from forwarder.core.delivery import Answered

_MARGIN_S = 0.1
"""Requests that left evenly may arrive closer together."""
_BAD_STATUSES = frozenset({401, 403, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `count` requests within any `per`."""

    count: int
    per: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a service allows for one of its webhooks, bots or chats, or for all of them from one address.

    `key` says for what; destinations whose allowances have the same one share a budget. It holds no secret.
    """

    key: str
    limits: tuple[Limit, ...] = ()
    is_told: bool = False
    """The answers tell how much is left (`X-RateLimit-*`), and their 429 is meant for this."""
    is_global: bool = False
    """A 429 that is for all that we send is meant for this."""
    bad_answers: Limit | None = None
    """After so many answers of 401, 403 or 429 nothing is sent until fewer are within the time: the service bans the address."""


class Budget:
    """What is left of an allowance. Whoever shares it shares the object."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        most = max((limit.count for limit in allowance.limits), default=0)
        self._taken: deque[float] = deque(maxlen=most)
        """When the last requests went, as many as the widest limit counts."""
        bad = allowance.bad_answers
        self._bad: deque[float] = deque(maxlen=bad.count if bad is not None else 0)
        self._closed_until = 0.0

    def opens_at(self) -> float:
        """Return when the next request may go; a time that has passed means at once."""
        opens_at = self._closed_until
        taken, bad, most_bad = self._taken, self._bad, self.allowance.bad_answers
        for limit in self.allowance.limits:
            if len(taken) >= limit.count:
                opens_at = max(opens_at, taken[-limit.count] + limit.per.total_seconds() + _MARGIN_S)
        if most_bad is not None and len(bad) == most_bad.count:
            opens_at = max(opens_at, bad[0] + most_bad.per.total_seconds())
        return opens_at

    def take(self, now: float) -> None:
        """Count a request that goes now."""
        self._taken.append(now)

    def note(self, answer: Answered, now: float) -> None:
        """Heed what an answer says of the budget."""
        if answer.status in _BAD_STATUSES:
            self._bad.append(now)
        allowance = self.allowance
        if answer.status == 429 and answer.retry_after is not None:
            if allowance.is_global if answer.is_for_all else allowance.is_told:
                self._close_until(now + answer.retry_after.total_seconds())
        elif allowance.is_told and answer.remaining == 0 and answer.reset_after is not None:
            self._close_until(now + answer.reset_after.total_seconds())

    def _close_until(self, at: float) -> None:
        self._closed_until = max(self._closed_until, at)
