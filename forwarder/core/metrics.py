"""The numbers of a running daemon in the text format of Prometheus, version 0.0.4. Pure.

What is counted as it happens ends in `_total` and begins anew with the process. Times are seconds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from forwarder.core.breaker import BreakerState

Labels = Mapping[str, str]


class MetricType(StrEnum):
    """What a reader may do with the values."""

    COUNTER = "counter"
    GAUGE = "gauge"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value; `suffix` comes behind the name of its family."""

    value: float
    labels: Labels
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """Values of one name."""

    name: str
    type: MetricType
    help: str
    samples: Sequence[Sample]


DOWN = (Family("forwarder_up", MetricType.GAUGE, "Whether a daemon answers.", [Sample(value=0, labels={})]),)
"""What there is to tell where no daemon runs."""


def write(families: Sequence[Family]) -> str:
    """Return the text; a family without values is left out."""
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
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def families_of(status: Mapping[str, Any]) -> list[Family]:
    """Return what `status --json` tells, as metrics; `waiting` and `dead` may be null, where the outbox cannot be read."""
    counts, outbox = status["since_start"], status["outbox"]
    return [
        _gauge("up", "Whether a daemon answers.", 1),
        _labelled("info", "The version that runs.", [({"version": status["version"]}, 1)]),
        _gauge("start_time_seconds", "When the daemon started, in Unix time.", _unix(status["started_at"])),
        _gauge(
            "config_refused",
            "Whether the last edit of the config was refused.",
            int(status["config"]["refused"] is not None),
        ),
        _gauge(
            "config_in_force_timestamp_seconds",
            "Since when the config is in force, in Unix time.",
            _unix(status["config"]["in_force_since"]),
        ),
        _counter("events_seen_total", "Events that came from the streams.", counts["seen"]),
        _counts(
            "events_routed_total",
            "Events by what the routes made of them; a double came before and was dropped.",
            "result",
            {name: counts[key] for name, key in _ROUTED.items()},
        ),
        _counts(
            "odd_frames_total", "Frames of the streams that were no events, by kind.", "kind", counts["odd_frames"]
        ),
        _counts(
            "deliveries_total",
            "Deliveries that came to their end; skipped: disabled or preferred; sampled, limited: held back by their routes.",
            "result",
            {name: counts[name] for name in ("delivered", "dead", "expired", "skipped", "sampled", "limited")},
        ),
        _counter("attempts_failed_total", "Attempts that failed and were counted as such.", counts["failed_attempts"]),
        _counter("attempts_postponed_total", "Attempts that told nothing about the receiver.", counts["postponed"]),
        _counter("canaries_missed_total", "Canaries that were given up.", counts["missed_canaries"]),
        _counter(
            "log_lines_dropped_total",
            "Lines of the log that could not be written.",
            status.get("log", {}).get("lines_dropped", 0),
        ),
        *_of_streams(status),
        *_of_outbox(outbox),
        *_of_destinations(status),
    ]


_ROUTED = {"matched": "matched", "unmatched": "unmatched", "double": "doubles"}


def _of_outbox(outbox: Mapping[str, Any]) -> list[Family]:
    return [
        _gauge("outbox_healthy", "Whether the outbox can be written.", int(outbox["health"] == "ok")),
        _gauge("outbox_events_in_memory", "Events that are not on disk yet.", outbox["events_in_memory"]),
        _gauge("outbox_deliveries_in_memory", "Deliveries that are in memory.", outbox["deliveries_in_memory"]),
        _gauge("outbox_wal_bytes", "The size of SQLite's write-ahead log.", outbox["wal_bytes"]),
        _counter("outbox_commits_total", "Transactions written.", outbox["commits"]),
        Family(
            "forwarder_commit_lag_seconds",
            MetricType.SUMMARY,
            "From reading an event to having it on disk, since the start.",
            _summary(outbox["commit_lag_ms"], {}),
        ),
    ]


def _summary(times_ms: Mapping[str, float], labels: Labels) -> list[Sample]:
    """Return the samples of a summary in seconds."""
    return [
        *(
            Sample(value=times_ms[key] / 1000, labels={**labels, "quantile": quantile})
            for quantile, key in (("0.5", "p50"), ("0.99", "p99"))
        ),
        Sample(value=times_ms["sum"] / 1000, labels=labels, suffix="_sum"),
        Sample(value=times_ms["count"], labels=labels, suffix="_count"),
    ]


