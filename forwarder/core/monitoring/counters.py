"""Counts events, deliveries and attempts since the start, so that everything that came in is accounted for."""

from collections import Counter
from dataclasses import asdict, dataclass, field

from forwarder.core.counted import counted
from forwarder.core.event import NotAnEvent

_KEYS = {"duplicates": "doubles"}
"""The keys in logs and in `status --json` that are not the names of the attributes."""


@dataclass(slots=True)
class Counters:
    """What happened since the start. `seen` is the sum of `matched`, `unmatched` and `duplicates`."""

    seen: int = 0
    matched: int = 0
    unmatched: int = 0
    duplicates: int = 0
    """Copies of events that had already come in."""
    recovered: int = 0
    """Events that no stream brought and a gap repair fetched. They are part of `seen`."""
    skipped: int = 0
    """Deliveries that were not made because the destination is disabled or already has the other event of the post."""
    sampled: int = 0
    """Deliveries that were not made because their routes send only a sample."""
    limited: int = 0
    """Deliveries that were not made because of the limits of their routes."""
    delivered: int = 0
    failed_attempts: int = 0
    postponed: int = 0
    """Attempts that failed for a local reason, such as no network here; they do not count as failed."""
    dead: int = 0
    expired: int = 0
    missed_canaries: int = 0
    """Canaries that were given up; they count neither as dead nor as expired."""
    odd_frames: Counter[NotAnEvent] = field(default_factory=Counter)
    """Frames that are not events, by kind. They are not part of `seen`."""

    def summary(self) -> str:
        """Return a line for people."""
        return f"{counted(self.seen, 'event')} seen, {self.delivered} delivered, {self.dead} dead"

    def as_fields(self) -> dict[str, object]:
        """Return the counts as fields of a log line."""
        odd_frames = {str(kind): count for kind, count in self.odd_frames.items()}
        counts = asdict(self) | {"odd_frames": odd_frames}
        return {_KEYS.get(name, name): count for name, count in counts.items()}
