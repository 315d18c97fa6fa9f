"""No stretch of time sees more than it may."""

from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.turns import Turns


@given(st.lists(st.floats(min_value=0, max_value=30), max_size=60))
def test_no_stretch_of_a_minute_has_more_than_its_count(pauses: list[float]) -> None:
    turns = Turns(5, 60)
    now, went = 1000.0, []
    for pause in pauses:
        now = max(now + pause, turns.opens_at())
        turns.take(now)
        went.append(now)
    for number, at in enumerate(went):
        assert sum(at <= other < at + 60 for other in went[number:]) <= 5


def test_a_server_that_asks_for_it_is_left_alone() -> None:
    turns = Turns(5, 60)
    turns.close(90)
    turns.close(70)
    assert turns.opens_at() == 90
    for _ in range(5):
        turns.take(91)
    assert turns.opens_at() == 151
