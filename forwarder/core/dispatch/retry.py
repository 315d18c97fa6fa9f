"""Whether, and when, a delivery is tried again. Pure: time and chance come in as arguments."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

import msgspec

from forwarder.core.delivery import Answered, Delivery, Fault, Outcome, Trigger, Unanswered
from forwarder.core.durations import spell

MAX_RETRY_AFTER = timedelta(hours=24)
"""The longest `Retry-After` that is followed: longer ones are cut to this."""

PERMANENT_STATUSES = frozenset({400, 405, 411, 413, 414, 415, 422, 501, 505})
"""The request itself is refused; the same bytes will be refused again (gosmee, EventBridge)."""
REFUSAL_STATUSES = frozenset({401, 403, 404, 409})
"""Something is configured wrongly, here or at the receiver, and a person may be fixing it."""
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
    """The delivery is kept, and the destination paused until a person resumes it."""


_ASKED_FOR = (Trigger.MANUAL, Trigger.REPLAY, Trigger.RESEND)
"""The triggers of what a person asked for."""
_RULES: Mapping[int, Rule] = (
    dict.fromkeys(PERMANENT_STATUSES, Rule.DEAD) | dict.fromkeys(REFUSAL_STATUSES, Rule.SLOW) | {410: Rule.PAUSE}
)


class OnExpiry(StrEnum):
    """What happens to deliveries that are too old: they become dead letters, and with `digest` one message lists them."""

    KEEP = "keep"
    DIGEST = "digest"


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Waits between attempts: `delays[0]` follows the first failure. One attempt more than there are delays.

    Each wait is spread evenly over ±`jitter` of itself, so that what failed together does not come back together.
    """

    delays: tuple[timedelta, ...]
    jitter: float = 0.2
    statuses: Mapping[str, Rule] = msgspec.field(default_factory=dict)
    """Rules of the user's own, by a status such as `404` or a class such as `5xx`."""
    max_age: timedelta | None = None
    """How old a delivery may be, from its acceptance; an older one is not sent."""
    on_expiry: OnExpiry = OnExpiry.KEEP
    canary_age: timedelta = timedelta()
    """How old a canary may be: then the next one replaces it. Zero where the destination has no canaries any more."""

    @property
    def max_attempts(self) -> int:
        """How many attempts are made in all, the first included."""
        return len(self.delays) + 1

    def rule_of(self, answer: Answered) -> Rule:
        """Return what an answer means: by the user's rules, else as documented.

        A 2xx whose body is not that of a success is retried. An error that concerns every event pauses.
        """
        if answer.mismatch:
            return Rule.RETRY
        status = answer.status
        if self.statuses:
            for name in (str(status), f"{status // 100}xx"):
                if name in self.statuses:
                    return self.statuses[name]
        if answer.is_of_destination:
            return Rule.PAUSE
        if 200 <= status < 300:
            return Rule.DELIVERED
        return _RULES.get(status, Rule.RETRY)

    def deadline(self, delivery: Delivery) -> datetime | None:
        """Return when the delivery becomes too old. Deliveries that a person asked for never do, nor do our own messages."""
        if delivery.trigger is Trigger.CANARY:
            return delivery.accepted_at + self.canary_age
        if self.max_age is None or delivery.trigger in _ASKED_FOR or delivery.is_own:
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


class Done(msgspec.Struct, frozen=True):
    """The receiver has it."""


DONE = Done()


class RetryAt(msgspec.Struct, frozen=True, kw_only=True):
    """Try again at `at`; `reason` is what went wrong this time."""

    at: datetime
    reason: str
    is_refusal: bool = False
    """It counts towards the three tries of a refusal."""
    pauses: bool = False
    """The receiver wants nothing any more: the destination is to be paused until a person resumes it."""


class Postponed(msgspec.Struct, frozen=True, kw_only=True):
    """Try again without counting this attempt: it showed nothing about the receiver. `at` `None` leaves the delivery due as it was."""

    at: datetime | None
    reason: str


class Dead(msgspec.Struct, frozen=True, kw_only=True):
    """Give up; `reason` is shown with the dead letter."""

    reason: str
    is_of_event: bool = False
    """The receiver refuses this event; it may accept others."""


class Expired(msgspec.Struct, frozen=True, kw_only=True):
    """Give up: the delivery is too old to be useful."""

    reason: str


