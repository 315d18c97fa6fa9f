"""Quantiles of durations from less than a millisecond to a day."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.histogram import BOUNDS_S, Histogram


def test_one_that_took_a_day_does_not_make_the_others_long() -> None:
    times = Histogram()
    for _ in range(99):
        times.observe(120)
    times.observe(86_400)
    assert 120 <= times.quantile_s(0.5) <= times.quantile_s(0.99) <= 120 * 1.2
    assert times.quantile_s(1) == times.longest_s == 86_400


def test_of_nothing_all_quantiles_are_zero() -> None:
    assert Histogram().quantile_s(0.99) == 0


@given(st.lists(st.floats(0.0001, 90_000), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_at_most_20_percent_too_long_and_never_too_short(durations: list[float], share: float) -> None:
    times = Histogram()
    for duration in durations:
        times.observe(duration)
    exact = next(each for rank, each in enumerate(sorted(durations), 1) if rank >= share * len(durations))
    assert exact <= times.quantile_s(share) <= exact * 1.2000001


def test_the_bounds_are_round_and_each_is_at_most_20_percent_above_the_one_before() -> None:
    assert {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3000} <= set(BOUNDS_S)
    assert all(low < high <= low * 1.2000001 for low, high in pairwise(BOUNDS_S))


def test_what_is_counted_up_to_a_bound_includes_the_bound_and_what_is_longer_than_all_is_in_none() -> None:
    times = Histogram()
    times.observe(0.00001, 0.5, 0.5000001, 200_000)
    assert times.cumulative((0.1, 0.5, 1.0, 90_000.0)) == [1, 2, 3, 3]
    assert times.quantile_s(1) == times.longest_s == 200_000
    assert times.count == 4


def test_what_two_histograms_counted_can_be_added_up() -> None:
    one, other, both = Histogram(), Histogram(), Histogram()
    one.observe(1, 2)
    other.observe(2, 9)
    both.observe(1, 2, 2, 9)
    one.add(other)
    assert (one.buckets, one.sum_s, one.longest_s) == (both.buckets, both.sum_s, both.longest_s)


def test_a_copy_does_not_change_with_its_original() -> None:
    times = Histogram()
    times.observe(1, 2)
    copy = times.copy()
    times.observe(3)
    assert (copy.count, copy.sum_s, copy.longest_s) == (2, 3, 2)


@given(st.lists(st.floats(0, 200_000), max_size=20), st.lists(st.floats(0, 200_000), max_size=20))
def test_what_was_added_can_be_taken_away_again(before: list[float], added: list[float]) -> None:
    times, more = Histogram(), Histogram()
    times.observe(*before)
    more.observe(*added)
    buckets, sum_s = dict(times.buckets), times.sum_s
    times.add(more)
    times.subtract(more)
    assert times.buckets == buckets
    assert abs(times.sum_s - sum_s) < 1e-3


@given(st.lists(st.floats(0, 200_000), min_size=1, max_size=30), st.lists(st.floats(0.01, 1), min_size=1, max_size=4))
def test_several_quantiles_at_once_are_those_that_are_asked_for_one_by_one(
    durations: list[float], shares: list[float]
) -> None:
    times = Histogram()
    times.observe(*durations)
    assert times.quantiles_s(*sorted(shares)) == [times.quantile_s(share) for share in sorted(shares)]


@given(st.lists(st.floats(0, 200_000), max_size=30), st.sets(st.sampled_from(BOUNDS_S), max_size=8))
def test_what_is_counted_up_to_each_bound_is_what_is_not_longer(durations: list[float], bounds: set[float]) -> None:
    times = Histogram()
    times.observe(*durations)
    expected = [sum(duration <= bound for duration in durations) for bound in sorted(bounds)]
    assert times.cumulative(sorted(bounds)) == expected
