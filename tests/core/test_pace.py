"""How long a stream waits, with a clock that is a number."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.pace import MOST_IN_A_MINUTE, MOST_REPLACED, Class, Pace

CHANCES = st.lists(st.floats(0, 1), min_size=1, max_size=50)


def drawn_from(numbers: list[float]) -> Callable[[], float]:
    def endless() -> Iterator[float]:
        while True:
            yield from numbers

    draws = endless()
    return lambda: next(draws)


def tries(
    pace: Pace, kind: Class, *, until_s: float, reached: bool, lasted_s: float = 0.0, useful: bool = False
) -> list[float]:
    """Return when each try begins that comes to the same thing at once."""
    now, times = 0.0, []
    while now < until_s:
        times.append(now)
        if reached:
            pace.note_reached(now)
        now += lasted_s
        wait = pace.wait_s(kind, now_s=now, lasted_s=lasted_s, was_useful=useful)
        assert wait is not None
        assert wait >= 0
        now += wait
    return times


@given(CHANCES, st.booleans(), st.sampled_from([Class.SERVER, Class.AT_ONCE]))
def test_a_server_that_takes_connections_and_ends_them_sees_at_most_8_in_any_minute(
    chances: list[float], useful: bool, kind: Class
) -> None:
    times = tries(Pace(drawn_from(chances)), kind, until_s=300, reached=True, useful=useful)
    for index, time in enumerate(times):
        assert sum(time <= later < time + 60 for later in times[index:]) <= MOST_IN_A_MINUTE


@given(CHANCES)
def test_a_path_that_is_down_is_tried_about_twice_a_second_for_a_minute_and_then_less_and_less(
    chances: list[float],
) -> None:
    times = tries(Pace(drawn_from(chances)), Class.PATH, until_s=58, reached=False)
    assert all(0.199 <= later - earlier <= 0.701 for earlier, later in pairwise(times))
    long = tries(Pace(lambda: 1.0), Class.PATH, until_s=600, reached=False)
    waits = [later - earlier for earlier, later in pairwise(long)]
    assert waits[-1] == 30
    assert max(waits) == 30


def test_after_a_good_connection_the_next_is_made_at_once_and_the_backoff_begins_anew() -> None:
    pace = Pace(lambda: 1.0)
    assert [pace.wait_s(Class.SERVER, now_s=0) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert pace.wait_s(Class.SERVER, now_s=0, lasted_s=10) == 0
    assert pace.wait_s(Class.SERVER, now_s=0) == 1
    assert pace.wait_s(Class.SERVER, now_s=0, lasted_s=0.5, was_useful=True) == 0
    assert pace.wait_s(Class.SERVER, now_s=0) == 1


def test_a_refused_key_is_tried_after_a_minute_then_less_and_less() -> None:
    pace = Pace(lambda: 0.0)
    assert [pace.wait_s(Class.REFUSED, now_s=0) for _ in range(6)] == [60, 120, 240, 480, 900, 900]
    pace.forgive()
    assert pace.wait_s(Class.REFUSED, now_s=0) == 60


def test_of_two_processes_that_replace_each_other_one_stays_and_one_goes_for_good() -> None:
    paces = {"a": Pace(lambda: 0.5), "b": Pace(lambda: 0.5)}
    holder, since, kicks = "a", 0.0, 0
    comes: dict[str, float | None] = {"a": None, "b": 0.0}
    while any(at is not None for at in comes.values()):
        name, now = min((at, each) for each, at in comes.items() if at is not None)[1], 0.0
        now = comes[name] or 0.0
        comes[name] = None
        if holder != name:
            wait = paces[holder].wait_s(Class.REPLACED, now_s=now, lasted_s=now - since, was_useful=True)
            comes[holder] = None if wait is None else now + wait
            kicks += 1
        holder, since = name, now
        assert kicks < 50, "they kick each other off for ever"
    assert kicks <= 2 * MOST_REPLACED
    assert holder in {"a", "b"}


def test_a_connection_that_was_left_alone_for_an_hour_is_forgiven_its_replacements() -> None:
    pace = Pace(lambda: 0.5)
    for _ in range(20):
        assert pace.wait_s(Class.REPLACED, now_s=0, lasted_s=3600) == 60
    assert [pace.wait_s(Class.REPLACED, now_s=0, lasted_s=60) for _ in range(4)] == [120, 240, 480, None]


@pytest.mark.parametrize("kind", list(Class))
@given(chances=CHANCES, steps=st.lists(st.tuples(st.floats(0, 4000), st.booleans(), st.booleans()), max_size=40))
def test_no_wait_is_ever_longer_than_a_quarter_of_an_hour_but_after_replacements(
    kind: Class, chances: list[float], steps: list[tuple[float, bool, bool]]
) -> None:
    pace, now = Pace(drawn_from(chances)), 0.0
    for lasted_s, useful, reached in steps:
        if reached:
            pace.note_reached(now)
        now += lasted_s
        wait = pace.wait_s(kind, now_s=now, lasted_s=lasted_s, was_useful=useful)
        if wait is None:
            assert kind is Class.REPLACED
            return
        assert 0 <= wait <= 900
        now += wait
