"""When a delivery is tried again: a table to read, and bounds that hold for every attempt and every chance."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from forwarder.core.delivery import (
    Answered,
    Delivery,
    DestinationName,
    Fault,
    Outcome,
    Trigger,
    Unanswered,
)
from forwarder.core.dispatch.retry import (
    MAX_RETRY_AFTER,
    NAMED_POLICIES,
    PERMANENT_STATUSES,
    REFUSAL_STATUSES,
    SLOW_DELAYS,
    Dead,
    Decision,
    Done,
    Expired,
    Postponed,
    RetryAt,
    RetryPolicy,
    Rule,
    decide,
    uncounted,
)
from forwarder.core.event import OWN_SOURCE, EventId

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIVE = NAMED_POLICIES["live"]
SILENCE = Unanswered(fault=Fault.TIMEOUT, detail="no answer within 5 s")


def after(
    policy: RetryPolicy,
    outcome: Outcome,
    attempt: int = 1,
    *,
    refusals: int = 0,
    age: timedelta = timedelta(),
    trigger: Trigger = Trigger.FIRST,
    chance: float = 0.5,
    source: str = "x",
) -> Decision:
    """Return what follows from attempt number `attempt` of a delivery accepted `age` ago."""
    delivery = Delivery(
        event_id=EventId("0" * 32),
        event_seq=1,
        destination=DestinationName("bot"),
        routes=("r",),
        accepted_at=NOW - age,
        attempts=attempt - 1,
        refusals=refusals,
        trigger=trigger,
        is_own=source == OWN_SOURCE,
        body=b'{"mid":"1","sid":"1","source":"%b","timestamp":1,"payload":{}}' % source.encode(),
    )
    return decide(policy, delivery, outcome, now=NOW, chance=lambda: chance)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("live", [0.5, 1, 5, 30, 120, 300, 1800, 7200, 18000, 36000, 36000]),
        ("standard", [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]),
        ("svix", [5, 300, 1800, 7200, 18000, 36000, 36000]),
    ],
)
def test_the_named_schedules_are_those_of_the_readme(name: str, seconds: list[float]) -> None:
    policy = NAMED_POLICIES[name]
    assert [delay.total_seconds() for delay in policy.delays] == seconds
    assert policy.max_attempts == len(seconds) + 1
    waits = [after(policy, SILENCE, number) for number in range(1, len(seconds) + 1)]
    assert waits == [RetryAt(at=NOW + timedelta(seconds=wait), reason=SILENCE.reason) for wait in seconds]


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_done(status: int) -> None:
    assert after(LIVE, Answered(status=status)) == Done()


@pytest.mark.parametrize("status", sorted(PERMANENT_STATUSES))
def test_a_request_that_is_refused_as_such_is_dead_at_once(status: int) -> None:
    decision = after(LIVE, Answered(status=status))
    assert isinstance(decision, Dead)
    assert f"HTTP {status}" in decision.reason


@pytest.mark.parametrize("outcome", [SILENCE, Answered(status=503), Answered(status=408), Answered(status=302)])
def test_everything_else_is_tried_again_and_dead_after_the_last_attempt(outcome: Outcome) -> None:
    assert isinstance(after(LIVE, outcome, 11), RetryAt)
    decision = after(LIVE, outcome, 12)
    assert isinstance(decision, Dead)
    assert "attempt 12 of 12" in decision.reason


@given(
    attempt=st.integers(1, 10**6),
    chance=st.floats(0, 1, exclude_max=True),
    retry_after=st.none() | st.timedeltas(timedelta(), timedelta(days=400)),
)
def test_a_wait_stays_within_its_share_and_is_never_shorter_than_the_receiver_asks(
    attempt: int, chance: float, retry_after: timedelta | None
) -> None:
    decision = after(LIVE, Answered(status=429, retry_after=retry_after), attempt, chance=chance)
    if attempt >= LIVE.max_attempts:
        assert isinstance(decision, Dead)
        return
    assert isinstance(decision, RetryAt)
    wait, delay, asked = decision.at - NOW, LIVE.delays[attempt - 1], min(retry_after or timedelta(), MAX_RETRY_AFTER)
    assert wait >= asked
    assert wait >= 0.8 * delay - timedelta(microseconds=1)
    assert wait <= max(1.2 * delay, asked) + timedelta(microseconds=1)


CERTIFICATE = Unanswered(fault=Fault.CERTIFICATE, detail="its certificate was refused")


@pytest.mark.parametrize("outcome", [*(Answered(status=status) for status in sorted(REFUSAL_STATUSES)), CERTIFICATE])
def test_a_refusal_gets_three_slow_tries_whatever_came_before(outcome: Outcome) -> None:
    first, second, third = (after(LIVE, outcome, 9, refusals=before) for before in range(3))
    assert first == RetryAt(at=NOW + SLOW_DELAYS[0], reason=outcome.reason, is_refusal=True)
    assert second == RetryAt(at=NOW + SLOW_DELAYS[1], reason=outcome.reason, is_refusal=True)
    assert isinstance(third, Dead)
    assert "try 3 of 3" in third.reason


def test_gone_pauses_and_keeps_the_delivery() -> None:
    assert after(LIVE, Answered(status=410), 12) == RetryAt(at=NOW, reason="HTTP 410", pauses=True)


@pytest.mark.parametrize("status", [500, 503, 404, 410, 302])
def test_a_receiver_can_end_the_tries(status: int) -> None:
    decision = after(LIVE, Answered(status=status, is_final=True))
    assert isinstance(decision, Dead)
    assert "no more tries" in decision.reason
    assert after(LIVE, Answered(status=204, is_final=True)) == Done()


def test_our_own_faults_count_for_nothing() -> None:
    ours = Unanswered(fault=Fault.NETWORK, detail="no network here", is_local_fault=True)
    assert after(LIVE, ours, 12) == Postponed(at=NOW, reason="no network here")


@pytest.mark.parametrize("fault", [Fault.FORMAT, Fault.BLOCKED])
def test_what_can_never_be_sent_is_dead_at_once(fault: Fault) -> None:
    assert after(LIVE, Unanswered(fault=fault, detail="no")) == Dead(reason="no")


def test_the_users_rules_stand_above_the_documented_ones() -> None:
    policy = replace(
        LIVE,
        statuses={"404": Rule.RETRY, "4xx": Rule.DEAD, "409": Rule.DELIVERED, "5xx": Rule.PAUSE, "202": Rule.RETRY},
    )
    assert after(policy, Answered(status=404)) == RetryAt(at=NOW + LIVE.delays[0], reason="HTTP 404")
    assert isinstance(after(policy, Answered(status=401)), Dead)
    assert after(policy, Answered(status=409)) == Done()
    assert after(policy, Answered(status=502)) == RetryAt(at=NOW, reason="HTTP 502", pauses=True)
    assert isinstance(after(policy, Answered(status=202)), RetryAt)
    assert after(policy, Answered(status=200)) == Done()


def test_old_news_gets_one_more_try_at_its_deadline_and_then_expires() -> None:
    policy = replace(LIVE, max_age=timedelta(minutes=10))
    assert after(policy, SILENCE, 7, age=timedelta(minutes=8)) == RetryAt(
        at=NOW + timedelta(minutes=2), reason=SILENCE.reason
    )
    late = after(policy, SILENCE, 8, age=timedelta(minutes=10))
    assert isinstance(late, Expired)
    assert "10 min old" in late.reason
    assert SILENCE.reason in late.reason
    asked = Answered(status=429, retry_after=timedelta(hours=1))
    assert after(policy, asked, age=timedelta(minutes=8)) == RetryAt(at=NOW + timedelta(hours=1), reason="HTTP 429")


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.REPLAY, Trigger.RESEND])
def test_what_a_person_asks_for_does_not_expire(trigger: Trigger) -> None:
    policy = replace(LIVE, max_age=timedelta(minutes=10))
    assert isinstance(after(policy, SILENCE, age=timedelta(days=1), trigger=trigger), RetryAt)


def test_a_message_of_our_own_does_not_expire() -> None:
    policy = replace(LIVE, max_age=timedelta(minutes=10))
    assert isinstance(after(policy, SILENCE, age=timedelta(hours=1), source="forwarder"), RetryAt)


@pytest.mark.parametrize("max_age", [None, timedelta(days=1)])
def test_a_canary_expires_when_the_next_one_is_due_and_at_once_where_there_are_none_any_more(
    max_age: timedelta | None,
) -> None:
    policy = replace(LIVE, max_age=max_age, canary_age=timedelta(minutes=10))
    of_old, fresh = timedelta(minutes=10), timedelta(minutes=10) - timedelta(milliseconds=1)
    assert isinstance(after(policy, SILENCE, age=of_old, trigger=Trigger.CANARY, source="forwarder"), Expired)
    decision = after(policy, SILENCE, age=fresh, trigger=Trigger.CANARY, source="forwarder")
    assert decision == RetryAt(at=NOW + timedelta(milliseconds=1), reason=SILENCE.reason)
    assert isinstance(after(LIVE, SILENCE, trigger=Trigger.CANARY), Expired)


LATER = RetryAt(at=NOW, reason="HTTP 500")


@pytest.mark.parametrize(
    ("decision", "outcome", "expected"),
    [
        (Done(), Answered(status=200), Done()),
        (LATER, Answered(status=500), Postponed(at=None, reason="HTTP 500")),
        (Postponed(at=NOW, reason="no network"), Answered(status=500), Postponed(at=None, reason="no network")),
        (Dead(reason="last"), Answered(status=500), Postponed(at=None, reason="HTTP 500")),
        (Expired(reason="old"), Answered(status=500), Postponed(at=None, reason="HTTP 500")),
        (Dead(reason="refused"), Answered(status=400), Dead(reason="refused")),
        (
            Dead(reason="no such field"),
            Unanswered(fault=Fault.FORMAT, detail="no such field"),
            Dead(reason="no such field"),
        ),
    ],
)
def test_a_probe_with_what_is_not_due_is_not_counted_unless_it_is_final(
    decision: Decision, outcome: Outcome, expected: Decision
) -> None:
    assert uncounted(decision, outcome) == expected


def test_a_probe_that_pauses_the_destination_pauses_it() -> None:
    gone = RetryAt(at=NOW, reason="HTTP 410", pauses=True)
    assert uncounted(gone, Answered(status=410)) == gone


def test_a_policy_of_one_delay_makes_two_attempts() -> None:
    assert RetryPolicy(delays=(timedelta(seconds=1),)).max_attempts == 2


def test_a_2xx_whose_body_is_not_that_of_a_success_is_retried_like_a_5xx() -> None:
    answer = Answered(status=200, excerpt="no", mismatch="its body is not that of a success")
    reason = "HTTP 200, but its body is not that of a success"
    own_rules = replace(LIVE, statuses={"2xx": Rule.DELIVERED, "200": Rule.DEAD})
    for policy in (LIVE, own_rules):
        assert after(policy, answer) == RetryAt(at=NOW + LIVE.delays[0], reason=f"{reason}: no")
    last = LIVE.max_attempts
    assert after(LIVE, answer, attempt=last) == Dead(reason=f"{reason} (attempt {last} of {last}): no")
    given_up = Dead(reason="gone")
    assert uncounted(given_up, answer) == Postponed(at=None, reason=f"{reason}: no")
    assert uncounted(given_up, Answered(status=422)) == given_up


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_an_error_that_concerns_every_event_pauses_unless_an_own_rule_says_otherwise(status: int) -> None:
    answer = Answered(status=status, excerpt="chat not found", is_of_destination=True)
    for attempt in (1, LIVE.max_attempts + 5):
        assert after(LIVE, answer, attempt=attempt, refusals=9) == RetryAt(
            at=NOW, reason=f"HTTP {status}: chat not found", pauses=True
        )
    for name in (str(status), "4xx"):
        decision = after(replace(LIVE, statuses={name: Rule.DEAD}), answer)
        assert isinstance(decision, Dead)
        assert decision.reason == f"HTTP {status}: the receiver will not take this request: chat not found"
