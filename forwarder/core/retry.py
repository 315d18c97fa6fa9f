"""Whether, and when, a delivery is tried again. Pure: time and chance come in as arguments."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from forwarder.core.delivery import Answered, Delivery, Fault, Outcome, Trigger, Unanswered
from forwarder.core.notices import is_own, spell

MAX_RETRY_AFTER = timedelta(hours=24)
"""A receiver's `Retry-After` is a wish: longer ones are cut to this."""

PERMANENT_STATUSES = frozenset({400, 405, 411, 413, 414, 415, 422, 501, 505})
"""The request itself is refused; the same bytes will be refused again (gosmee, EventBridge)."""
REFUSAL_STATUSES = frozenset({401, 403, 404, 409})
"""Something is set up wrongly, here or there, and a person may be mending it."""
SLOW_DELAYS = (timedelta(minutes=1), timedelta(minutes=10))
"""The waits between the three tries that a refusal gets."""


class Rule(StrEnum):
    """What a status means for the delivery that was answered with it."""

    DELIVERED = "delivered"
    RETRY = "retry"
    """The whole schedule."""
    SLOW = "slow"
    """Three tries, `SLOW_DELAYS` apart."""
    DEAD = "dead"
    """Given up at once."""
    PAUSE = "pause"
    """Kept, and the destination paused until a person resumes it."""


_RULES: Mapping[int, Rule] = (
    dict.fromkeys(PERMANENT_STATUSES, Rule.DEAD) | dict.fromkeys(REFUSAL_STATUSES, Rule.SLOW) | {410: Rule.PAUSE}
)


class OnExpiry(StrEnum):
    """What becomes of news that is too old: dead letters in any case, and by choice one message that tells of them."""

    KEEP = "keep"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Waits between attempts: `delays[0]` follows the first failure. One attempt more than there are delays.

    Each wait is spread evenly over ±`jitter` of itself, so that what failed together does not come back together.
    """

    delays: tuple[timedelta, ...]
    jitter: float = 0.2
    statuses: Mapping[str, Rule] = field(default_factory=dict)
    """Rules of the user's own, by a status such as `404` or a class such as `5xx`."""
    max_age: timedelta | None = None
    """What is older, counted from its acceptance, is not worth sending."""
    on_expiry: OnExpiry = OnExpiry.KEEP
    canary_age: timedelta = timedelta()
    """How old a canary may be: then the next one takes its place. Zero where the destination has none any more."""

    @property
    def max_attempts(self) -> int:
        """How many attempts are made in all, the first included."""
        return len(self.delays) + 1

    def rule(self, status: int) -> Rule:
        """Return what a status means: as the user says, else as documented."""
        if self.statuses:
            for name in (str(status), f"{status // 100}xx"):
                if name in self.statuses:
                    return self.statuses[name]
        if 200 <= status < 300:
            return Rule.DELIVERED
        return _RULES.get(status, Rule.RETRY)

    def deadline(self, delivery: Delivery) -> datetime | None:
        """Return when the delivery becomes too old. What a person asked for never does, nor do our own messages."""
        if delivery.trigger is Trigger.CANARY:
            return delivery.accepted_at + self.canary_age
        if self.max_age is None or delivery.trigger in (Trigger.MANUAL, Trigger.REPLAY) or is_own(delivery):
            return None
        return delivery.accepted_at + self.max_age


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


_DONE = Done()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAt:
    """Try again at `at`; `reason` is what went wrong this time."""

    at: datetime
    reason: str
    is_refusal: bool = False
    """It counts towards the three tries of a refusal."""
    pauses: bool = False
    """The destination wants nothing any more until a person has looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """Try again as if this attempt had not been: it told nothing about the receiver. `at` `None` leaves it due as it was."""

    at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """Give up; `reason` stands in the dead letters."""

    reason: str
    is_of_event: bool = False
    """It is the event that the receiver does not want, whatever it thinks of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """Give up: it is too old to be of use."""

    reason: str


Decision = Done | RetryAt | Postponed | Dead | Expired


def decide(
    policy: RetryPolicy, delivery: Delivery, outcome: Outcome, *, now: datetime, chance: Callable[[], float]
) -> Decision:
    """Return what becomes of a delivery whose next attempt came to `outcome`.

    2xx is done. Whatever was our own fault is postponed. A status that says the request itself is wrong is dead at once,
    and so is what the receiver wants no more tries of. Everything else waits `delays[attempt - 1] * (1 ± jitter)`, and never
    less than the receiver's `Retry-After` (cut to 24 h); after the last delay it is dead. `chance` returns a number in [0, 1).
    """
    reason = outcome.reason
    if not policy.statuses and isinstance(outcome, Answered) and 200 <= outcome.status < 300:
        return _DONE
    wish = timedelta()
    match outcome:
        case Answered(status=status, retry_after=retry_after, is_final=is_final):
            rule = policy.rule(status)
            wish = min(retry_after or wish, MAX_RETRY_AFTER)
            if is_final and rule is not Rule.DELIVERED:
                return Dead(reason=f"{reason}: the receiver asks for no more tries", is_of_event=True)
        case Unanswered(is_ours=True):
            return Postponed(at=now, reason=reason)
        case Unanswered(fault=Fault.FORMAT | Fault.BLOCKED):
            return Dead(reason=reason)
        case Unanswered(fault=fault):
            rule = Rule.SLOW if fault is Fault.CERTIFICATE else Rule.RETRY
        case _:
            assert_never(outcome)
    return _follow(rule, policy, delivery, reason, wish=wish, now=now, chance=chance)


def _follow(
    rule: Rule,
    policy: RetryPolicy,
    delivery: Delivery,
    reason: str,
    *,
    wish: timedelta,
    now: datetime,
    chance: Callable[[], float],
) -> Decision:
    attempt = delivery.attempts + 1
    match rule:
        case Rule.DELIVERED:
            return Done()
        case Rule.DEAD:
            return Dead(reason=f"{reason}: the receiver will not take this request", is_of_event=True)
        case Rule.PAUSE:
            return RetryAt(at=now + wish, reason=reason, pauses=True)
        case Rule.SLOW if delivery.refusals >= len(SLOW_DELAYS):
            return Dead(reason=f"{reason} (try {delivery.refusals + 1} of {len(SLOW_DELAYS) + 1})")
        case Rule.SLOW:
            delay = SLOW_DELAYS[delivery.refusals]
        case Rule.RETRY if attempt >= policy.max_attempts:
            return Dead(reason=f"{reason} (attempt {attempt} of {policy.max_attempts})")
        case Rule.RETRY:
            delay = policy.delays[attempt - 1]
        case _:
            assert_never(rule)
    at = now + max(delay * (1 + policy.jitter * (2 * chance() - 1)), wish)
    if (deadline := policy.deadline(delivery)) is not None:
        if now >= deadline:
            return expired(delivery, now=now, last=reason)
        at = max(min(at, deadline), now + wish)  # one more try before it is too late
    return RetryAt(at=at, reason=reason, is_refusal=rule is Rule.SLOW)


def expired(delivery: Delivery, *, now: datetime, last: str | None = None) -> Expired:
    """Return that a delivery is too old now, with what its `last` attempt came to."""
    age = spell(now - delivery.accepted_at)
    return Expired(reason=f"expired: {age} old" + (f"; the last attempt came to: {last}" if last else ""))
