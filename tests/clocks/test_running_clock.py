"""A clock of the time in which the loop ran."""

from datetime import timedelta

from forwarder.clocks.running_clock import RunningClock


def test_a_standstill_does_not_count_before_or_after_the_tick_that_ends_it() -> None:
    now = 100.0
    clock = RunningClock(timedelta(seconds=1), lambda: now)
    for second in range(101, 110):
        now = second
        assert clock.tick()
    assert clock() == 109
    now = 109.5
    assert clock() == 109.5
    now = 184.0
    assert clock() == 110
    assert not clock.tick()
    assert clock() == 110
    now = 185.0
    assert clock.tick()
    assert clock() == 111
