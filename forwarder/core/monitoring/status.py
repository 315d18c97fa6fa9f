"""The status of a daemon as one value: the daemon fills it, the commands and the metrics read it. Pure.

On the control socket it is JSON with the names of the fields as keys. Another version may leave keys out or add some: every field has a
default, and what is not known is not read. Moments are ISO 8601 texts in UTC, as the JSON has them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import field

from forwarder.core.histogram import Histogram


class UnreadableStatusError(ValueError):
    """A status in which a key has another type than in this version; the text names the key."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"the running forwarder is of another version, and this one cannot read its status: {problem}")


class DelaySummary(msgspec.Struct, frozen=True):
    """How long something took, over all times that it happened since the start. In milliseconds, but for the count."""

    count: int = 0
    sum: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    max: float = 0.0

    @classmethod
    def of(cls, histogram: Histogram) -> "DelaySummary":
        """Return the summary of a histogram."""
        return cls(
            count=histogram.count,
            sum=round(histogram.sum_s * 1000, 2),
            p50=round(histogram.quantile_s(0.5) * 1000, 2),
            p99=round(histogram.quantile_s(0.99) * 1000, 2),
            max=round(histogram.longest_s * 1000, 2),
        )


class RefusedConfigReport(msgspec.Struct, frozen=True):
    """An edit of the config that could not be used."""

    at: str = ""
    problems: list[str] = field(default_factory=list)
    """The first of them."""
    more: int = 0
    """How many problems are left out."""


class HangingReloadReport(msgspec.Struct, frozen=True):
    """A reload that waits for a file system which does not respond."""

    file: str = ""
    """The file that it reads."""
    since: str = ""


class ConfigReport(msgspec.Struct, frozen=True):
    """The config that is active."""

    file: str = ""
    digest: str = ""
    in_force_since: str = ""
    watched: bool = True
    """Whether a saved edit is loaded at once."""
    needs_restart: list[str] = field(default_factory=list)
    """Settings whose new values become active with the next start."""
    refused: RefusedConfigReport | None = None
    """The last edit, if it was refused."""
    reloads: int = 0
    """How many edits became active since the start."""
    reloads_refused: int = 0
    """How many were refused."""
    hangs: HangingReloadReport | None = None
    """What a reload hangs at, if one does. The active config stays active."""


class ClockJumpReport(msgspec.Struct, frozen=True):
    """The last time that the wall clock was set."""

    at: str = ""
    by_s: float = 0.0
    """Negative if it was set back."""
    ago_s: int = 0


class StreamReport(msgspec.Struct, frozen=True):
    """The state of one stream, and what it brought since the start."""

    transport: str = ""
    condition: str = ""
    """A `StreamCondition`."""
    since: str | None = None
    """When the condition began."""
    away_since: str | None = None
    """Since when it has not been open; `None` if it is open, or if nothing was tried yet."""
    reason: str | None = None
    """Why it is not open."""
    fault: str | None = None
    """The kind of fault for which it is not open."""
    next_try_at: str | None = None
    connections: int = 0
    """How many were opened."""
    ends: dict[str, int] = field(default_factory=dict)
    """Connections that ended and tries that failed, by the kind of fault."""
    last_heard: str | None = None
    events: int = 0
    """Copies of events that it brought, duplicates included."""
    last_event: str | None = None
    sources: dict[str, int] = field(default_factory=dict)
    """The same by the source of the events."""
    wins: int = 0
    """Events that it brought before the other streams."""
    share: float | None = None
    """Its part of the wins of all streams, from 0 to 1."""
    copies: int = 0
    """Events that it brought after another stream."""
    behind_ms: DelaySummary = field(default_factory=DelaySummary)
    """How long after the first copy of an event its copy came."""
    missed_open: int = 0
    """Events of other streams that it did not bring while it was open."""
    missed_away: int = 0
    """Events of other streams that came while it was not open."""


class PauseReport(msgspec.Struct, frozen=True):
    """A pause of a destination."""

    since: str = ""
    by: str = ""
    """A `PausedBy`."""
    why: str = ""
    until: str | None = None
    """When it ends by itself."""


