"""Finds a time in seconds where events have milliseconds."""

from collections.abc import Iterator

from forwarder.core.matching.values import Between, Compare

_SECONDS = range(1_000_000_000, 10_000_000_000)
"""The times from 2001 to 2286 in Unix seconds. In milliseconds they are of 1970."""


def hints_of_timestamp(test: Compare | Between) -> Iterator[str]:
    """Yield a hint for each bound that is a time in seconds."""
    bounds = (test.bound,) if isinstance(test, Compare) else (test.low, test.high)
    for bound in bounds:
        if _SECONDS.start <= bound < _SECONDS.stop:
            yield (
                f"{bound} looks like seconds, and timestamp is in milliseconds since 1970; write {round(bound * 1000)}; "
                "for the age of an event use within or older_than"
            )
