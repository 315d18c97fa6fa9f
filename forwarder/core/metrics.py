"""Writes the status of a running daemon as metrics in the Prometheus text format, version 0.0.4.

The name of a counter ends in `_total`; it begins again at zero with the process. Times are seconds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from forwarder.core.dispatch.circuit_breaker import BreakerState
from forwarder.core.monitoring.status import (
    Backlog,
    DelaySummary,
    DestinationReport,
    OutboxReport,
    StatusReport,
    StreamReport,
)
from forwarder.core.streams.state import StreamCondition

Labels = Mapping[str, str]


class MetricType(StrEnum):
    """The Prometheus type of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    SUMMARY = "summary"


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a metric; `suffix` is appended to the name of its family."""

    value: float
    labels: Labels
    suffix: str = ""


class Family(msgspec.Struct, frozen=True):
    """All values of one metric."""

    name: str
    type: MetricType
    help: str
    samples: Sequence[Sample]


DOWN = (Family("forwarder_up", MetricType.GAUGE, "Whether a daemon answers.", [Sample(value=0, labels={})]),)
"""The metrics when no daemon runs."""


def write(families: Sequence[Family]) -> str:
    """Return the metrics as text. A family without values is left out."""
    return "".join(line + "\n" for family in families if family.samples for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {_escape(family.help)}"
    yield f"# TYPE {family.name} {family.type}"
    for sample in family.samples:
        pairs = ",".join(
            f'{name}="{_escape(value).replace(chr(34), chr(92) + chr(34))}"' for name, value in sample.labels.items()
        )
        yield f"{family.name}{sample.suffix}{f'{{{pairs}}}' if pairs else ''} {sample.value!r}"


def _escape(text: str) -> str:
    """Return the text as a value of the format. Control characters are written as text: the format has no escape for them."""
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    if escaped.isprintable():
        return escaped
    return "".join(mark if mark.isprintable() else rf"\\u{ord(mark):04x}" for mark in escaped)


def families_of(status: StatusReport, backlog: Backlog | None) -> list[Family]:
    """Return a status as metrics. `backlog` is `None` if the outbox cannot be read."""
    counts = status.since_start
    return [
        _gauge("up", "Whether a daemon answers.", 1),
        _labelled("info", "The version that runs.", [({"version": status.version}, 1)]),
        _gauge("start_time_seconds", "When the daemon started, in Unix time.", _unix(status.started_at)),
        _gauge(
            "config_refused",
            "Whether the last edit of the config was refused.",
            int(status.config.refused is not None),
        ),
        _gauge(
            "config_in_force_timestamp_seconds",
            "Since when the config is active, in Unix time.",
            _unix(status.config.in_force_since),
        ),
        _counter("events_seen_total", "Events that came from the streams.", counts.seen),
        _counts(
            "events_routed_total",
            "Events by what the routes did with them; a double is a duplicate, which is dropped.",
            "result",
            {"matched": counts.matched, "unmatched": counts.unmatched, "double": counts.doubles},
        ),
        _counts("odd_frames_total", "Frames of the streams that were no events, by kind.", "kind", counts.odd_frames),
        _counts(
            "deliveries_total",
            "Deliveries by their outcome; skipped: disabled, preferred or in a digest; sampled, limited: not sent because of sample or limit.",
            "result",
            {
                "delivered": counts.delivered,
                "dead": counts.dead,
                "expired": counts.expired,
                "skipped": counts.skipped,
                "sampled": counts.sampled,
                "limited": counts.limited,
            },
        ),
        _counter("attempts_failed_total", "Attempts that failed and were counted as such.", counts.failed_attempts),
        _counter("attempts_postponed_total", "Attempts that showed nothing about the receiver.", counts.postponed),
        _counter("canaries_missed_total", "Canaries that were given up.", counts.missed_canaries),
        _counter("log_lines_dropped_total", "Lines of the log that could not be written.", status.log.lines_dropped),
        *_of_streams(status),
        *_of_outbox(status.outbox),
        *_of_backlog(backlog, status.destinations),
        *_of_destinations(status.destinations),
    ]


def _of_outbox(outbox: OutboxReport) -> list[Family]:
    return [
        _gauge("outbox_healthy", "Whether the outbox can be written.", int(outbox.is_ok)),
        _gauge("outbox_events_in_memory", "Events that are not on disk yet.", outbox.events_in_memory),
        _gauge("outbox_deliveries_in_memory", "Deliveries that are in memory.", outbox.deliveries_in_memory),
        _gauge("outbox_wal_bytes", "The size of SQLite's write-ahead log.", outbox.wal_bytes),
        _counter("outbox_commits_total", "Transactions written.", outbox.commits),
        Family(
            "forwarder_commit_lag_seconds",
            MetricType.SUMMARY,
            "From reading an event to having it on disk, since the start.",
            _summary(outbox.commit_lag_ms, {}),
        ),
    ]


def _summary(delays: DelaySummary, labels: Labels) -> list[Sample]:
    """Return the samples of a summary in seconds."""
    return [
        Sample(value=delays.p50 / 1000, labels={**labels, "quantile": "0.5"}),
        Sample(value=delays.p99 / 1000, labels={**labels, "quantile": "0.99"}),
        Sample(value=delays.sum / 1000, labels=labels, suffix="_sum"),
        Sample(value=delays.count, labels=labels, suffix="_count"),
    ]


def _of_streams(status: StatusReport) -> Iterator[Family]:
    streams = status.streams

    def counted(name: str, text: str, values: Iterable[tuple[Labels, float]]) -> Family:
        samples = [Sample(value=value, labels=labels) for labels, value in values]
        return Family(f"forwarder_stream_{name}_total", MetricType.COUNTER, text, samples)

    def each(count: Callable[[StreamReport], float]) -> Iterator[tuple[Labels, float]]:
        return (({"stream": name}, count(stream)) for name, stream in streams.items())

    yield _labelled(
        "stream_open",
        "Whether the stream is connected.",
        [({"stream": name}, int(stream.condition == StreamCondition.OPEN)) for name, stream in streams.items()],
    )
    yield counted("connections", "Connections that were opened.", each(lambda stream: stream.connections))
    yield counted(
        "ends",
        "Connections that ended and attempts that failed, by reason; renewed: replaced as planned.",
        [
            ({"stream": name, "kind": kind}, count)
            for name, stream in streams.items()
            for kind, count in stream.ends.items()
        ],
    )
    yield counted("events", "Copies of events that it brought.", each(lambda stream: stream.events))
    yield counted("wins", "Events that it brought before the other streams.", each(lambda stream: stream.wins))
    yield counted(
        "misses",
        "Events that another stream brought and this one did not, while it was open or not connected.",
        [
            ({"stream": name, "while": when}, count)
            for name, stream in streams.items()
            for when, count in (("open", stream.missed_open), ("away", stream.missed_away))
        ],
    )
    yield Family(
        "forwarder_stream_behind_seconds",
        MetricType.SUMMARY,
        "How long after the first copy of an event the copy of this stream came.",
        [
            sample
            for name, stream in streams.items()
            if stream.copies
            for sample in _summary(stream.behind_ms, {"stream": name})
        ],
    )
    yield _labelled(
        "stream_last_event_timestamp_seconds",
        "When it brought its last event, in Unix time.",
        [({"stream": name}, _unix(stream.last_event)) for name, stream in streams.items() if stream.last_event],
    )
    yield Family(
        "forwarder_event_lag_seconds",
        MetricType.SUMMARY,
        "From the timestamp of an event to its arrival, by source.",
        [sample for source, lag in status.lag_ms.items() for sample in _summary(lag, {"source": source})],
    )


def _of_backlog(backlog: Backlog | None, destinations: Mapping[str, DestinationReport]) -> Iterator[Family]:
    if backlog is None:
        return
    for name, text, counted in (
        ("waiting", "Deliveries still to be made, those under way included.", backlog.waiting),
        ("dead_letters", "Dead letters that are kept, those that expired included.", backlog.dead),
    ):
        yield _each(name, text, {**dict.fromkeys(destinations, 0), **counted})


def _of_destinations(destinations: Mapping[str, DestinationReport]) -> Iterator[Family]:
    each = destinations.items()
    yield _labelled(
        "destination_breaker_state",
        "1 for the state that the circuit breaker is in.",
        [
            ({"destination": name, "state": state}, int(destination.breaker == state))
            for name, destination in each
            for state in BreakerState
        ],
    )
    yield _each("paused", "Whether it is paused.", {name: int(found.paused is not None) for name, found in each})
    yield _each(
        "reachable_from_here",
        "0 while nothing can be sent through no fault of the receiver.",
        {name: int(found.ours is None) for name, found in each},
    )
    yield _each(
        "held_seconds",
        "How much longer the receiver wants nothing.",
        {name: found.held_for_s or 0 for name, found in each},
    )
    yield _each("attempts_under_way", "Attempts being made.", {name: found.under_way for name, found in each})
    yield _each(
        "failing_since_timestamp_seconds",
        "Since when nothing but failures came, in Unix time; absent if the last attempt was delivered.",
        {name: _unix(found.failing_since) for name, found in each if found.failing_since is not None},
    )
    canaries = {name: found.canary for name, found in each if found.canary is not None}
    yield _each(
        "canary_missed",
        "Whether its last canary was late or given up.",
        {name: int(canary.missed) for name, canary in canaries.items()},
    )
    yield _each(
        "canary_seconds",
        "From posting the last canary that arrived to its 2xx.",
        {
            name: canary.last_ms / 1000
            for name, canary in canaries.items()
            if canary.last_at is not None and canary.last_ms is not None
        },
    )
    yield _each(
        "canary_timestamp_seconds",
        "When the last canary arrived, in Unix time.",
        {name: _unix(canary.last_at) for name, canary in canaries.items() if canary.last_at is not None},
    )


def _gauge(name: str, text: str, value: float) -> Family:
    return Family(f"forwarder_{name}", MetricType.GAUGE, text, [Sample(value=value, labels={})])


def _counter(name: str, text: str, value: float) -> Family:
    return Family(f"forwarder_{name}", MetricType.COUNTER, text, [Sample(value=value, labels={})])


def _counts(name: str, text: str, label: str, values: Mapping[str, float]) -> Family:
    samples = [Sample(value=value, labels={label: key}) for key, value in values.items()]
    return Family(f"forwarder_{name}", MetricType.COUNTER, text, samples)


def _each(name: str, text: str, values: Mapping[str, float]) -> Family:
    """Return a gauge with a value for each destination."""
    return _labelled(f"destination_{name}", text, [({"destination": key}, value) for key, value in values.items()])


def _labelled(name: str, text: str, values: Sequence[tuple[Labels, float]]) -> Family:
    samples = [Sample(value=value, labels=labels) for labels, value in values]
    return Family(f"forwarder_{name}", MetricType.GAUGE, text, samples)


def _unix(at: str) -> float:
    """Return a moment in Unix time; 0 if a daemon of another version does not report it."""
    return 0 if not at else datetime.fromisoformat(at).timestamp()
