"""Notices that the machine slept, or that the process was stopped: connections may be dead then without a word."""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic

from forwarder.clocks.boot_time import boot_time
from forwarder.clocks.periodic import periodic
from forwarder.streams.pulse import BEAT_EVERY_S, Pulse

_LOOK_EVERY_S = BEAT_EVERY_S
STANDSTILL_S = 10.0
"""Shorter ones leave connections as they are: a server waits 60 s for a sign of life."""


async def watch_standstill(on_wake: Callable[[str], None], pulse: Pulse | None = None) -> None:
    """Watch for standstills, forever: call `on_wake` with a sentence after each, and beat `pulse` at every look."""
    detector = _SuspendDetector(on_wake, Pulse() if pulse is None else pulse)
    await periodic(timedelta(seconds=_LOOK_EVERY_S), detector.look)


class _SuspendDetector:
    """Compares how much time has passed between two looks with how much should have.

    The monotonic clock, which the event loop uses, does not count the time asleep; the clock since boot does.
    """

    def __init__(self, on_wake: Callable[[str], None], pulse: Pulse) -> None:
        self._on_wake = on_wake
        self._pulse = pulse
        self._monotonic_s, self._boot_s = monotonic(), boot_time()
        pulse.beat(self._boot_s)

    def look(self) -> None:
        """Report a standstill if more time has passed since the last look than an interval should take."""
        ran_s, passed_s = monotonic() - self._monotonic_s, boot_time() - self._boot_s
        self._monotonic_s, self._boot_s = self._monotonic_s + ran_s, self._boot_s + passed_s
        self._pulse.beat(self._boot_s)
        if passed_s - _LOOK_EVERY_S >= STANDSTILL_S:
            what = "the machine slept" if passed_s - ran_s >= STANDSTILL_S else "the process stood still"
            self._on_wake(f"{what} for {passed_s:.0f} s")
