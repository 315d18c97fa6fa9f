"""The clock since boot."""

import time

from forwarder.clocks.boot_time import boot_time


def test_it_is_the_clock_that_counts_the_time_asleep() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= boot_time() <= time.clock_gettime(time.CLOCK_BOOTTIME)