def _of_streams(status: Mapping[str, Any]) -> Iterator[Family]:
    streams: Mapping[str, Mapping[str, Any]] = status["streams"]

    def counted(name: str, text: str, values: Iterable[tuple[Labels, float]]) -> Family:
        samples = [Sample(value=value, labels=labels) for labels, value in values]
        return Family(f"forwarder_stream_{name}_total", MetricType.COUNTER, text, samples)

    def each(key: str) -> Iterator[tuple[Labels, float]]:
        return (({"stream": name}, stream[key]) for name, stream in streams.items())

    yield _labelled(
        "stream_open",
        "Whether the stream is connected.",
        [({"stream": name}, int(stream["condition"] == "open")) for name, stream in streams.items()],
    )
    yield counted("connections", "Connections that were opened.", each("connections"))
    yield counted(
        "ends",
        "Connections that ended and tries that failed, by why; renewed: replaced as planned.",
        [
            ({"stream": name, "kind": kind}, count)
            for name, stream in streams.items()
            for kind, count in stream["ends"].items()
        ],
    )
    yield counted("events", "Copies of events that it brought.", each("events"))
    yield counted("wins", "Events that it brought before the other streams.", each("wins"))
    yield counted(
        "misses",
        "Events that another stream brought and this one did not, while it was open or away.",
        [
            ({"stream": name, "while": when}, stream[f"missed_{when}"])
            for name, stream in streams.items()
            for when in ("open", "away")
        ],
    )
    yield Family(
        "forwarder_stream_behind_seconds",
        MetricType.SUMMARY,
        "How long after the first copy of an event its copy came.",
        [
            sample
            for name, stream in streams.items()
            if stream["copies"]
            for sample in _summary(stream["behind_ms"], {"stream": name})
        ],
    )
    yield _labelled(
        "stream_last_event_timestamp_seconds",
        "When it brought its last event, in Unix time.",
        [({"stream": name}, _unix(stream["last_event"])) for name, stream in streams.items() if stream["last_event"]],
    )
    yield Family(
        "forwarder_event_lag_seconds",
        MetricType.SUMMARY,
        "From the timestamp of an event to its arrival, by source.",
        [sample for source, lag in status["lag_ms"].items() for sample in _summary(lag, {"source": source})],
    )


def _of_destinations(status: Mapping[str, Any]) -> Iterator[Family]:
    lanes: Mapping[str, Mapping[str, Any]] = status["destinations"]
    for key, name, text in (
        ("waiting", "waiting", "Deliveries still to be made, those under way included."),
        ("dead", "dead_letters", "Dead letters that are kept, those that expired included."),
    ):
        if status[key] is not None:
            counted = {**dict.fromkeys(lanes, 0), **status[key]}
            yield _each(name, text, counted)
    yield _labelled(
        "destination_breaker_state",
        "1 for the state that the circuit breaker is in.",
        [
            ({"destination": name, "state": state}, int(lane["breaker"] == state))
            for name, lane in lanes.items()
            for state in BreakerState
        ],
    )
    yield _each(
        "paused", "Whether it is paused.", {name: int(lane["paused"] is not None) for name, lane in lanes.items()}
    )
    yield _each(
        "reachable_from_here",
        "0 while nothing can be sent by no fault of the receiver.",
        {name: int(lane["ours"] is None) for name, lane in lanes.items()},
    )
    yield _each(
        "held_seconds",
        "How much longer the receiver wants nothing.",
        {name: lane["held_for_s"] or 0 for name, lane in lanes.items()},
    )
    yield _each("attempts_under_way", "Attempts being made.", {name: lane["under_way"] for name, lane in lanes.items()})
    yield _each(
        "failing_since_timestamp_seconds",
        "Since when nothing but failures came, in Unix time; absent where the last attempt was delivered.",
        {name: _unix(lane["failing_since"]) for name, lane in lanes.items() if lane["failing_since"] is not None},
    )
    canaries = {name: lane["canary"] for name, lane in lanes.items() if lane["canary"] is not None}
    yield _each(
        "canary_missed",
        "Whether its last canary was late or given up.",
        {name: int(canary["missed"]) for name, canary in canaries.items()},
    )
    arrived = {name: canary for name, canary in canaries.items() if canary["last_at"] is not None}
    yield _each(
        "canary_seconds",
        "From posting the last canary that arrived to its 2xx.",
        {name: canary["last_ms"] / 1000 for name, canary in arrived.items()},
    )
    yield _each(
        "canary_timestamp_seconds",
        "When the last canary arrived, in Unix time.",
        {name: _unix(canary["last_at"]) for name, canary in arrived.items()},
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
    return datetime.fromisoformat(at).timestamp()
