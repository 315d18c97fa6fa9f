"""A record of gaps in memory."""

from dataclasses import dataclass, field
from datetime import datetime

from forwarder.core.gaps.gap import Gap, GapId


@dataclass
class Book:
    """Keeps gaps in memory, as the outbox does on disk."""

    gaps: dict[int, Gap] = field(default_factory=dict)
    heard: datetime | None = None
    last: datetime | None = None

    def new_gap_id(self) -> GapId:
        return GapId(len(self.gaps) + 1)

    def note_gap(self, gap: Gap) -> None:
        self.gaps[gap.id] = gap

    async def unended_gaps(self) -> list[Gap]:
        return [gap for gap in self.gaps.values() if gap.ended is None]

    def note_heard(self, at: datetime) -> None:
        self.heard = at

    async def last_heard(self) -> datetime | None:
        return self.last
