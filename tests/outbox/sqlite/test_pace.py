"""How long a batch gathers: longer where many events come, and as before as soon as few come again."""

import pytest

from forwarder.outbox.sqlite.pace import BURST_GATHER_S, FEW_GATHER_S, MANY_GATHER_S, Pace


def after(rate: float, *, seconds: float) -> Pace:
    """Return a pace after events that came one by one at this rate, each in a commit of its own, until second 100."""
    pace = Pace()
    for number in range(int(rate * seconds), -1, -1):
        pace.note_commit(1, now=100 - number / rate)
    return pace


def test_the_first_event_does_not_wait_for_others() -> None:
    assert Pace().gather_s(now=0) == FEW_GATHER_S


@pytest.mark.parametrize(
    ("rate", "gathers_s"),
    [(1, FEW_GATHER_S), (20, FEW_GATHER_S), (50, MANY_GATHER_S), (200, MANY_GATHER_S), (10_000, BURST_GATHER_S)],
)
def test_a_batch_gathers_longer_where_many_events_come(rate: float, gathers_s: float) -> None:
    assert after(rate, seconds=10).gather_s(now=100) == gathers_s


def test_events_that_came_together_are_many_only_for_a_moment() -> None:
    pace = Pace()
    pace.note_commit(200, now=100)
    assert [pace.gather_s(now=now) for now in (100, 101.5, 103)] == [MANY_GATHER_S, MANY_GATHER_S, FEW_GATHER_S]


def test_ten_events_at_once_each_second_are_few() -> None:
    pace = Pace()
    for second in range(20):
        pace.note_commit(10, now=second)
        assert pace.gather_s(now=second) == FEW_GATHER_S
