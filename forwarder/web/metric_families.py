"""The metrics of streams, events, the outbox, gaps, the config and the log."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from forwarder.core.event import NotAnEvent
from forwarder.core.histogram import Histogram
from forwarder.core.monitoring.measured import Measured
from forwarder.core.monitoring.status import StatusReport, StreamReport
from forwarder.core.monitoring.verdict import HealthLevel
from forwarder.core.streams.state import StreamCondition
from forwarder.web.metric_labels import BoundedLabels

Family = Metric

LATENCY_S = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    1800.0,
    9000.0,
)
"""Upper bounds of the buckets: a delivery may take less than a millisecond, or wait hours for a receiver that is down."""  # fmt: skip
_BOUNDS = (*map(str, LATENCY_S), "+Inf")

LabelledValues = Iterable[tuple[Sequence[str], float]]


def gauge(name: str, text: str, value: float) -> Family:
    """Return a gauge without labels."""
    return GaugeMetricFamily(name, text, value=value)


def gauges(name: str, text: str, labels: Sequence[str], values: LabelledValues) -> Family:
    """Return a gauge with labels."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for of, value in values:
        family.add_metric(of, value)
    return family


def counter(name: str, text: str, value: float) -> Family:
    """Return a counter without labels. Its name ends in `_total`."""
    return CounterMetricFamily(name, text, value=value)


def counters(name: str, text: str, labels: Sequence[str], values: LabelledValues) -> Family:
    """Return a counter with labels."""
    family = CounterMetricFamily(name, text, labels=labels)
    for of, value in values:
        family.add_metric(of, value)
    return family


def histograms(
    name: str, text: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], Histogram]]
) -> Family:
    """Return a histogram of durations in seconds, with labels."""
    family = HistogramMetricFamily(name, text, labels=labels)
    for of, histogram in values:
        counts = zip(_BOUNDS, (*histogram.cumulative(LATENCY_S), histogram.count), strict=True)
        family.add_metric(of, list(counts), histogram.sum_s)
    return family


def unix(at: str) -> float:
    """Return a moment in Unix time."""
    return datetime.fromisoformat(at).timestamp() if at else 0.0


def families(measured: Measured, routes: BoundedLabels) -> Iterator[Family]:
    """Yield all metrics that are not about one destination. `routes` decides which routes have a label value of their own."""
    status = measured.status
    yield gauge("forwarder_up", "Whether a daemon answers.", 1)
    yield gauges(
        "forwarder_health",
        "1 for the level of the verdict of forwarder status.",
        ["level"],
        [([str(level)], int(level is measured.level)) for level in HealthLevel],
    )
    yield InfoMetricFamily("forwarder", "The version that runs.", value={"version": status.version})
    yield gauge("forwarder_start_time_seconds", "When the daemon started, in Unix time.", unix(status.started_at))
    yield from _config(status)
    yield from _events(status, measured.lag, routes)
    yield from _streams(status.streams, measured.behind)
    yield from _gaps(measured)
    yield from _deliveries(status)
    yield from _outbox(measured)
    yield counter(
        "forwarder_log_lines_dropped_total", "Lines of the log that could not be written.", status.log.lines_dropped
    )
    yield from _outside(status)


def _outside(status: StatusReport) -> Iterator[Family]:
    heartbeat, tracing = status.heartbeat, status.tracing
    if heartbeat is not None:
        yield gauge(
            "forwarder_heartbeat_failing",
            "Whether the last request of the heartbeat failed; absent without heartbeat.",
            int(heartbeat.trouble is not None),
        )
    if tracing is not None:
        yield gauge(
            "forwarder_tracing_failing",
            "Whether the collector did not take the last spans; absent without tracing.",
            int(tracing.trouble is not None),
        )
        yield counter(
            "forwarder_tracing_spans_lost_total",
            "Spans that were not sent; absent without tracing.",
            tracing.spans_lost,
        )


def _config(status: StatusReport) -> Iterator[Family]:
    config = status.config
    yield gauge(
        "forwarder_config_refused", "Whether the last edit of the config was refused.", int(config.refused is not None)
    )
    yield counters(
        "forwarder_config_reloads_total",
        "Edits of the config, by whether they became active.",
        ["result"],
        [(["applied"], config.reloads), (["refused"], config.reloads_refused)],
    )
    yield gauge(
        "forwarder_config_in_force_timestamp_seconds",
        "Since when the config is active, in Unix time.",
        unix(config.in_force_since),
    )


def _events(status: StatusReport, lag: Mapping[str, Histogram], routes: BoundedLabels) -> Iterator[Family]:
    counts = status.since_start
    yield counter("forwarder_events_seen_total", "Events that came in, duplicates included.", counts.seen)
    yield counters(
        "forwarder_events_routed_total",
        "Events by what the routes did with them; a double is a duplicate, which is dropped.",
        ["result"],
        [(["matched"], counts.matched), (["unmatched"], counts.unmatched), (["double"], counts.doubles)],
    )
    yield counter(
        "forwarder_events_recovered_total", "Events that the repair of a gap brought, and no stream.", counts.recovered
    )
    routes.admit(status.routes)
    yield counters(
        "forwarder_route_matches_total",
        "Events that the route matched, whether it sent them or not.",
        ["route"],
        [([route], count) for route, count in sorted(routes.sums(status.routes.items()).items())],
    )
    yield counters(
        "forwarder_odd_frames_total",
        "Frames of the streams that were no events, by kind.",
        ["kind"],
        [([kind], counts.odd_frames.get(kind, 0)) for kind in sorted(map(str, NotAnEvent))],
    )
    yield histograms(
        "forwarder_event_lag_seconds",
        "From the timestamp of an event to its arrival, by source; first copies only.",
        ["source"],
        [([source], histogram) for source, histogram in lag.items()],
    )


