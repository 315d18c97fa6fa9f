"""Rates and the slow start: never more than they allow, and all that they allow."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.ramp import STEP_S, Ramp
from forwarder.core.rate import Bucket, Rate

SECOND = timedelta(seconds=1)
SLACK_S = 0.01


def take_all(bucket: Bucket, *, start: float, waits: list[float]) -> list[float]:
    """Take as soon as the bucket lets one go, but not before each wait is over; return when each went."""
    now, taken = start, []
    for wait_s in waits:
        now = max(now + wait_s, bucket.opens_at())
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
    taken = take_all(Bucket(rate), start=start, waits=waits)
    for first, since in enumerate(taken):
        for last in range(first, len(taken)):
            allowed = burst + (taken[last] - since + SLACK_S) / rate.spacing_s
            assert last - first + 1 <= allowed + 1e-6


@given(count=st.integers(1, 500), burst=st.integers(1, 20))
def test_a_bucket_that_is_always_asked_lets_its_whole_rate_through(count: int, burst: int) -> None:
    rate = Rate(count=count, per=SECOND, burst=burst)
    taken = take_all(Bucket(rate), start=100.0, waits=[0.0] * 100)
    assert len(taken) >= (taken[-1] - taken[0]) / rate.spacing_s


def test_a_timer_that_comes_late_costs_nothing() -> None:
    bucket = Bucket(Rate(count=100, per=SECOND))
    now, taken = 50.0, 0
    while now < 60.0:
        now = max(now, bucket.opens_at()) + 0.003  # each is three milliseconds late
        bucket.take(now)
        taken += 1
    assert taken >= 990


def test_a_rate_of_one_an_hour_begins_at_once() -> None:
    bucket = Bucket(Rate(count=1, per=timedelta(hours=1)))
    assert bucket.opens_at() <= 0.0
    bucket.take(10.0)
    assert 3599 < bucket.opens_at() - 10.0 < 3600


def test_a_slow_start_doubles_with_successes_and_no_faster_than_its_step() -> None:
    ramp, now, limits = Ramp(16), 0.0, []
    ramp.start_slowly(now)
    while ramp.limit < 16:
        now += 0.01
        if ramp.note_success(now):
            limits.append((ramp.limit, round(now, 2)))
    assert [limit for limit, _ in limits] == [2, 4, 8, 16]
    assert all(at >= (step + 1) * STEP_S for step, (_, at) in enumerate(limits))
    assert not ramp.note_success(now + 1)


def test_a_crowd_of_refusals_halves_it_once() -> None:
    ramp = Ramp(16)
    for now in (0.0, 0.0, 0.5, 0.9):
        ramp.ease(now)
    assert ramp.limit == 8
    for now in (1.0, 2.0, 3.0, 4.0):
        ramp.ease(now)
    assert ramp.limit == 1


@given(
    most=st.integers(1, 100),
    steps=st.lists(st.tuples(st.sampled_from(["success", "ease", "slow"]), st.floats(0, 2)), max_size=80),
)
def test_a_ramp_stays_within_one_and_its_most_and_gets_back_to_it(most: int, steps: list[tuple[str, float]]) -> None:
    ramp, now = Ramp(most), 0.0
    for what, later in steps:
        now += later
        match what:
            case "success":
                ramp.note_success(now)
            case "ease":
                ramp.ease(now)
            case _:
                ramp.start_slowly(now)
        assert 1 <= ramp.limit <= most
    for _ in range(300):
        now += STEP_S
        ramp.note_success(now)
    assert ramp.limit == most


@pytest.mark.parametrize(("count", "per", "spacing_s"), [(50, SECOND, 0.02), (1, timedelta(hours=1), 3600)])
def test_the_spacing_of_a_rate(count: int, per: timedelta, spacing_s: float) -> None:
    assert Rate(count=count, per=per).spacing_s == pytest.approx(spacing_s)
