"""Notices that the machine slept, or that the process was stopped: connections may be dead then without a word."""

import asyncio
from collections.abc import Callable
from time import monotonic

from forwarder.streams.connection import boot_time
from forwarder.streams.pulse import BEAT_EVERY_S, Pulse

_LOOK_EVERY_S = BEAT_EVERY_S
STANDSTILL_S = 10.0
"""Shorter ones leave connections as they are: a server waits 60 s for a sign of life."""


async def watch_standstill(on_wake: Callable[[str], None], pulse: Pulse | None = None) -> None:
    """For ever: call `on_wake` with a sentence when more time has passed than a second of ours should take; beat `pulse`.

    Sleep does not show in the monotonic clock, which the loop goes by; in the clock since boot it does.
    """
    pulse = Pulse() if pulse is None else pulse
    monotonic_s, boot_s = monotonic(), boot_time()
    pulse.beat(boot_s)
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        ran_s, passed_s = monotonic() - monotonic_s, boot_time() - boot_s
        monotonic_s, boot_s = monotonic_s + ran_s, boot_s + passed_s
        pulse.beat(boot_s)
        if passed_s - _LOOK_EVERY_S >= STANDSTILL_S:
            what = "the machine slept" if passed_s - ran_s >= STANDSTILL_S else "the process stood still"
            on_wake(f"{what} for {passed_s:.0f} s")
