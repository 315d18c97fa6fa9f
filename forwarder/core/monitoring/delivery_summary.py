"""Sums up the deliveries of a minute in one log line, because a delivery that nothing happened to has one only at debug."""

from forwarder.core.monitoring.counters import Counters
from forwarder.core.monitoring.delivery_figures import DeliveryFigures
from forwarder.core.monitoring.status import DelaySummary

_SHOWN = 10
"""How many destinations are named, those with the most deliveries."""


class DeliverySummary:
    """Returns what was delivered since the last line as the next one."""

    def __init__(self, counters: Counters, figures: DeliveryFigures, *, now_s: float) -> None:
        """`counters` and `figures` have what is counted elsewhere, from the start on."""
        self._counters = counters
        self._figures = figures
        self._begin(now_s)

    def take(self, now_s: float) -> dict[str, object] | None:
        """Return the fields of the line, and begin again; `None` if nothing was delivered."""
        minute = self._figures.take_minute()
        delivered, durations = minute.by_destination, DelaySummary.of(minute.durations)
        before, over_s = self._before, now_s - self._began_s
        self._begin(now_s)
        if not delivered:
            return None
        return {
            "delivered": durations.count,
            "destinations": dict(delivered.most_common(_SHOWN)),
            "other_destinations": max(len(delivered) - _SHOWN, 0),
            **{name: count - before[name] for name, count in self._before.items()},
            "duration_p50_ms": durations.p50,
            "duration_p99_ms": durations.p99,
            "over_s": round(over_s, 1),
        }

    def _begin(self, now_s: float) -> None:
        counters = self._counters
        self._began_s = now_s
        self._before = {
            "failed_attempts": counters.failed_attempts,
            "postponed": counters.postponed,
            "dead": counters.dead,
            "expired": counters.expired,
            "skipped": counters.skipped,
        }
