"""The clock since boot: monotonic, and it counts the time in which the machine sleeps."""

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Only Linux has the first."""


def boot_time() -> float:
    """Return the seconds since boot, time asleep included."""
    return time.clock_gettime(_CLOCK)