class CanaryReport(msgspec.Struct, frozen=True):
    """The last canary of a destination."""

    every_s: float = 0.0
    last_ms: float | None = None
    """How long the last canary that arrived took."""
    last_at: str | None = None
    missed: bool = False
    """Whether the last canary is late or was given up."""
    sent: int = 0
    """How many were sent since the start."""
    in_flight: bool = False
    """Whether the last one is neither delivered nor given up."""
    reason: str | None = None
    """Why the last one is not delivered yet, or was given up: what its last attempt failed with."""


class LaneReport(msgspec.Struct, frozen=True):
    """What a lane knows of its destination: whether it may send, and how much it sends."""

    breaker: str = "closed"
    """A `BreakerState`."""
    next_probe_in_s: float | None = None
    held_for_s: float | None = None
    """How much longer the receiver wants nothing."""
    limited_for_s: float | None = None
    """How much longer the rate limit allows nothing."""
    ours: str | None = None
    """Why nothing can be sent from this machine."""
    under_way: int = 0
    """Attempts being made."""
    may_be_under_way: int = 0
    """How many may be made at the same time."""


REFUSALS = 3
"""After so many failed attempts in five minutes, with no success, a destination refuses everything."""


class RecentReport(msgspec.Struct, frozen=True):
    """How a destination did in the last five minutes. A quantile is up to 20 % too long, and `None` where there was nothing."""

    delivered: int = 0
    failed_attempts: int = 0
    """Attempts that failed and were counted as such: not those that a local fault ended."""
    success_rate: float | None = None
    """The part of the attempts that delivered, from 0 to 1; `None` if there was no attempt."""
    latency_p50_ms: float | None = None
    """From receiving an event to the 2xx for it; not of what was replayed, resent or recovered, or kept for quiet hours."""
    latency_p99_ms: float | None = None
    attempt_p50_ms: float | None = None
    """How long an attempt took, whatever its outcome was."""
    attempt_p99_ms: float | None = None


class DestinationReport(LaneReport, frozen=True):
    """The state of one destination: what its lane knows, and what outlasts a restart."""

    paused: PauseReport | None = None
    failing_since: str | None = None
    """The first failure that no success has followed."""
    last_failure: str | None = None
    """What the last attempt failed with; `None` if it was made before a restart."""
    canary: CanaryReport | None = None
    quiet_until: str | None = None
    """When its quiet hours end, if it is in some of its own."""
    recent: RecentReport = field(default_factory=RecentReport)
    """The last five minutes."""
    delivered: int = 0
    """Since the start, as the counts below."""
    failed_attempts: int = 0
    postponed: int = 0
    dead: int = 0
    expired: int = 0
    skipped: int = 0
    """Deliveries that were not made: sampled, limited, preferred, or while it was disabled."""

    @property
    def refuses_all(self) -> bool:
        """Whether its receiver answers, and has taken nothing in the last five minutes: a breaker does not open for that."""
        return self.last_failure is not None and not self.recent.delivered and self.recent.failed_attempts >= REFUSALS


class CountersReport(msgspec.Struct, frozen=True):
    """What was counted since the start: see `Counters`."""

    seen: int = 0
    matched: int = 0
    unmatched: int = 0
    doubles: int = 0
    recovered: int = 0
    skipped: int = 0
    sampled: int = 0
    limited: int = 0
    delivered: int = 0
    failed_attempts: int = 0
    postponed: int = 0
    dead: int = 0
    expired: int = 0
    missed_canaries: int = 0
    odd_frames: dict[str, int] = field(default_factory=dict)


class LogReport(msgspec.Struct, frozen=True):
    """Whether the log can be written."""

    lines_dropped: int = 0
    trouble: str | None = None
    """Why no line can be written now."""


class MemoryBacklog(msgspec.Struct, frozen=True):
    """What waits for a destination and is in memory alone."""

    waiting: int = 0
    oldest: str = ""
    """When the oldest event was received that waits."""


class HeartbeatReport(msgspec.Struct, frozen=True):
    """Whether the outside monitor can be requested."""

    last_ok_at: str | None = None
    """When it last accepted a request; `None` if it has not since the start or the last edit of its section."""
    trouble: str | None = None
    """Why the last request failed."""


