"""A daemon's state in which every metric has a value, and how an exposition is read."""

from prometheus_client.parser import text_string_to_metric_families

from forwarder.core.histogram import Histogram
from forwarder.core.monitoring.measured import Measured
from forwarder.core.monitoring.status import Backlog, DestinationReport, StatusReport, decode_status
from forwarder.core.monitoring.verdict import HealthLevel
from forwarder.web.metrics import MetricsWriter

AT = "2026-01-01T00:00:00+00:00"
AT_S = 1767225600

STREAM = {
    "condition": "open",
    "connections": 3,
    "ends": {"closed": 1, "renewed": 1},
    "events": 10,
    "sources": {"x": 7, "fast-x": 3},
    "wins": 6,
    "copies": 4,
    "missed_open": 1,
    "missed_away": 2,
    "last_event": AT,
}
DESTINATION = {
    "breaker": "half_open",
    "paused": {"by": "receiver", "why": "HTTP 410", "since": AT},
    "quiet_until": AT,
    "ours": "no network",
    "held_for_s": 1.5,
    "under_way": 2,
    "failing_since": AT,
    "canary": {"every_s": 5.0, "last_ms": 1.5, "last_at": AT, "missed": True},
    "delivered": 100,
    "failed_attempts": 20,
    "postponed": 3,
    "dead": 4,
    "expired": 5,
    "skipped": 6,
}
STATUS = {
    "version": "1.2",
    "started_at": AT,
    "config": {"refused": {"at": AT}, "in_force_since": AT, "reloads": 2, "reloads_refused": 1},
    "since_start": {
        "seen": 11,
        "matched": 6,
        "unmatched": 4,
        "doubles": 1,
        "recovered": 2,
        "delivered": 100,
        "odd_frames": {"pong": 3},
    },
    "streams": {"main": STREAM, "second": {**STREAM, "condition": "waiting", "last_event": None, "copies": 0}},
    "gap_repair_off": {"second": "the history does not accept the API key"},
    "gaps": {"main": 1, "second": 2},
    "routes": {"all": 6, "macro": 2},
    "destinations": {"bot": DESTINATION},
    "disabled": {"off": 7},
    "log": {"lines_dropped": 8},
    "heartbeat": {"trouble": "HTTP 503"},
    "tracing": {"trouble": "connection refused", "spans_lost": 9},
    "outbox": {
        "health": "degraded",
        "stuck_s": 2.5,
        "events_in_memory": 4,
        "deliveries_in_memory": 5,
        "wal_bytes": 6,
        "commits": 7,
    },
}
BACKLOG = Backlog(
    waiting={"bot": 1, "gone": 2}, oldest={"bot": AT, "gone": AT}, dead={"bot": 9}, unrepaired_gaps=3, file_bytes=4096
)


def histogram(*durations_s: float) -> Histogram:
    """Return a histogram of these durations."""
    found = Histogram()
    found.observe(*durations_s)
    return found


def measured(status: StatusReport | None = None, backlog: Backlog | None = BACKLOG) -> Measured:
    """Return a state in which every metric has a value."""
    return Measured(
        status=decode_status(STATUS) if status is None else status,
        level=HealthLevel.DEGRADED,
        backlog=backlog,
        commit_lag=histogram(0.01, 0.02),
        lag={"fast-x": histogram(0.1, 0.2)},
        behind={"main": histogram(0.01)},
        latencies={"bot": histogram(0.02, 3.0)},
        attempts={"bot": histogram(0.004)},
    )


def of_destinations(count: int, **fields: object) -> StatusReport:
    """Return the status of a daemon with so many destinations."""
    report = DestinationReport(**fields)  # type: ignore[arg-type] # each test names the fields that it needs
    return StatusReport(version="1", started_at=AT, destinations={f"d{number:05}": report for number in range(count)})


def samples_of(text: str) -> dict[tuple[str, ...], float]:
    """Return the values by the name of the sample and the values of its labels, which are in the order of their names."""
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation for family in families)
    assert len({family.name for family in families}) == len(families)
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def written(state: Measured | None = None) -> dict[tuple[str, ...], float]:
    """Return what is written of a state."""
    return samples_of(MetricsWriter().write(measured() if state is None else state).text.decode())


def documented() -> list[str]:
    """Return a row of the docs for each metric of forwarder itself, as Prometheus' text format has them."""
    rows = []
    for family in text_string_to_metric_families(MetricsWriter().write(measured()).text.decode()):
        if not family.name.startswith("forwarder"):
            continue
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        shown = f"{name}{{{','.join(labels)}}}" if labels else name
        rows.append(f"| `{shown}` | {family.type} | {family.documentation} |")
    return rows
