"""When the outside monitor is requested."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.monitoring.heartbeat_schedule import (
    LEAST_APART_S,
    LOOK_EVERY_S,
    HeartbeatSchedule,
    HeartbeatStep,
    Ping,
)


def schedule(*, every_s: float = 60, tells_failure: bool = False) -> HeartbeatSchedule:
    return HeartbeatSchedule(every_s=every_s, tells_failure=tells_failure)


def test_while_all_is_well_the_requests_keep_to_fixed_steps() -> None:
    plan = schedule()
    assert plan.step(1000, is_well=True) == HeartbeatStep(Ping.SUCCESS, 60)
    assert plan.step(1030, is_well=True) == HeartbeatStep(None, 30)
    assert plan.step(1063, is_well=True) == HeartbeatStep(Ping.SUCCESS, 57)  # it was late, and the next one is not
    assert plan.step(1120, is_well=True) == HeartbeatStep(Ping.SUCCESS, 60)


def test_nothing_is_sent_while_something_is_wrong_and_soon_after_it_begins_again() -> None:
    plan = schedule()
    assert plan.step(0, is_well=False) == HeartbeatStep(None, LOOK_EVERY_S)
    assert plan.step(5, is_well=True) == HeartbeatStep(Ping.SUCCESS, 60)
    assert plan.step(63, is_well=False) == HeartbeatStep(None, 2)
    assert plan.step(65, is_well=False) == HeartbeatStep(None, LOOK_EVERY_S)
    assert plan.step(70, is_well=False) == HeartbeatStep(None, LOOK_EVERY_S)
    assert plan.step(205, is_well=True) == HeartbeatStep(Ping.SUCCESS, 60)


def test_a_failure_has_its_own_url_at_the_same_steps_and_its_end_is_sent_before_the_next_step() -> None:
    plan = schedule(tells_failure=True)
    assert plan.step(0, is_well=True) == HeartbeatStep(Ping.SUCCESS, 60)
    assert plan.step(60, is_well=False) == HeartbeatStep(Ping.FAILURE, LOOK_EVERY_S)
    assert plan.step(65, is_well=True) == HeartbeatStep(None, 5)  # not so soon after the last one
    assert plan.step(70, is_well=True) == HeartbeatStep(Ping.SUCCESS, 50)
    assert plan.step(120, is_well=True) == HeartbeatStep(Ping.SUCCESS, 60)


def test_after_an_edit_the_first_request_is_not_too_soon_after_the_last_one() -> None:
    plan = schedule()
    plan.step(100, is_well=True)
    edited = HeartbeatSchedule(every_s=20, tells_failure=False, last_s=plan.last_s)
    assert edited.step(101, is_well=True) == HeartbeatStep(None, LEAST_APART_S - 1)
    assert edited.step(110, is_well=True) == HeartbeatStep(Ping.SUCCESS, 20)


@pytest.mark.parametrize("tells_failure", [False, True])
@given(data=st.data())
def test_no_two_requests_are_close_and_while_all_is_well_none_is_late(tells_failure: bool, data: st.DataObject) -> None:
    every_s = data.draw(st.integers(10, 300))
    plan = HeartbeatSchedule(every_s=every_s, tells_failure=tells_failure)
    now_s = was_well_since = 0.0
    sent: list[float] = []
    for is_well in data.draw(st.lists(st.booleans(), max_size=60)):
        if not is_well:
            was_well_since = now_s
        step = plan.step(now_s, is_well=is_well)
        assert step.wait_s > 0
        if step.ping is not None:
            assert is_well or tells_failure
            assert not sent or now_s - sent[-1] >= LEAST_APART_S
            sent.append(now_s)
        elif is_well and sent:
            assert now_s - max(sent[-1], was_well_since) < every_s + LEAST_APART_S
        now_s += step.wait_s
