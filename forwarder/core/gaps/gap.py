"""A gap: a time in which a stream was not open, whether other streams covered it, and what was recovered."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType, Protocol

import msgspec

GapId = NewType("GapId", int)


class Repair(StrEnum):
    """Says how far the repair of a gap has come."""

    OFF = "off"
    """The stream has `gap_repair: false`."""
    NOT_NEEDED = "not_needed"
    """Another stream with the same key was open all the time."""
    PENDING = "pending"
    """It is still to be done, or has to continue."""
    DONE = "done"
    PARTIAL = "partial"
    """The history does not reach back far enough, or the posts of some account could not be fetched; `note` says what is missing."""
    FAILED = "failed"
    """It was abandoned; `note` says why."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Describes one gap of a stream. Times are aware, in UTC, by the wall clock."""

    id: GapId
    stream: str
    began: datetime
    """The last sign of life before the gap: what was sent later may be missing."""
    noticed: datetime
    """When the end of the connection was noticed."""
    ended: datetime | None = None
    """When a connection was open again; `None` while the gap lasts."""
    reason: str
    """Why the stream was not open: a sentence without secrets."""
    is_covered: bool = False
    """Whether another stream was open all the time, so that nothing should be missing."""
    repair: Repair = Repair.OFF
    found: int = 0
    """How many posts of that time the history has."""
    recovered: int = 0
    """How many posts the repair brought that no stream had brought."""
    note: str = ""

    @property
    def length(self) -> timedelta | None:
        """The time from the last sign of life to the next connection."""
        return None if self.ended is None else max(self.ended - self.began, timedelta())


class GapBook(Protocol):
    """Keeps the gaps over restarts."""

    def new_gap_id(self) -> GapId:
        """Return the id for the next gap."""
        ...

    def note_gap(self, gap: Gap) -> None:
        """Keep the gap in its present state; it is written with the next commit."""
        ...

    async def unended_gaps(self) -> list[Gap]:
        """Return the gaps without an end, which an earlier process has left."""
        ...

    def note_heard(self, at: datetime) -> None:
        """Keep that a stream was open at that time; after a kill nothing later is known."""
        ...

    async def last_heard(self) -> datetime | None:
        """Return the latest time that an earlier process has kept so; `None` if there is none."""
        ...
