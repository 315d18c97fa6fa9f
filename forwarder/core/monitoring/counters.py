"""Counts events, deliveries and attempts since the start, so that everything that came in is accounted for."""

from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields

from forwarder.core.counted import counted
from forwarder.core.delivery import DestinationName
from forwarder.core.event import NotAnEvent

_APART = ("matches", "skipped_by", "odd_frames")
"""What is counted by name, and is too much for a log line as it is."""
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
    matches: Counter[str] = field(default_factory=Counter)
    """Events by the route that matched them, whether it sent them or not. An event may match several routes."""
    skipped_by: Counter[DestinationName] = field(default_factory=Counter)
    """Deliveries that were not made, for any of the reasons above, by destination."""

    def summary(self) -> str:
        """Return a line for people."""
        return f"{counted(self.seen, 'event')} seen, {self.delivered} delivered, {self.dead} dead"

    def as_fields(self) -> dict[str, object]:
        """Return the counts as fields of a log line."""
        names = (each.name for each in fields(self) if each.name not in _APART)
        counts: dict[str, object] = {_KEYS.get(name, name): getattr(self, name) for name in names}
        return counts | {"odd_frames": {str(kind): count for kind, count in self.odd_frames.items()}}

    def follow(self, routes: AbstractSet[str], destinations: AbstractSet[DestinationName]) -> None:
        """Forget what was counted for names that are no longer in the config."""
        for route in self.matches.keys() - routes:
            del self.matches[route]
        for destination in self.skipped_by.keys() - destinations:
            del self.skipped_by[destination]
