"""A sliding window: in no span of time there is more than it allows."""

from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.sliding_window import SlidingWindow


@given(st.lists(st.floats(min_value=0, max_value=30), max_size=60))
def test_no_stretch_of_a_minute_has_more_than_its_count(pauses: list[float]) -> None:
    window = SlidingWindow(5, 60)
    now, went = 1000.0, []
    for pause in pauses:
        now = max(now + pause, window.allowed_at())
        window.take(now)
        went.append(now)
    for number, at in enumerate(went):
        assert sum(at <= other < at + 60 for other in went[number:]) <= 5


def test_a_server_that_asks_for_it_is_left_alone() -> None:
    window = SlidingWindow(5, 60)
    window.close(90)
    window.close(70)
    assert window.allowed_at() == 90
    for _ in range(5):
        window.take(91)
    assert window.allowed_at() == 151


@given(st.lists(st.floats(min_value=0, max_value=30), max_size=60))
def test_what_is_tried_is_counted_exactly_when_it_is_allowed(pauses: list[float]) -> None:
    window = SlidingWindow(5, 60)
    now, went = 1000.0, list[float]()
    for pause in pauses:
        now += pause
        is_allowed = sum(other > now - 60 for other in went) < 5
        assert window.try_take(now) == is_allowed
        went += [now] * is_allowed
        assert len(window) == min(len(went), 5)
        assert window.over_at == went[-1] + 60


def test_a_clock_that_is_set_back_a_little_changes_nothing_and_by_more_than_a_window_forgets_all() -> None:
    window = SlidingWindow(2, 60)
    assert window.try_take(1000)
    assert window.try_take(970)  # counts as the same time
    assert not window.try_take(1059)
    assert window.try_take(900)
    assert len(window) == 1


def test_the_oldest_makes_room_for_the_newest() -> None:
    window = SlidingWindow(2, 60)
    for now in (1000, 1010, 1060):
        window.take(now)
    assert window.allowed_at() == 1070
    window.take(1070)
    assert window.allowed_at() == 1120
    assert len(window) == 2
