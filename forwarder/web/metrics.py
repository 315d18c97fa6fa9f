"""Writes the metrics for Prometheus and OpenMetrics, with `prometheus_client`. It is loaded only where somebody asks for them.

The label values are bounded: see `metric_labels`. Histograms, counters and gauges are of `metric_families` and `metric_destinations`.
"""

from collections.abc import Iterable
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from forwarder.core.monitoring.measured import Measured
from forwarder.web.metric_destinations import destination_families
from forwarder.web.metric_families import Family, families, gauge
from forwarder.web.metric_labels import BoundedLabels

MOST_DESTINATIONS = 200
MOST_ROUTES = 500
"""So many have a label value of their own, and the others share one."""


class Exposition(NamedTuple):
    """The metrics as text."""

    text: bytes
    content_type: str


class MetricsWriter:
    """Writes metrics as text. It remembers which names have a label value of their own."""

    def __init__(self) -> None:
        self._destinations = BoundedLabels(MOST_DESTINATIONS)
        self._routes = BoundedLabels(MOST_ROUTES)
        self._process = ProcessCollector(registry=None)

    def write(self, measured: Measured, accept: str = "") -> Exposition:
        """Return the metrics in the format that the header `Accept` asks for; that is Prometheus' own where it asks for none."""
        found = [
            *families(measured, self._routes),
            *destination_families(measured, self._destinations),
            *self._process.collect(),
        ]
        return _encoded(found, accept)


def without_daemon() -> Exposition:
    """Return the metrics where no daemon answers."""
    return _encoded([gauge("forwarder_up", "Whether a daemon answers.", 0)], "")


class _Found(Collector):
    def __init__(self, found: Iterable[Family]) -> None:
        self._found = found

    def collect(self) -> Iterable[Family]:
        return self._found


def _encoded(found: Iterable[Family], accept: str) -> Exposition:
    registry = CollectorRegistry()
    registry.register(_Found([family for family in found if family.samples]))
    encode, content_type = choose_encoder(accept)
    return Exposition(encode(registry), content_type)
