"""The circuit breaker: when it opens, how it probes, and that it is never stuck."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.dispatch.circuit_breaker import (
    LONGEST_PROBE_WAIT_S,
    MOST_PROBES,
    SHORTEST_PROBE_WAIT_S,
    Breaker,
    BreakerPolicy,
    BreakerState,
)

NEVER_IN_A_ROW = BreakerPolicy(in_a_row=1000)


def fail(breaker: Breaker, now: float, culprit: int = 1, *, is_probe: bool = False) -> bool:
    return breaker.note_failure(now, is_probe=is_probe, culprit=culprit)


def probe(breaker: Breaker, now: float) -> None:
    """Make a probe that ends at once."""
    breaker.begin_probe(now)
    breaker.end_probe()


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(BreakerPolicy(in_a_row=1))
    assert fail(breaker, now)
    return breaker


def test_it_opens_at_so_many_failures_in_a_row_and_a_success_begins_the_row_again() -> None:
    breaker = Breaker(BreakerPolicy(in_a_row=3))
    assert [fail(breaker, now) for now in (0.0, 0.1)] == [False, False]
    breaker.note_success(0.2)
    assert [fail(breaker, now) for now in (0.3, 0.4, 0.5)] == [False, False, True]
    assert breaker.state is BreakerState.OPEN
    assert (breaker.opened_at, breaker.probe_at) == (0.5, 0.5 + SHORTEST_PROBE_WAIT_S)


def test_it_opens_at_a_failure_when_nothing_else_came_for_a_second() -> None:
    breaker = Breaker(NEVER_IN_A_ROW)
    assert not fail(breaker, 0.0)
    assert not fail(breaker, 0.9)
    assert fail(breaker, 1.0)


def test_it_opens_at_a_share_of_the_window() -> None:
    breaker = Breaker(BreakerPolicy(in_a_row=1000, ratio=0.5, min_attempts=10))
    for number in range(4):
        breaker.note_success(number)
        assert not fail(breaker, number + 0.5)
    breaker.note_success(4.0)
    assert fail(breaker, 4.5)  # five of ten


def test_what_is_older_than_the_window_is_forgotten() -> None:
    window = timedelta(seconds=10)
    breaker = Breaker(BreakerPolicy(in_a_row=1000, ratio=0.5, min_attempts=4, window=window))
    for at in (0.0, 0.1):
        assert not fail(breaker, at)
    breaker.note_success(0.2)
    breaker.note_success(20.0)
    assert not fail(breaker, 20.1)
    breaker.note_success(20.2)
    assert fail(breaker, 20.3)  # two of the last four


def test_one_that_is_off_never_opens() -> None:
    breaker = Breaker(BreakerPolicy(is_on=False))
    assert not any(fail(breaker, float(now)) for now in range(100))
    breaker.open(100.0, probe_in_s=0.0)
    assert not breaker.open_if_failing(200.0)
    assert breaker.is_closed


def test_it_opens_by_itself_when_nothing_but_failures_came_for_a_second_though_nothing_more_is_tried() -> None:
    breaker = Breaker(NEVER_IN_A_ROW)
    fail(breaker, 10.0)
    fail(breaker, 10.5)
    assert breaker.opens_at == 11.0
    assert not breaker.open_if_failing(10.9)
    assert breaker.open_if_failing(11.0)
    assert (breaker.state, breaker.probe_at) == (BreakerState.OPEN, 11.5)  # a second after the last attempt


@pytest.mark.parametrize("outage_s", [1, 5, 20, 60, 300, 3600, 86_400])
def test_after_an_outage_the_next_probe_comes_within_a_second_or_a_twentieth_of_it_and_half_a_minute(
    outage_s: int,
) -> None:
    breaker, now = opened(), 0.0
    while now < outage_s:
        now = breaker.probe_at
        probe(breaker, now)
        assert not fail(breaker, now, is_probe=True)
    assert now - outage_s <= min(max(1.0, 0.05 * outage_s), LONGEST_PROBE_WAIT_S)


def test_probes_are_few_however_long_it_lasts() -> None:
    breaker, now, probes = opened(), 0.0, 0
    while now < 3600:
        now = breaker.probe_at
        probe(breaker, now)
        fail(breaker, now, is_probe=True)
        probes += 1
    assert probes < 200  # 20 in 20 s, and ever fewer; half a minute apart from ten minutes on


def test_a_receiver_that_says_nothing_gets_the_next_probe_beside_the_one_before() -> None:
    breaker = opened()
    for number in range(MOST_PROBES):
        assert not breaker.has_most_probes
        breaker.begin_probe(float(number))
        assert breaker.probe_at == number + 1.0
    assert breaker.has_most_probes
    breaker.end_probe()
    assert not fail(breaker, 6.0, is_probe=True)
    assert breaker.is_probing
    breaker.end_probe()
    assert breaker.note_success(6.5)
    for _ in range(MOST_PROBES - 2):  # of the outage that has ended
        breaker.end_probe()
        assert not fail(breaker, 7.0, is_probe=True)
    assert breaker.is_closed
    assert breaker.opens_at is None


def test_a_sign_that_somebody_is_back_lets_the_next_probe_through_and_asking_for_it_is_not_done_too_often() -> None:
    breaker = opened()
    assert breaker.knock_wait_s(1.0) == 0.25
    assert breaker.knock_wait_s(50.0) == 0.5
    assert breaker.knock_wait_s(86_400.0) == 1.0
    breaker.probe_now(0.4)
    assert breaker.probe_at == 0.4
    assert breaker.note_success(0.5)
    breaker.probe_now(0.6)  # it was closed meanwhile
    assert breaker.is_closed


def test_those_that_were_under_way_when_it_opened_change_nothing() -> None:
    breaker = opened()
    probe_at = breaker.probe_at
    assert not fail(breaker, 0.5)
    assert (breaker.state, breaker.probe_at) == (BreakerState.OPEN, probe_at)


def test_a_probe_without_a_result_is_made_again() -> None:
    breaker = opened()
    probe(breaker, 10.0)
    breaker.give_up_probe(10.0)
    assert (breaker.state, breaker.probe_at) == (BreakerState.OPEN, 10.0 + SHORTEST_PROBE_WAIT_S)
    probe(breaker, 20.0)
    breaker.give_up_probe(20.0, wait_s=0.0)
    assert breaker.probe_at == 20.0
    breaker.note_success(21.0)
    breaker.give_up_probe(22.0)  # it was closed meanwhile
    assert breaker.is_closed


def test_one_deliverys_failures_may_be_its_own_fault_and_those_of_two_are_not() -> None:
    breaker = Breaker(BreakerPolicy())
    assert not breaker.may_be_one_deliverys
    for now, culprit in enumerate([7, 7, 7]):
        fail(breaker, now, culprit)
        assert breaker.may_be_one_deliverys
    fail(breaker, 4, 8)
    fail(breaker, 5, 9)
    assert not breaker.may_be_one_deliverys
    breaker.note_success(6)
    fail(breaker, 7, 9)
    assert breaker.may_be_one_deliverys


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["success", "failure", "nothing"]), st.floats(0, 5), st.booleans()), max_size=60
    ),
    in_a_row=st.integers(1, 5),
)
def test_it_is_never_stuck(steps: list[tuple[str, float, bool]], in_a_row: int) -> None:
    """Whatever attempts come to, late ones too: the next may be made within the longest wait, and a success closes it."""
    breaker, now = Breaker(BreakerPolicy(in_a_row=in_a_row)), 0.0
    for outcome, later, is_late in steps:
        now += later
        is_probe = False
        if not breaker.is_closed and not is_late:
            now = max(now, breaker.probe_at)
            probe(breaker, now)
            is_probe = True
        match outcome:
            case "success":
                breaker.note_success(now)
                assert breaker.is_closed
            case "failure":
                fail(breaker, now, is_probe=is_probe)
            case _ if is_probe:
                breaker.give_up_probe(now)
        assert not breaker.is_probing
        if not breaker.is_closed:
            assert breaker.probe_at <= now + LONGEST_PROBE_WAIT_S


def test_its_state_is_closed_open_or_half_open() -> None:
    breaker = Breaker(BreakerPolicy(in_a_row=1))
    assert (breaker.state, breaker.is_closed, breaker.probes) == (BreakerState.CLOSED, True, 0)
    fail(breaker, 0.0)
    assert (breaker.state, breaker.is_closed, breaker.is_probing) == (BreakerState.OPEN, False, False)
    breaker.begin_probe(breaker.probe_at)
    assert (breaker.state, breaker.is_probing, breaker.probes) == (BreakerState.HALF_OPEN, True, 1)
    breaker.end_probe()
    assert (breaker.state, breaker.probes) == (BreakerState.OPEN, 0)
