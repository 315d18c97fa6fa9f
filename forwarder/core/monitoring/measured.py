"""Everything that metrics are made of, as one value. Pure."""

from collections.abc import Mapping

import msgspec
from msgspec import field

from forwarder.core.histogram import Histogram
from forwarder.core.monitoring.status import Backlog, StatusReport
from forwarder.core.monitoring.verdict import HealthLevel


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a moment with the histograms that it sums up. They are copies: they may be read in another thread."""

    status: StatusReport
    level: HealthLevel
    """That of the verdict."""
    backlog: Backlog | None = None
    """`None` if the outbox cannot be read."""
    commit_lag: Histogram = field(default_factory=Histogram)
    lag: Mapping[str, Histogram] = field(default_factory=dict)
    """From the timestamp of an event to its arrival, by source."""
    behind: Mapping[str, Histogram] = field(default_factory=dict)
    """How long after the first copy of an event its copy came, by stream."""
    latencies: Mapping[str, Histogram] = field(default_factory=dict)
    """From receiving an event to the 2xx for it, by destination."""
    attempts: Mapping[str, Histogram] = field(default_factory=dict)
    """How long attempts took, by destination."""
