"""Rates: never more than they allow, and all that they allow."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.dispatch.token_bucket import Rate, TokenBucket

SECOND = timedelta(seconds=1)
SLACK_S = 0.01


def take_all(bucket: TokenBucket, *, start: float, waits: list[float]) -> list[float]:
    """Take as soon as the bucket lets one go, but not before each wait is over; return when each went."""
    now, taken = start, []
    for wait_s in waits:
        now = max(now + wait_s, bucket.allowed_at())
        bucket.take(now)
        taken.append(now)
    return taken


@given(
    count=st.integers(1, 1000),
    per_s=st.sampled_from([1, 60, 3600]),
    burst=st.integers(1, 50),
    start=st.sampled_from([0.0, 5.0, 1e6]),
    waits=st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.003, 0.5, 100.0]), min_size=1, max_size=80),
)
def test_a_bucket_lets_no_more_through_than_its_burst_and_its_rate(
    count: int, per_s: int, burst: int, start: float, waits: list[float]
) -> None:
    rate = Rate(count=count, per=timedelta(seconds=per_s), burst=burst)
    taken = take_all(TokenBucket(rate), start=start, waits=waits)
    for first, since in enumerate(taken):
        for last in range(first, len(taken)):
            allowed = burst + (taken[last] - since + SLACK_S) / rate.spacing_s
            assert last - first + 1 <= allowed + 1e-6


@given(count=st.integers(1, 500), burst=st.integers(1, 20))
def test_a_bucket_that_is_always_asked_lets_its_whole_rate_through(count: int, burst: int) -> None:
    rate = Rate(count=count, per=SECOND, burst=burst)
    taken = take_all(TokenBucket(rate), start=100.0, waits=[0.0] * 100)
    assert len(taken) >= (taken[-1] - taken[0]) / rate.spacing_s


def test_a_timer_that_comes_late_costs_nothing() -> None:
    bucket = TokenBucket(Rate(count=100, per=SECOND))
    now, taken = 50.0, 0
    while now < 60.0:
        now = max(now, bucket.allowed_at()) + 0.003  # each is three milliseconds late
        bucket.take(now)
        taken += 1
    assert taken >= 990


def test_a_rate_of_one_an_hour_begins_at_once() -> None:
    bucket = TokenBucket(Rate(count=1, per=timedelta(hours=1)))
    assert bucket.allowed_at() <= 0.0
    bucket.take(10.0)
    assert 3599 < bucket.allowed_at() - 10.0 < 3600


@pytest.mark.parametrize(("count", "per", "spacing_s"), [(50, SECOND, 0.02), (1, timedelta(hours=1), 3600)])
def test_the_spacing_of_a_rate(count: int, per: timedelta, spacing_s: float) -> None:
    assert Rate(count=count, per=per).spacing_s == pytest.approx(spacing_s)
