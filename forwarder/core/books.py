"""The books: what came in stands on one side, what became of it on the other, and nothing may be left over.

The one side is counted as events arrive, in the transaction that keeps them; the other is what lies in the outbox now, plus
what was pruned from it. Pure: numbers in, findings out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from forwarder.core.delivery import DeliveryStatus


class Entry(StrEnum):
    """What is counted as it happens, by the minute in which its event was accepted."""

    SEEN = "seen"
    MATCHED = "matched"
    UNMATCHED = "unmatched"
    DOUBLE = "double"
    PLANNED = "planned"
    """Deliveries that the matching routes asked for: one for each destination of each matched event."""
    REPLAYED = "replayed"
    """Deliveries that a person added to an event by a replay."""
    OWN = "own"
    """Events of our own: failure notices, digests, canaries. They come from no stream, and no route matches them."""


@dataclass(slots=True)
class Minute:
    """What came in of the events of one minute, before it is written: the entries but `REPLAYED`, as numbers."""

    seen: int = 0
    matched: int = 0
    unmatched: int = 0
    double: int = 0
    planned: int = 0
    own: int = 0

    def entries(self) -> dict[Entry, int]:
        """Return those that are not zero."""
        counts = {
            Entry.SEEN: self.seen,
            Entry.MATCHED: self.matched,
            Entry.UNMATCHED: self.unmatched,
            Entry.DOUBLE: self.double,
            Entry.PLANNED: self.planned,
            Entry.OWN: self.own,
        }
        return {entry: count for entry, count in counts.items() if count}


class Cause(StrEnum):
    """Why a delivery ends as skipped: by a rule, or by a person."""

    DISABLED = "disabled"
    HELD_BACK = "held back"
    DROPPED = "dropped"
    PREFERRED = "preferred"
    """Its routes want one event of a post, and the destination gets the other one."""
    SAMPLED = "sampled"
    """Every route that chose its destination sends a sample, and its post is in none of them."""
    LIMITED = "limited"
    """Every route that chose its destination held it back, one of them by its limit."""
    MISSED_CANARY = "missed canary"
    """It was given up. That is told when it happens; among the dead letters it would be in the way."""


THINNED = frozenset({Cause.SAMPLED, Cause.LIMITED})
"""By these, `sample` and `limit` of the routes hold back what they match."""

PRUNED = "pruned "
"""Begins the entries of what was pruned: `pruned event`, `pruned delivered`, `pruned dead`, `pruned disabled`, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A line of the books that does not balance: what one side says, and what the other."""

    what: str
    expected: int
    found: int

    @property
    def remainder(self) -> int:
        """How many are missing (above zero) or too many (below zero)."""
        return self.expected - self.found


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Both sides of the books since some moment."""

    entries: Mapping[str, int]
    events: int
    """Events in the outbox."""
    deliveries: Mapping[str, int]
    """Deliveries in the outbox by status; a skipped one by its cause."""
    incomplete_events: int
    """Events in the outbox that have not as many deliveries as were planned for them."""
    findings: tuple[Finding, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "findings", tuple(self._find()))

    def entry(self, name: Entry) -> int:
        """Return what was counted under a name."""
        return self.entries.get(name, 0)

    def ended_as(self, name: str) -> int:
        """Return how many deliveries are delivered, dead, or skipped for a cause; pruned ones included."""
        return self.deliveries.get(name, 0) + self.entries.get(PRUNED + name, 0)

    @property
    def waiting(self) -> int:
        """Deliveries that are still to be made."""
        return self.deliveries.get(DeliveryStatus.PENDING, 0) + self.deliveries.get(DeliveryStatus.IN_FLIGHT, 0)

    @property
    def is_balanced(self) -> bool:
        """Whether nothing is left over."""
        return not self.findings

    def _find(self) -> list[Finding]:
        accepted = self.entry(Entry.MATCHED) + self.entry(Entry.UNMATCHED)
        ends = (DeliveryStatus.DELIVERED, DeliveryStatus.DEAD, DeliveryStatus.EXPIRED, *Cause)
        lines = (
            Finding(
                what="events seen = matched + unmatched + doubles",
                expected=self.entry(Entry.SEEN),
                found=accepted + self.entry(Entry.DOUBLE),
            ),
            Finding(
                what="events accepted = kept + pruned",
                expected=accepted + self.entry(Entry.OWN),
                found=self.events + self.entries.get(PRUNED + "event", 0),
            ),
            Finding(
                what="deliveries planned = delivered + waiting + dead + skipped",
                expected=self.entry(Entry.PLANNED) + self.entry(Entry.REPLAYED),
                found=self.waiting + sum(self.ended_as(name) for name in ends),
            ),
            Finding(what="every event kept has its deliveries", expected=0, found=self.incomplete_events),
        )
        return [line for line in lines if line.remainder]