def _streams(streams: Mapping[str, StreamReport], behind: Mapping[str, Histogram]) -> Iterator[Family]:
    each = streams.items()
    yield gauges(
        "forwarder_stream_open",
        "Whether the stream is connected.",
        ["stream"],
        [([name], int(stream.condition == StreamCondition.OPEN)) for name, stream in each],
    )
    yield counters(
        "forwarder_stream_connections_total",
        "Connections that were opened.",
        ["stream"],
        [([name], stream.connections) for name, stream in each],
    )
    yield counters(
        "forwarder_stream_ends_total",
        "Connections that ended and attempts that failed, by reason; renewed: replaced as planned.",
        ["stream", "kind"],
        [([name, kind], count) for name, stream in each for kind, count in stream.ends.items()],
    )
    yield counters(
        "forwarder_stream_events_total",
        "Copies of events that the stream brought, by their source.",
        ["stream", "source"],
        [([name, source], count) for name, stream in each for source, count in stream.sources.items()],
    )
    yield counters(
        "forwarder_stream_wins_total",
        "Events that it brought before the other streams.",
        ["stream"],
        [([name], stream.wins) for name, stream in each],
    )
    yield counters(
        "forwarder_stream_misses_total",
        "Events that another stream brought and this one did not, while it was open or not connected.",
        ["stream", "while"],
        [
            ([name, when], count)
            for name, stream in each
            for when, count in (("open", stream.missed_open), ("away", stream.missed_away))
        ],
    )
    yield histograms(
        "forwarder_stream_behind_seconds",
        "How long after the first copy of an event the copy of this stream came.",
        ["stream"],
        [([name], histogram) for name, histogram in behind.items()],
    )
    yield gauges(
        "forwarder_stream_last_event_timestamp_seconds",
        "When it brought its last event, in Unix time.",
        ["stream"],
        [([name], unix(stream.last_event)) for name, stream in each if stream.last_event],
    )


def _gaps(measured: Measured) -> Iterator[Family]:
    yield counters(
        "forwarder_gaps_total",
        "Times in which the stream was not open, recorded since the start.",
        ["stream"],
        [([stream], count) for stream, count in measured.status.gaps.items()],
    )
    if measured.backlog is not None:
        yield gauge(
            "forwarder_gaps_unrepaired",
            "Gaps of the last 24 hours of which posts may be missing.",
            measured.backlog.unrepaired_gaps,
        )
    yield gauges(
        "forwarder_gap_repair_off",
        "1 if gaps of the stream are not repaired although the config asks for it.",
        ["stream"],
        [([name], int(name in measured.status.gap_repair_off)) for name in measured.status.streams],
    )


def _deliveries(status: StatusReport) -> Iterator[Family]:
    counts = status.since_start
    results = ("delivered", "dead", "expired", "skipped", "sampled", "limited")
    yield counters(
        "forwarder_deliveries_total",
        "Deliveries by their outcome; skipped: disabled, preferred or in a digest; sampled, limited: not sent because of sample or limit.",
        ["result"],
        [([result], getattr(counts, result)) for result in results],
    )
    yield counter(
        "forwarder_attempts_failed_total", "Attempts that failed and were counted as such.", counts.failed_attempts
    )
    yield counter(
        "forwarder_attempts_postponed_total", "Attempts that showed nothing about the receiver.", counts.postponed
    )
    yield counter("forwarder_canaries_missed_total", "Canaries that were given up.", counts.missed_canaries)


def _outbox(measured: Measured) -> Iterator[Family]:
    outbox, backlog = measured.status.outbox, measured.backlog
    yield gauge("forwarder_outbox_healthy", "Whether the outbox can be written.", int(outbox.is_ok))
    yield gauge(
        "forwarder_outbox_stuck_seconds", "For how long the disk has not answered; 0 while it answers.", outbox.stuck_s
    )
    yield gauge("forwarder_outbox_events_in_memory", "Events that are not on disk yet.", outbox.events_in_memory)
    yield gauge("forwarder_outbox_deliveries_in_memory", "Deliveries that are in memory.", outbox.deliveries_in_memory)
    yield gauge("forwarder_outbox_wal_bytes", "The size of SQLite's write-ahead log.", outbox.wal_bytes)
    if backlog is not None:
        yield gauge(
            "forwarder_outbox_file_bytes",
            "The size of the outbox's file, without its write-ahead log.",
            backlog.file_bytes,
        )
    yield counter("forwarder_outbox_commits_total", "Transactions written.", outbox.commits)
    yield histograms(
        "forwarder_commit_lag_seconds", "From reading an event to having it on disk.", [], [([], measured.commit_lag)]
    )
