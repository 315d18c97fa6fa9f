"""How much a service allows, from all destinations together that use it. Pure; times are monotonic seconds."""

from datetime import timedelta

import msgspec

from forwarder.core.delivery import Answered
from forwarder.core.dispatch.retry import MAX_RETRY_AFTER
from forwarder.core.sliding_window import SlidingWindow

_MARGIN_S = 0.1
"""Added to each limit: requests that were sent evenly may arrive closer together."""
_BAD_STATUSES = frozenset({401, 403, 429})


class QuotaLimit(msgspec.Struct, frozen=True, kw_only=True):
    """At most `count` requests within any `per`."""

    count: int
    per: timedelta


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """What a service allows for one of its webhooks, bots or chats, or for all of them from one address.

    `key` says for what: destinations whose allowances have the same key share a quota. It holds no secret.
    """

    key: str
    limits: tuple[QuotaLimit, ...] = ()
    is_reported: bool = False
    """Responses report how much is left (`X-RateLimit-*`), and their 429 is meant for this allowance."""
    is_global: bool = False
    """A 429 for everything that we send is meant for this allowance."""
    bad_answers: QuotaLimit | None = None
    """After so many answers of 401, 403 or 429 in that time nothing is sent until there are fewer: the service would ban the address."""


class ServiceQuota:
    """Counts what is left of an allowance, for all lanes that share it."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self._windows = [_window(limit, _MARGIN_S) for limit in allowance.limits]
        """The requests, by each of the limits."""
        self._bad = None if allowance.bad_answers is None else _window(allowance.bad_answers)
        """The bad answers, where they are limited."""
        self._closed_until = 0.0

    def allowed_at(self) -> float:
        """Return when the next request may be sent; a time that has passed means at once."""
        allowed_at = self._closed_until
        for window in self._windows:
            allowed_at = max(allowed_at, window.allowed_at())
        return allowed_at if self._bad is None else max(allowed_at, self._bad.allowed_at())

    def take(self, now: float) -> None:
        """Count a request that is sent now."""
        for window in self._windows:
            window.take(now)

    def note(self, answer: Answered, now: float) -> None:
        """Follow what an answer says about the quota."""
        if self._bad is not None and answer.status in _BAD_STATUSES:
            self._bad.take(now)
        allowance = self.allowance
        if answer.status == 429 and answer.retry_after is not None:
            if allowance.is_global if answer.is_for_all else allowance.is_reported:
                self._close_for(answer.retry_after, now)
        elif allowance.is_reported and answer.remaining == 0 and answer.reset_after is not None:
            self._close_for(answer.reset_after, now)

    def _close_for(self, wait: timedelta, now: float) -> None:
        self._closed_until = max(self._closed_until, now + min(wait, MAX_RETRY_AFTER).total_seconds())


def _window(limit: QuotaLimit, margin_s: float = 0.0) -> SlidingWindow:
    return SlidingWindow(limit.count, limit.per.total_seconds() + margin_s)
