"""A gap: a time for which a stream was away, what of it another stream covered, and what was fetched back."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType, Protocol

GapId = NewType("GapId", int)


class Repair(StrEnum):
    """How far the repair of a gap has come."""

    OFF = "off"
    """The stream does not ask for it."""
    NOT_NEEDED = "not_needed"
    """Another stream of the same key was open all the time."""
    PENDING = "pending"
    """To be done, or done again from where it stopped."""
    DONE = "done"
    PARTIAL = "partial"
    """The history does not reach back to all of it, or some account could not be asked; `note` says what."""
    FAILED = "failed"
    """It was given up; `note` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One of a stream. Times are aware, in UTC, by the wall clock."""

    id: GapId
    stream: str
    began: datetime
    """The last sign of life before it: what was sent after this may be missing."""
    noticed: datetime
    """When it was known that the connection is gone."""
    ended: datetime | None = None
    """When a connection was open again; `None`: it lasts."""
    reason: str
    """A sentence without secrets."""
    is_covered: bool = False
    """Another stream was open all the time, so that nothing need be missing."""
    repair: Repair = Repair.OFF
    found: int = 0
    """Posts of its span that the history has."""
    recovered: int = 0
    """Those of them that no stream had brought, brought by the repair."""
    note: str = ""

    @property
    def length(self) -> timedelta | None:
        """From the last sign of life to the next connection."""
        return None if self.ended is None else max(self.ended - self.began, timedelta())

    def with_repair(self, repair: Repair, *, found: int = 0, recovered: int = 0, note: str = "") -> "Gap":
        """Return it with so much more found and recovered."""
        return replace(self, repair=repair, found=self.found + found, recovered=self.recovered + recovered, note=note)


class GapBook(Protocol):
    """Keeps the gaps, over restarts as well."""

    def new_gap_id(self) -> GapId:
        """Return the number that the next gap is kept under."""
        ...

    def note_gap(self, gap: Gap) -> None:
        """Keep it as it stands, whole; written with the next commit."""
        ...

    async def unended_gaps(self) -> list[Gap]:
        """Return those without an end: an earlier process left them."""
        ...

    def note_heard(self, at: datetime) -> None:
        """Keep that a stream was open at that time; what comes later of it is unknown after a kill."""
        ...

    async def last_heard(self) -> datetime | None:
        """Return the latest such time of an earlier process; `None`: there was none."""
        ...
