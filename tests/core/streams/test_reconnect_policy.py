"""How long a stream waits, with a clock that is a number."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.streams.reconnect_policy import MOST_IN_A_MINUTE, MOST_REPLACED, ReconnectPolicy, WaitKind

CHANCES = st.lists(st.floats(0, 1), min_size=1, max_size=50)


def drawn_from(numbers: list[float]) -> Callable[[], float]:
    def endless() -> Iterator[float]:
        while True:
            yield from numbers

    draws = endless()
    return lambda: next(draws)


def tries(
    pace: ReconnectPolicy, kind: WaitKind, *, until_s: float, reached: bool, lasted_s: float = 0.0, useful: bool = False
) -> list[float]:
    """Return when each try begins that comes to the same thing at once."""
    now, times = 0.0, []
    while now < until_s:
        times.append(now)
        if reached:
            pace.note_reached(now)
        now += lasted_s
        wait = pace.wait_s(kind, now_s=now, lasted_s=lasted_s, was_useful=useful)
        assert wait >= 0
        now += wait
    return times


@given(CHANCES, st.booleans(), st.sampled_from([WaitKind.SERVER, WaitKind.AT_ONCE]))
def test_a_server_that_takes_connections_and_ends_them_sees_at_most_8_in_any_minute(
    chances: list[float], useful: bool, kind: WaitKind
) -> None:
    times = tries(ReconnectPolicy(drawn_from(chances)), kind, until_s=300, reached=True, useful=useful)
    for index, time in enumerate(times):
        assert sum(time <= later < time + 60 for later in times[index:]) <= MOST_IN_A_MINUTE


@given(CHANCES)
def test_a_path_that_is_down_is_tried_about_twice_a_second_for_a_minute_and_then_less_and_less(
    chances: list[float],
) -> None:
    times = tries(ReconnectPolicy(drawn_from(chances)), WaitKind.PATH, until_s=58, reached=False)
    assert all(0.199 <= later - earlier <= 0.701 for earlier, later in pairwise(times))
    long = tries(ReconnectPolicy(lambda: 1.0), WaitKind.PATH, until_s=600, reached=False)
    waits = [later - earlier for earlier, later in pairwise(long)]
    assert waits[-1] == 30
    assert max(waits) == 30


def test_after_a_good_connection_the_next_is_made_at_once_and_the_backoff_begins_again() -> None:
    pace = ReconnectPolicy(lambda: 1.0)
    assert [pace.wait_s(WaitKind.SERVER, now_s=0) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert pace.wait_s(WaitKind.SERVER, now_s=0, lasted_s=10) == 0
    assert pace.wait_s(WaitKind.SERVER, now_s=0) == 1
    assert pace.wait_s(WaitKind.SERVER, now_s=0, lasted_s=0.5, was_useful=True) == 0
    assert pace.wait_s(WaitKind.SERVER, now_s=0) == 1


def test_a_refused_key_is_tried_after_a_minute_then_less_and_less() -> None:
    pace = ReconnectPolicy(lambda: 0.0)
    assert [pace.wait_s(WaitKind.REFUSED, now_s=0) for _ in range(6)] == [60, 120, 240, 480, 900, 900]
    pace.forgive()
    assert pace.wait_s(WaitKind.REFUSED, now_s=0) == 60


def test_of_two_processes_that_replace_each_other_one_is_connected_and_they_change_places_four_times_an_hour() -> None:
    paces = {"a": ReconnectPolicy(lambda: 0.5), "b": ReconnectPolicy(lambda: 0.5)}
    holder, since = "a", 0.0
    comes = {"b": 0.0}
    kicks: list[float] = []
    while not kicks or kicks[-1] < 24 * 3600:
        ((name, now),) = comes.items()
        comes = {
            holder: now + paces[holder].wait_s(WaitKind.REPLACED, now_s=now, lasted_s=now - since, was_useful=True)
        }
        kicks.append(now)
        holder, since = name, now
    assert kicks[2 * MOST_REPLACED] <= 3600
    assert all(later - earlier >= 900 for earlier, later in pairwise(kicks[2 * MOST_REPLACED :]))
    assert all(pace.gives_way for pace in paces.values())


def test_a_replaced_one_waits_longer_each_time_and_gives_way_from_the_fifth_time_on_until_somebody_wants_it() -> None:
    pace = ReconnectPolicy(lambda: 0.5)
    waits, gives_way = [], []
    for _ in range(7):
        waits.append(pace.wait_s(WaitKind.REPLACED, now_s=0, lasted_s=60, was_useful=True))
        gives_way.append(pace.gives_way)
    assert waits == [60, 120, 240, 480, 900, 900, 900]
    assert gives_way == [False] * 4 + [True] * 3
    pace.forgive()
    assert not pace.gives_way
    assert pace.wait_s(WaitKind.REPLACED, now_s=0) == 60


def test_a_connection_that_was_left_alone_for_an_hour_is_forgiven_its_replacements() -> None:
    pace = ReconnectPolicy(lambda: 0.5)
    for _ in range(20):
        assert pace.wait_s(WaitKind.REPLACED, now_s=0, lasted_s=3600) == 60
    assert [pace.wait_s(WaitKind.REPLACED, now_s=0, lasted_s=60) for _ in range(4)] == [120, 240, 480, 900]


def test_a_rate_limit_is_waited_out_longer_each_time_and_forgiven_after_ten_quiet_minutes() -> None:
    pace = ReconnectPolicy(lambda: 0.5)
    waits = [pace.wait_s(WaitKind.RATE_LIMITED, now_s=0, lasted_s=60, was_useful=True) for _ in range(7)]
    assert waits == [10, 20, 40, 80, 160, 300, 300]
    assert [pace.wait_s(WaitKind.RATE_LIMITED, now_s=0, lasted_s=600) for _ in range(3)] == [10, 10, 10]


@pytest.mark.parametrize("kind", list(WaitKind))
def test_a_fault_that_goes_on_for_months_raises_nothing(kind: WaitKind) -> None:
    pace, now = ReconnectPolicy(lambda: 1.0), 0.0
    for _ in range(5000):  # a refused key is tried every quarter of an hour, and 2 ** 1024 is no float
        now += max(pace.wait_s(kind, now_s=now), 1.0)
    assert pace.wait_s(kind, now_s=now) <= 900


@pytest.mark.parametrize("kind", list(WaitKind))
@given(chances=CHANCES, steps=st.lists(st.tuples(st.floats(0, 4000), st.booleans(), st.booleans()), max_size=40))
def test_no_wait_is_ever_longer_than_a_quarter_of_an_hour(
    kind: WaitKind, chances: list[float], steps: list[tuple[float, bool, bool]]
) -> None:
    pace, now = ReconnectPolicy(drawn_from(chances)), 0.0
    for lasted_s, useful, reached in steps:
        if reached:
            pace.note_reached(now)
        now += lasted_s
        wait = pace.wait_s(kind, now_s=now, lasted_s=lasted_s, was_useful=useful)
        assert 0 <= wait <= 900
        now += wait


@given(st.integers(1, MOST_IN_A_MINUTE))
def test_tries_that_take_several_connections_each_stay_within_8_in_any_minute(connections: int) -> None:
    pace, now, times = ReconnectPolicy(lambda: 0.0), 0.0, list[float]()
    while now < 300:
        times += [now] * connections
        pace.note_reached(now, connections)
        now += pace.wait_s(WaitKind.SERVER, now_s=now, was_useful=True, connections=connections)
    assert max(sum(time <= later < time + 60 for later in times) for time in times) <= MOST_IN_A_MINUTE


def test_a_path_is_new_until_it_has_been_down_for_a_minute() -> None:
    policy = ReconnectPolicy(lambda: 0.5)
    for now_s in (0.0, 30.0, 59.0):
        policy.wait_s(WaitKind.PATH, now_s=now_s)
        assert policy.is_path_new
    policy.wait_s(WaitKind.PATH, now_s=60.0)
    assert not policy.is_path_new
    policy.forgive()
    assert policy.is_path_new


def test_after_eight_connections_in_a_minute_the_next_one_waits_for_the_first_to_be_a_minute_ago() -> None:
    policy = ReconnectPolicy(lambda: 0.0)
    for now_s in range(MOST_IN_A_MINUTE):
        assert policy.wait_s(WaitKind.AT_ONCE, now_s=float(now_s)) == 0
        policy.note_reached(float(now_s))
    assert policy.wait_s(WaitKind.AT_ONCE, now_s=10.0) == 50.0
    assert policy.wait_s(WaitKind.AT_ONCE, now_s=10.0, connections=3) == 52.0
    assert policy.wait_s(WaitKind.AT_ONCE, now_s=60.0) == 0
