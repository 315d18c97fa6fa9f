"""How a stream is, and what was counted of it since the start: what `status` and the metrics show."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from forwarder.core.histogram import Histogram


class StreamCondition(StrEnum):
    """What a stream is doing."""

    CONNECTING = "connecting"
    """It was not open yet, or was and is being opened again."""
    OPEN = "open"
    WAITING = "waiting"
    """Until the next try; `reason` says why the last one failed."""
    YIELDED = "yielded"
    """Another connection with its key replaced it again and again: it leaves the place to that one, but for a try every quarter of an hour."""


@dataclass(slots=True)
class StreamState:
    """One stream. The supervisor writes what is of its connections, ingest what is of its events."""

    name: str
    condition: StreamCondition = StreamCondition.CONNECTING
    since: datetime | None = None
    """When it came to be so."""
    away_since: datetime | None = None
    """Since when it has not been open; `None`: it is, or nothing was tried yet."""
    reason: str = ""
    """Why it is not open; a sentence without secrets."""
    fault: str | None = None
    """The kind of fault for which it is not open."""
    next_try_at: datetime | None = None
    connections: int = 0
    """Opened."""
    ends: Counter[str] = field(default_factory=Counter)
    """Connections that ended, and tries that failed, by the kind of fault; planned ones are `renewed`."""
    last_heard: datetime | None = None
    """Anything at all, of any of its connections."""

    events: int = 0
    """Copies of events that it brought, first ones and doubles."""
    last_event: datetime | None = None
    wins: int = 0
    """Events that it brought first, where several streams run."""
    copies: int = 0
    """Those that another one had brought."""
    behind: Histogram = field(default_factory=Histogram)
    """How long after the first copy these came."""
    missed_open: int = 0
    """Events of others that it did not bring though it was open,"""
    missed_away: int = 0
    """and those that came while it was not."""

    @property
    def is_open(self) -> bool:
        """Whether events can come."""
        return self.condition is StreamCondition.OPEN