Decision = Done | RetryAt | Postponed | Dead | Expired


def decide(
    policy: RetryPolicy, delivery: Delivery, outcome: Outcome, *, now: datetime, chance: Callable[[], float]
) -> Decision:
    """Return what is decided for a delivery whose next attempt had this outcome.

    2xx is done. A local fault is postponed. A status that says the request itself is wrong is dead at once,
    and so is what the receiver wants no more tries of. Everything else waits `delays[attempt - 1] * (1 ± jitter)`, and never
    less than the receiver's `Retry-After` (cut to 24 h); after the last delay it is dead. `chance` returns a number in [0, 1).
    """
    if not policy.statuses and isinstance(outcome, Answered) and outcome.is_success:
        return DONE
    reason = outcome.reason
    requested_wait = timedelta()
    match outcome:
        case Answered(retry_after=retry_after, is_final=is_final):
            rule = policy.rule_of(outcome)
            requested_wait = min(retry_after or requested_wait, MAX_RETRY_AFTER)
            if is_final and rule is not Rule.DELIVERED:
                return Dead(reason=_with(outcome, ": the receiver asks for no more tries"), is_of_event=True)
        case Unanswered(is_local_fault=True):
            return Postponed(at=now, reason=reason)
        case Unanswered(fault=Fault.FORMAT | Fault.BLOCKED):
            return Dead(reason=reason)
        case Unanswered(fault=fault):
            rule = Rule.SLOW if fault is Fault.CERTIFICATE else Rule.RETRY
        case _:
            assert_never(outcome)
    return _follow(rule, policy, delivery, outcome, requested_wait=requested_wait, now=now, chance=chance)


def _follow(
    rule: Rule,
    policy: RetryPolicy,
    delivery: Delivery,
    outcome: Outcome,
    *,
    requested_wait: timedelta,
    now: datetime,
    chance: Callable[[], float],
) -> Decision:
    attempt = delivery.attempts + 1
    match rule:
        case Rule.DELIVERED:
            return DONE
        case Rule.DEAD:
            return Dead(reason=_with(outcome, ": the receiver will not take this request"), is_of_event=True)
        case Rule.PAUSE:
            return RetryAt(at=now + requested_wait, reason=outcome.reason, pauses=True)
        case Rule.SLOW if delivery.refusals >= len(SLOW_DELAYS):
            return Dead(reason=_with(outcome, f" (try {delivery.refusals + 1} of {len(SLOW_DELAYS) + 1})"))
        case Rule.SLOW:
            delay = SLOW_DELAYS[delivery.refusals]
        case Rule.RETRY if attempt >= policy.max_attempts:
            return Dead(reason=_with(outcome, f" (attempt {attempt} of {policy.max_attempts})"))
        case Rule.RETRY:
            delay = policy.delays[attempt - 1]
        case _:
            assert_never(rule)
    at = now + max(delay * (1 + policy.jitter * (2 * chance() - 1)), requested_wait)
    if (deadline := policy.deadline(delivery)) is not None:
        if now >= deadline:
            return expired(delivery, now=now, last=outcome.reason)
        at = max(min(at, deadline), now + requested_wait)  # one more try before it is too late
    return RetryAt(at=at, reason=outcome.reason, is_refusal=rule is Rule.SLOW)


def _with(outcome: Outcome, what: str) -> str:
    """Return what happened, what follows from that, and then what the receiver says about it."""
    return outcome.explain(f"{outcome.summary}{what}")


def expired(delivery: Delivery, *, now: datetime, last: str | None = None) -> Expired:
    """Return that a delivery is too old now, with the result of its `last` attempt."""
    age = spell(now - delivery.accepted_at)
    return Expired(reason=f"expired: {age} old" + (f"; last error: {last}" if last else ""))


def uncounted(decision: Decision, outcome: Outcome) -> Decision:
    """Return what is decided for a delivery that was attempted before its time, as a probe: a failure leaves it due as it was."""
    is_final = not outcome.is_fault if isinstance(outcome, Answered) else outcome.fault is Fault.FORMAT
    if isinstance(decision, Postponed) or (isinstance(decision, RetryAt) and not decision.pauses):
        return Postponed(at=None, reason=decision.reason)
    if isinstance(decision, Dead | Expired) and not is_final:
        return Postponed(at=None, reason=outcome.reason)
    return decision
