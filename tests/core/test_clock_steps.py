"""Steps of the wall clock: what is due and how old something is stays as it is."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.clock_steps import MOST_STEPS, ClockStep, ClockSteps

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def step(hours: float, first_seq: int, *, at: datetime = NOON) -> ClockStep:
    return ClockStep(at=at, by=hours * HOUR, first_seq=first_seq)


def test_without_a_step_both_times_are_one() -> None:
    assert ClockSteps().offset == timedelta()
    assert ClockSteps().steady_of(NOON, 7) is NOON


def test_an_event_is_as_old_as_it_is_whatever_was_set_after_it() -> None:
    steps = ClockSteps().plus(step(-2, 10)).plus(step(24, 20))
    assert steps.offset == 22 * HOUR
    assert steps.steady_of(NOON, 9) == NOON
    assert steps.steady_of(NOON, 10) == NOON + 2 * HOUR
    assert steps.steady_of(NOON, 20) == NOON - 22 * HOUR


def test_what_was_set_forward_lately_is_known() -> None:
    steps = ClockSteps().plus(step(5, 1, at=NOON - HOUR)).plus(step(-2, 2)).plus(step(24, 3))
    assert steps.forward_since(NOON) == 24 * HOUR
    assert steps.forward_since(NOON - 2 * HOUR) == 29 * HOUR


@given(st.lists(st.integers(-100, 100), max_size=3 * MOST_STEPS))
def test_however_often_it_is_set_the_offset_is_the_sum_and_the_memory_bounded(hours: list[int]) -> None:
    steps = ClockSteps()
    for number, by in enumerate(hours):
        steps = steps.plus(step(by, number))
    assert len(steps.steps) <= MOST_STEPS
    assert steps.offset == sum(hours) * HOUR == steps.offset_at(len(hours))


def test_every_offset_since_a_moment_is_found_once() -> None:
    steps = ClockSteps().plus(step(1, 5)).plus(step(2, 10, at=NOON + HOUR)).plus(step(-2, 20, at=NOON + 2 * HOUR))
    assert steps.offsets_since(NOON + 3 * HOUR, 30) == [HOUR]
    assert steps.offsets_since(NOON + HOUR, 30) == [HOUR, 3 * HOUR]
    assert steps.offsets_since(NOON, 30) == [timedelta(), HOUR, 3 * HOUR]
    assert steps.offsets_since(NOON, 10) == [timedelta(), HOUR, 3 * HOUR]
