"""Whether, and when, a delivery is tried again. Pure: time and chance come in as arguments."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from forwarder.core.delivery import Answered, Outcome, Unanswered

MAX_RETRY_AFTER = timedelta(hours=24)
"""A receiver's `Retry-After` is a wish: longer ones are cut to this."""

PERMANENT_STATUSES = frozenset({400, 405, 411, 413, 414, 415, 422, 501, 505})
"""The request itself is refused; the same bytes will be refused again (gosmee, EventBridge)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Waits between attempts: `delays[0]` follows the first failure. One attempt more than there are delays.

    Each wait is spread evenly over ±`jitter` of itself, so that what failed together does not come back together.
    """

    delays: tuple[timedelta, ...]
    jitter: float = 0.2

    @property
    def max_attempts(self) -> int:
        """How many attempts are made in all, the first included."""
        return len(self.delays) + 1


def _seconds(*delays: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=delay) for delay in delays)


_MINUTE, _HOUR = 60, 3600

NAMED_POLICIES: Mapping[str, RetryPolicy] = {
    # News is worth minutes: quick first steps, then Svix's long ones.
    "live": RetryPolicy(
        delays=_seconds(
            0.5, 1, 5, 30, 2 * _MINUTE, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 10 * _HOUR
        )
    ),
    # The example of the Standard Webhooks specification: ten attempts over 75 h 35 min.
    "standard": RetryPolicy(
        delays=_seconds(
            5, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR
        )
    ),
    # docs.svix.com/retries: eight attempts over 27 h 35 min.
    "svix": RetryPolicy(delays=_seconds(5, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 10 * _HOUR)),
}


@dataclass(frozen=True, slots=True)
class Done:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again at `at`; `reason` is what went wrong this time."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Dead:
    """Give up; `reason` stands in the dead letters."""

    reason: str


Decision = Done | RetryAt | Dead


def decide(
    policy: RetryPolicy, outcome: Outcome, *, attempt: int, now: datetime, chance: Callable[[], float]
) -> Decision:
    """Return what becomes of a delivery after its attempt number `attempt` (from 1) came to `outcome`.

    2xx is done. A status that says the request itself is wrong is dead at once. Everything else waits
    `delays[attempt - 1] * (1 ± jitter)`, and never less than the receiver's `Retry-After` (cut to 24 h); after the
    last delay it is dead. `chance` returns a number in [0, 1).
    """
    reason = outcome.reason
    wish = timedelta()
    match outcome:
        case Answered(is_success=True):
            return Done()
        case Answered(status=status) if status in PERMANENT_STATUSES:
            return Dead(f"{reason}: the receiver will not take this request")
        case Answered(retry_after=retry_after):
            wish = retry_after or wish
        case Unanswered():
            pass
        case _:
            assert_never(outcome)
    if attempt >= policy.max_attempts:
        return Dead(f"{reason} (attempt {attempt} of {policy.max_attempts})")
    delay = policy.delays[attempt - 1] * (1 + policy.jitter * (2 * chance() - 1))
    return RetryAt(at=now + max(delay, min(wish, MAX_RETRY_AFTER)), reason=reason)
