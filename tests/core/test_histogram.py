"""Quantiles of durations from less than a millisecond to a day."""

from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.histogram import Histogram


def test_one_that_took_a_day_does_not_make_the_others_long() -> None:
    times = Histogram()
    for _ in range(99):
        times.observe(120)
    times.observe(86_400)
    assert 120 <= times.quantile_s(0.5) <= times.quantile_s(0.99) <= 143
    assert times.quantile_s(1) == times.longest_s == 86_400


def test_of_nothing_all_quantiles_are_zero() -> None:
    assert Histogram().quantile_s(0.99) == 0


@given(st.lists(st.floats(0.0001, 90_000), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_at_most_19_percent_too_long_and_never_too_short(durations: list[float], share: float) -> None:
    times = Histogram()
    for duration in durations:
        times.observe(duration)
    exact = next(each for rank, each in enumerate(sorted(durations), 1) if rank >= share * len(durations))
    assert exact <= times.quantile_s(share) <= exact * 1.19
