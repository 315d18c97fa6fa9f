"""The slow start: how many attempts may run at once while a receiver recovers."""

from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.dispatch.slow_start import STEP_S, SlowStart


def test_a_slow_start_doubles_with_successes_and_no_faster_than_its_step() -> None:
    slow_start, now, limits = SlowStart(16), 0.0, []
    slow_start.start_slowly(now)
    while slow_start.limit < 16:
        now += 0.01
        if slow_start.note_success(now):
            limits.append((slow_start.limit, round(now, 2)))
    assert [limit for limit, _ in limits] == [2, 4, 8, 16]
    assert all(at >= (step + 1) * STEP_S for step, (_, at) in enumerate(limits))
    assert not slow_start.note_success(now + 1)


def test_a_crowd_of_refusals_halves_it_once() -> None:
    slow_start = SlowStart(16)
    for now in (0.0, 0.0, 0.5, 0.9):
        slow_start.ease(now)
    assert slow_start.limit == 8
    for now in (1.0, 2.0, 3.0, 4.0):
        slow_start.ease(now)
    assert slow_start.limit == 1


@given(
    most=st.integers(1, 100),
    steps=st.lists(st.tuples(st.sampled_from(["success", "ease", "slow"]), st.floats(0, 2)), max_size=80),
)
def test_a_slow_start_stays_within_one_and_its_most_and_gets_back_to_it(
    most: int, steps: list[tuple[str, float]]
) -> None:
    slow_start, now = SlowStart(most), 0.0
    for what, later in steps:
        now += later
        match what:
            case "success":
                slow_start.note_success(now)
            case "ease":
                slow_start.ease(now)
            case _:
                slow_start.start_slowly(now)
        assert 1 <= slow_start.limit <= most
    for _ in range(300):
        now += STEP_S
        slow_start.note_success(now)
    assert slow_start.limit == most
