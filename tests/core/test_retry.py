"""When a delivery is tried again: a table to read, and bounds that hold for every attempt and every chance."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.delivery import Answered, Fault, Outcome, Unanswered
from forwarder.core.retry import (
    MAX_RETRY_AFTER,
    NAMED_POLICIES,
    PERMANENT_STATUSES,
    Dead,
    Done,
    RetryAt,
    decide,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIVE = NAMED_POLICIES["live"]
SILENCE = Unanswered(fault=Fault.TIMEOUT, detail="no answer within 5 s")


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
    waits = [
        decide(policy, SILENCE, attempt=number, now=NOW, chance=lambda: 0.5) for number in range(1, len(seconds) + 1)
    ]
    assert waits == [RetryAt(at=NOW + timedelta(seconds=wait), reason=SILENCE.reason) for wait in seconds]


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_done(status: int) -> None:
    assert decide(LIVE, Answered(status=status), attempt=1, now=NOW, chance=lambda: 0) == Done()


@pytest.mark.parametrize("status", sorted(PERMANENT_STATUSES))
def test_a_request_that_is_refused_as_such_is_dead_at_once(status: int) -> None:
    decision = decide(LIVE, Answered(status=status), attempt=1, now=NOW, chance=lambda: 0)
    assert isinstance(decision, Dead)
    assert f"HTTP {status}" in decision.reason


@pytest.mark.parametrize("outcome", [SILENCE, Answered(status=503), Answered(status=404), Answered(status=302)])
def test_everything_else_is_tried_again_and_dead_after_the_last_attempt(outcome: Outcome) -> None:
    assert isinstance(decide(LIVE, outcome, attempt=11, now=NOW, chance=lambda: 0), RetryAt)
    decision = decide(LIVE, outcome, attempt=12, now=NOW, chance=lambda: 0)
    assert isinstance(decision, Dead)
    assert "attempt 12 of 12" in decision.reason


@given(
    attempt=st.integers(1, 10**6),
    chance=st.floats(0, 1, exclude_max=True),
    wish=st.none() | st.timedeltas(timedelta(), timedelta(days=400)),
)
def test_a_wait_stays_within_its_share_and_is_never_shorter_than_the_receiver_asks(
    attempt: int, chance: float, wish: timedelta | None
) -> None:
    decision = decide(LIVE, Answered(status=429, retry_after=wish), attempt=attempt, now=NOW, chance=lambda: chance)
    if attempt >= LIVE.max_attempts:
        assert isinstance(decision, Dead)
        return
    assert isinstance(decision, RetryAt)
    wait, delay, asked = decision.at - NOW, LIVE.delays[attempt - 1], min(wish or timedelta(), MAX_RETRY_AFTER)
    assert wait >= asked
    assert wait >= 0.8 * delay - timedelta(microseconds=1)
    assert wait <= max(1.2 * delay, asked) + timedelta(microseconds=1)
