"""The metrics of the destinations. Where several share a label value, counts are added up, and of ages the highest is taken.

A state is 1 or 0 for a destination; for those that share a label value it is how many of them are in it.
"""

from collections.abc import Iterable, Iterator, Mapping

from forwarder.core.dispatch.circuit_breaker import BreakerState
from forwarder.core.dispatch.destination_state import PausedBy
from forwarder.core.histogram import Histogram
from forwarder.core.monitoring.measured import Measured
from forwarder.core.monitoring.status import Backlog, DestinationReport
from forwarder.web.metric_families import Family, counters, gauges, histograms, unix
from forwarder.web.metric_labels import BoundedLabels

_Values = Iterable[tuple[str, float]]


def destination_families(measured: Measured, labels: BoundedLabels) -> Iterator[Family]:
    """Yield the metrics of all destinations; `labels` decides which have a label value of their own."""
    status, backlog = measured.status, measured.backlog
    names = {name: float(report.delivered) for name, report in status.destinations.items()}
    names |= dict.fromkeys(status.disabled.keys() - names.keys(), 0.0)
    if backlog is not None:
        names |= dict.fromkeys({*backlog.waiting, *backlog.dead} - names.keys(), 0.0)
    labels.admit(names)
    families = _Families(labels)
    each = status.destinations
    yield from _counts(families, each, status.disabled)
    yield from _latencies(families, measured)
    if backlog is not None:
        yield from _backlog(families, backlog, each)
    yield from _states(families, each)
    yield from _canaries(families, each)


class _Families:
    """Makes families whose first label is the destination."""

    def __init__(self, labels: BoundedLabels) -> None:
        self._labels = labels

    def sums(self, name: str, text: str, values: _Values) -> Family:
        """Return a gauge of which values are added up."""
        sums = sorted(self._labels.sums(values).items())
        return gauges(f"forwarder_destination_{name}", text, ["destination"], [([of], value) for of, value in sums])

    def highest(self, name: str, text: str, values: _Values) -> Family:
        """Return a gauge of which the highest value is taken."""
        return self._extreme(name, text, values, sign=1)

    def lowest(self, name: str, text: str, values: _Values) -> Family:
        """Return a gauge of which the lowest value is taken."""
        return self._extreme(name, text, values, sign=-1)

    def _extreme(self, name: str, text: str, values: _Values, *, sign: int) -> Family:
        found: dict[str, float] = {}
        for of, value in values:
            label = self._labels.of(of)
            if label not in found or sign * value > sign * found[label]:
                found[label] = value
        each = [([of], value) for of, value in sorted(found.items())]
        return gauges(f"forwarder_destination_{name}", text, ["destination"], each)

    def by_second_label(self, values: Mapping[str, _Values]) -> list[tuple[list[str], float]]:
        """Return values that are given by a second label, added up."""
        return [
            ([of, second], value)
            for second, firsts in values.items()
            for of, value in sorted(self._labels.sums(firsts).items())
        ]

    def histograms(self, name: str, text: str, values: Mapping[str, Histogram]) -> Family:
        """Return a histogram."""
        found: dict[str, Histogram] = {}
        for of, histogram in values.items():
            found.setdefault(self._labels.of(of), Histogram()).add(histogram)
        return histograms(name, text, ["destination"], [([of], histogram) for of, histogram in sorted(found.items())])


def _counts(
    families: _Families, each: Mapping[str, DestinationReport], disabled: Mapping[str, int]
) -> Iterator[Family]:
    found = each.items()
    yield counters(
        "forwarder_destination_deliveries_total",
        "Deliveries by their outcome; skipped: not sent, for whatever reason, such as that the destination is disabled.",
        ["destination", "result"],
        families.by_second_label(
            {
                "delivered": [(name, report.delivered) for name, report in found],
                "dead": [(name, report.dead) for name, report in found],
                "expired": [(name, report.expired) for name, report in found],
                "skipped": [*((name, report.skipped) for name, report in found), *disabled.items()],
            },
        ),
    )
    yield counters(
        "forwarder_destination_attempts_total",
        "Attempts by their outcome; postponed: a local fault, which shows nothing about the receiver.",
        ["destination", "result"],
        families.by_second_label(
            {
                "delivered": [(name, report.delivered) for name, report in found],
                "failed": [(name, report.failed_attempts) for name, report in found],
                "postponed": [(name, report.postponed) for name, report in found],
            },
        ),
    )


