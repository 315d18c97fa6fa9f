"""The result of a run of the demo."""

import statistics
from dataclasses import dataclass, field

from forwarder.core.monitoring.counters import Counters


@dataclass(slots=True)
class DemoResult:
    """Holds what was observed from outside: by the stream that sent the events, and by the receivers."""

    counters: Counters = field(default_factory=Counters)
    seconds: float = 0.0
    delivered: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    """How many deliveries a rule asked for that no receiver accepted and that are not in the outbox either."""
    still_waiting: int = 0
    """How many deliveries were in the outbox when the demo was stopped: a daemon would make them at its next start."""
    latencies_ms: list[float] = field(default_factory=list)
    """For each delivery that did not wait for an outage, the time from sending the frame (live: from reading it) to receiving the POST."""
    is_live: bool = False
    """Whether the events came from the real public stream: then a latency begins when the frame was read."""
    waited: int = 0
    """How many deliveries waited for an outage and were delivered after it."""
    waited_s: list[float] = field(default_factory=list)
    """For each of these, the time from receiving the event to its delivery."""
    waited_at_return: int = 0
    """How many deliveries waited at the moment in which the receiver was up again. More may come before it is noticed."""
    caught_up_s: float | None = None
    """The time from the end of the last outage to the last delivery that had waited."""

    def latency_ms(self, percent: int) -> float:
        """Return a percentile of the added latency."""
        if len(self.latencies_ms) < 2:
            return self.latencies_ms[0] if self.latencies_ms else 0.0
        return statistics.quantiles(self.latencies_ms, n=100)[percent - 1]