class TracingReport(msgspec.Struct, frozen=True):
    """Whether the collector of traces takes spans."""

    trouble: str | None = None
    """Why it did not take the last ones."""
    spans_sent: int = 0
    spans_lost: int = 0
    """Since the start."""


class OutboxReport(msgspec.Struct, frozen=True):
    """Where the outbox is, whether it can be written, and what is not on disk yet."""

    health: str = "ok"
    """`ok`, or `degraded` while the outbox cannot be written."""
    trouble: str | None = None
    """Why it cannot be written."""
    stuck_s: float = 0.0
    """For how many seconds the disk has not answered the oldest access; 0 while it answers."""
    events_in_memory: int = 0
    """Events that are not on disk yet."""
    deliveries_in_memory: int = 0
    waiting_in_memory: dict[str, MemoryBacklog] = field(default_factory=dict)
    """What waits and is not in the file, by destination, while the outbox cannot be written; empty otherwise."""
    commits: int = 0
    commit_lag_ms: DelaySummary = field(default_factory=DelaySummary)
    """From reading an event to having it on disk."""
    wal_bytes: int = 0
    file: str = ""
    """Its path; empty from a daemon of an earlier version."""

    @property
    def is_ok(self) -> bool:
        """Whether it can be written."""
        return self.health == "ok"


class StatusReport(msgspec.Struct, frozen=True):
    """All that a daemon reports of itself."""

    version: str = ""
    pid: int = 0
    started_at: str = ""
    state: str = ""
    """`running`, `stopping` or `handing over`."""
    config: ConfigReport = field(default_factory=ConfigReport)
    clock_jumped: ClockJumpReport | None = None
    """The last jump of the clock, if it was less than a day ago."""
    streams: dict[str, StreamReport] = field(default_factory=dict)
    gap_repair_off: dict[str, str] = field(default_factory=dict)
    """Why gaps are not repaired although the config asks for it, by stream."""
    gaps: dict[str, int] = field(default_factory=dict)
    """How many gaps of each stream were recorded since the start, those of the time before it included."""
    lag_ms: dict[str, DelaySummary] = field(default_factory=dict)
    """From the timestamp of an event to its arrival, by source."""
    routes: dict[str, int] = field(default_factory=dict)
    """How many events each route matched since the start, in the order of the config."""
    destinations: dict[str, DestinationReport] = field(default_factory=dict)
    disabled: dict[str, int] = field(default_factory=dict)
    """How many deliveries each destination with `enabled: false` has missed since the start."""
    since_start: CountersReport = field(default_factory=CountersReport)
    log: LogReport = field(default_factory=LogReport)
    outbox: OutboxReport = field(default_factory=OutboxReport)
    heartbeat: HeartbeatReport | None = None
    """`None` without `heartbeat` in the config."""
    tracing: TracingReport | None = None
    """`None` without `tracing` in the config."""


class Backlog(msgspec.Struct, frozen=True):
    """What the outbox file holds, by destination."""

    waiting: dict[str, int] = field(default_factory=dict)
    """Deliveries still to be made, those under way included."""
    oldest: dict[str, str] = field(default_factory=dict)
    """When the oldest event was received that waits. That of a replay may be much older than the replay."""
    dead: dict[str, int] = field(default_factory=dict)
    """Dead letters, expired ones included."""
    recent_gaps: int = 0
    """Gaps of the last 24 hours."""
    unrepaired_gaps: int = 0
    """Those of them of which posts may be missing."""
    file_bytes: int = 0
    """The size of the file, without its WAL."""


def encode_status(report: StatusReport) -> dict[str, Any]:
    """Return a report as the control socket carries it."""
    fields: dict[str, Any] = msgspec.to_builtins(report)
    return fields


def decode_status(fields: Mapping[str, Any]) -> StatusReport:
    """Return the report that the control socket carried. Raises `UnreadableStatusError`."""
    try:
        return msgspec.convert(fields, StatusReport)
    except msgspec.ValidationError as error:
        raise UnreadableStatusError(str(error)) from None


def to_seconds(at: datetime | None) -> str | None:
    """Return a moment as text, to the second."""
    return None if at is None else at.isoformat(timespec="seconds")


def to_milliseconds(at: datetime | None) -> str | None:
    """Return a moment as text, to the millisecond."""
    return None if at is None else at.isoformat(timespec="milliseconds")