def _latencies(families: _Families, measured: Measured) -> Iterator[Family]:
    yield families.histograms(
        "forwarder_delivery_latency_seconds",
        "From receiving an event to the 2xx for it; not of what was replayed, resent or recovered, or kept for quiet hours.",
        measured.latencies,
    )
    yield families.histograms(
        "forwarder_attempt_duration_seconds",
        "How long attempts took, whatever their outcome was.",
        measured.attempts,
    )


def _backlog(families: _Families, backlog: Backlog, each: Mapping[str, DestinationReport]) -> Iterator[Family]:
    none = dict.fromkeys(each, 0)
    yield families.sums(
        "waiting", "Deliveries still to be made, those under way included.", (none | backlog.waiting).items()
    )
    yield families.lowest(
        "oldest_waiting_timestamp_seconds",
        "When the oldest event was received that waits, in Unix time; absent if none waits.",
        [(name, unix(at)) for name, at in backlog.oldest.items()],
    )
    yield families.sums(
        "dead_letters", "Dead letters that are kept, those that expired included.", (none | backlog.dead).items()
    )


def _states(families: _Families, each: Mapping[str, DestinationReport]) -> Iterator[Family]:
    found = each.items()
    states = {str(state): [(name, int(report.breaker == state)) for name, report in found] for state in BreakerState}
    yield gauges(
        "forwarder_destination_breaker_state",
        "1 for the state that the circuit breaker is in.",
        ["destination", "state"],
        families.by_second_label(states),
    )
    yield families.sums(
        "paused", "Whether it is paused.", [(name, int(report.paused is not None)) for name, report in found]
    )
    yield families.sums(
        "paused_itself",
        "Whether it is paused, and not by a person.",
        [(name, int(report.paused is not None and report.paused.by != PausedBy.PERSON)) for name, report in found],
    )
    yield families.sums(
        "quiet",
        "Whether it is in quiet hours of its own.",
        [(name, int(report.quiet_until is not None)) for name, report in found],
    )
    yield families.sums(
        "reachable_from_here",
        "0 while nothing can be sent through no fault of the receiver.",
        [(name, int(report.ours is None)) for name, report in found],
    )
    yield families.highest(
        "held_seconds",
        "How much longer the receiver wants nothing.",
        [(name, report.held_for_s or 0) for name, report in found],
    )
    yield families.sums(
        "attempts_under_way", "Attempts being made.", [(name, report.under_way) for name, report in found]
    )
    yield families.lowest(
        "failing_since_timestamp_seconds",
        "Since when nothing but failures came, in Unix time; absent if the last attempt was delivered.",
        [(name, unix(report.failing_since)) for name, report in found if report.failing_since is not None],
    )


def _canaries(families: _Families, each: Mapping[str, DestinationReport]) -> Iterator[Family]:
    found = {name: report.canary for name, report in each.items() if report.canary is not None}.items()
    yield families.sums(
        "canary_missed",
        "Whether its last canary was late or given up.",
        [(name, int(canary.missed)) for name, canary in found],
    )
    yield families.highest(
        "canary_seconds",
        "From posting the last canary that arrived to its 2xx.",
        [
            (name, canary.last_ms / 1000)
            for name, canary in found
            if canary.last_at is not None and canary.last_ms is not None
        ],
    )
    yield families.lowest(
        "canary_timestamp_seconds",
        "When the last canary arrived, in Unix time.",
        [(name, unix(canary.last_at)) for name, canary in found if canary.last_at is not None],
    )
