"""How a stream is, and what was counted of it since the start: what `status` and the metrics show."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from forwarder.core.histogram import Histogram


class StreamCondition(StrEnum):
    """What a stream is doing."""

    CONNECTING = "connecting"
    """It is being opened, for the first time or again."""
    OPEN = "open"
    WAITING = "waiting"
    """It waits until the next try; `reason` says why the last one failed."""
    YIELDED = "yielded"
    """Another connection with its key has replaced it again and again: it is tried only every quarter of an hour."""


@dataclass(slots=True)
class StreamState:
    """Holds the condition and the counters of one stream. The supervisor writes those of its connections, ingest those of its events."""

    name: str
    condition: StreamCondition = StreamCondition.CONNECTING
    since: datetime | None = None
    """Since when it is in this condition."""
    away_since: datetime | None = None
    """Since when it has not been open; `None` if it is open, or if nothing was tried yet."""
    reason: str = ""
    """Why it is not open; a sentence without secrets."""
    fault: str | None = None
    """The kind of fault for which it is not open."""
    next_try_at: datetime | None = None
    connections: int = 0
    """How many connections were opened."""
    ends: Counter[str] = field(default_factory=Counter)
    """Connections that ended, and tries that failed, by the kind of fault; planned ends are `renewed`."""
    last_heard: datetime | None = None
    """When anything at all was last received, on any of its connections."""

    events: int = 0
    """Events that it brought, duplicates included."""
    sources: dict[str, int] = field(default_factory=dict)
    """The same by their sources: of these there are only so many."""
    last_event: datetime | None = None
    wins: int = 0
    """Events that it brought first, where several streams run."""
    copies: int = 0
    """Events that it brought after another stream had."""
    behind: Histogram = field(default_factory=Histogram)
    """How long after the first copy its own copies came."""
    missed_open: int = 0
    """Events of other streams that it did not bring though it was open."""
    missed_away: int = 0
    """Events of other streams that came while it was not open."""

    @property
    def is_open(self) -> bool:
        """Whether events can come."""
        return self.condition is StreamCondition.OPEN

    def change(self, condition: StreamCondition, *, reason: str, fault: str | None, now: datetime) -> None:
        """Enter a condition. In the one that it is in already, only the reason changes; no next try is known any more."""
        if condition is not self.condition or self.since is None:
            self.condition, self.since = condition, now
            if condition is StreamCondition.OPEN:
                self.away_since = None
            elif self.away_since is None:
                self.away_since = now
        self.reason, self.next_try_at, self.fault = reason, None, fault

    def note_removed(self) -> None:
        """Note that a reload has removed the stream from the config. If another one adds it again, only its counters are those of before."""
        self.condition, self.since, self.away_since = StreamCondition.CONNECTING, None, None
        self.reason, self.next_try_at, self.fault = "", None, None


class StreamStates:
    """Keeps the state of each stream by its name. A reload does not change it."""

    def __init__(self) -> None:
        self._states: dict[str, StreamState] = {}

    def of(self, name: str) -> StreamState:
        """Return the state of the stream of that name; one that is not known yet begins now."""
        if name not in self._states:
            self._states[name] = StreamState(name)
        return self._states[name]

    def by_name(self) -> Mapping[str, StreamState]:
        """Return all of them, as they are now and will be."""
        return self._states
