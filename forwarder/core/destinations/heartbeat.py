"""A heartbeat: requests to an outside monitor that stop when something is wrong."""

from dataclasses import dataclass, field
from datetime import timedelta

from forwarder.core.destinations.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Which monitor is requested, and when. Equal values mean that a reload has not changed it."""

    url: str = field(repr=False)
    """A secret: whoever knows it can silence the alarm."""
    fail_url: str | None = field(default=None, repr=False)
    """What is requested instead while something is wrong. `None`: nothing is."""
    every: timedelta
    is_sent_degraded: bool
    """Whether only DOWN counts as wrong."""
    timeout: timedelta
    transport: Transport
