"""What was counted since the start: nothing vanishes without a counted cause."""

from collections import Counter
from dataclasses import asdict, dataclass, field

from forwarder.core.event import NotAnEvent


@dataclass(slots=True)
class Tally:
    """Seen = matched + unmatched + doubles; frames that are no events are counted apart, by kind."""

    seen: int = 0
    matched: int = 0
    unmatched: int = 0
    doubles: int = 0
    recovered: int = 0
    """Of those seen, the posts that no stream brought and the repair of a gap did."""
    skipped: int = 0
    """Deliveries not made because their destination is disabled, or has the other event of the post already."""
    sampled: int = 0
    """Deliveries not made because the routes send a sample,"""
    limited: int = 0
    """and because of their limits."""
    delivered: int = 0
    failed_attempts: int = 0
    postponed: int = 0
    """Attempts that told nothing about the receiver, and are not counted."""
    dead: int = 0
    expired: int = 0
    missed_canaries: int = 0
    """Of our own; they are neither dead nor expired."""
    odd_frames: Counter[NotAnEvent] = field(default_factory=Counter)

    def as_fields(self) -> dict[str, object]:
        """Return the counts as fields of a log line."""
        return asdict(self) | {"odd_frames": {str(kind): count for kind, count in self.odd_frames.items()}}
