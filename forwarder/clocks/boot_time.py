"""The clock since boot: monotonic, and it counts the time in which the machine sleeps."""

import time
from functools import partial

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Only Linux has the first."""

boot_time = partial(time.clock_gettime, _CLOCK)
"""Returns the seconds since boot, time asleep included. No function of ours, because it is called for every event."""
