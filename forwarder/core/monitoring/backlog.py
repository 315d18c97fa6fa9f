"""Decides when a backlog is worth a notice, and when it is over."""

import msgspec

from forwarder.core.counted import counted
from forwarder.core.destinations.destination import BacklogLimit
from forwarder.core.durations import spell


class WaitingAmount(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for a destination, as far as it matters to a limit."""

    count: int
    """How many events wait; no more are counted than one above the limit."""
    has_old: bool
    """Whether one of them has waited longer than the limit."""


def excess(limit: BacklogLimit, found: WaitingAmount) -> str:
    """Return how the backlog is above its limit, in a sentence; nothing where it is not."""
    if limit.count is not None and found.count > limit.count:
        return f"More than {counted(limit.count, 'event')} {'waits' if limit.count == 1 else 'wait'} for {limit.of}"
    if limit.age is not None and found.has_old:
        return f"An event has waited for {limit.of} longer than {spell(limit.age)}"
    return ""


def is_over(limit: BacklogLimit, found: WaitingAmount) -> bool:
    """Return whether a backlog that was above its limit has ended: at half of its count, so that it does not come and go."""
    is_few = limit.count is None or found.count <= limit.count // 2
    return is_few and not (limit.age is not None and found.has_old)
