"""When the loop last stood still."""

from forwarder.streams.pulse import Pulse, Standstill


def test_a_pulse_knows_the_last_standstill_also_before_the_beat_that_ends_it() -> None:
    pulse = Pulse()
    assert pulse.last_standstill(100) is None
    for second in range(10):
        pulse.beat(second)
    assert pulse.last_standstill(12) is None
    assert pulse.last_standstill(84) == Standstill(9, 84)
    pulse.beat(84)
    pulse.beat(85)
    assert pulse.last_standstill(85.5) == Standstill(9, 84)
