"""The ledger: checks that every event and delivery is accounted for.

One side is counted as events arrive, in the transaction that stores them. The other side is what is in the outbox now, plus what was
pruned from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from forwarder.core.delivery import DeliveryStatus


class LedgerEntry(StrEnum):
    """What the ledger counts, by the minute in which the event was accepted. The values are stored in the outbox."""

    SEEN = "seen"
    MATCHED = "matched"
    UNMATCHED = "unmatched"
    DUPLICATE = "double"
    """Copies of events that had already come in."""
    PLANNED = "planned"
    """Deliveries that the matching routes asked for: one for each destination of each matched event."""
    REPLAYED = "replayed"
    """Deliveries that a person added to an event by a replay."""
    FALLBACK = "fallback"
    """Deliveries that were added because the event waited too long for another destination."""
    OWN = "own"
    """Forwarder's own events: failure notices, digests, canaries. They come from no stream, and no route matches them."""


@dataclass(slots=True)
class MinuteCounts:
    """The counts of one minute before they are written. `REPLAYED` and `FALLBACK` are counted elsewhere."""

    seen: int = 0
    matched: int = 0
    unmatched: int = 0
    duplicate: int = 0
    planned: int = 0
    own: int = 0

    def entries(self) -> dict[LedgerEntry, int]:
        """Return the counts that are not zero."""
        counts = {
            LedgerEntry.SEEN: self.seen,
            LedgerEntry.MATCHED: self.matched,
            LedgerEntry.UNMATCHED: self.unmatched,
            LedgerEntry.DUPLICATE: self.duplicate,
            LedgerEntry.PLANNED: self.planned,
            LedgerEntry.OWN: self.own,
        }
        return {entry: count for entry, count in counts.items() if count}


class SkipReason(StrEnum):
    """Why a delivery was skipped: by a rule or by a person. The values are stored in the outbox."""

    DISABLED = "disabled"
    HELD_BACK = "held back"
    DROPPED = "dropped"
    PREFERRED = "preferred"
    """Its routes want one of the two events of a post, and the destination gets the other one."""
    SAMPLED = "sampled"
    """Every route that chose the destination sends a sample, and the post is in none of the samples."""
    LIMITED = "limited"
    """No route that chose the destination sends it, at least one of them because of its limit."""
    DIGESTED = "in a digest"
    """Quiet hours kept it, and the digest at their end lists it."""
    MISSED_CANARY = "missed canary"
    """A canary that was given up. It is reported at once and is not kept as a dead letter."""


NOT_SENT_BY_RULE = frozenset({SkipReason.SAMPLED, SkipReason.LIMITED})
"""The reasons that come from `sample` and `limit` of the routes."""

NOT_MISSING = frozenset({DeliveryStatus.DELIVERED.value, SkipReason.PREFERRED, SkipReason.DIGESTED, *NOT_SENT_BY_RULE})
"""How a delivery may have ended, by its status or the reason of a skip, that a replay of what is missing leaves alone."""

PRUNED = "pruned "
"""The prefix of the entries for pruned rows: `pruned event`, `pruned delivered`, `pruned dead`, `pruned disabled`, …"""
_PRUNED_EVENT = f"{PRUNED}event"
_ADDED = (LedgerEntry.PLANNED, LedgerEntry.REPLAYED, LedgerEntry.FALLBACK)
_ENDS = (DeliveryStatus.DELIVERED, DeliveryStatus.DEAD, DeliveryStatus.EXPIRED, *SkipReason)
_KNOWN = frozenset({*_ENDS, DeliveryStatus.PENDING, DeliveryStatus.IN_FLIGHT})


class Imbalance(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the ledger that does not balance, with the numbers of both sides."""

    what: str
    expected: int
    found: int

    @property
    def remainder(self) -> int:
        """How many are missing (positive) or surplus (negative)."""
        return self.expected - self.found


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Compares both sides of the ledger since some moment."""

    entries: Mapping[str, int]
    """What was counted, by the name of the entry."""
    events: int
    """Events in the outbox."""
    deliveries: Mapping[str, int]
    """Deliveries in the outbox by status; skipped ones by their reason."""
    incomplete_events: int
    """Events in the outbox with fewer or more deliveries than were planned for them."""
    findings: tuple[Imbalance, ...] = field(init=False)
    """The lines that do not balance."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "findings", tuple(self._find()))

    def entry(self, name: LedgerEntry) -> int:
        """Return what was counted under a name."""
        return self.entries.get(name, 0)

    def ended_as(self, name: str) -> int:
        """Return how many deliveries ended with this status or skip reason, including pruned ones."""
        return self.deliveries.get(name, 0) + self.entries.get(PRUNED + name, 0)

    @property
    def unknown_ends(self) -> dict[str, int]:
        """How many deliveries ended in ways that this version does not know: a later version wrote them, or the file was damaged."""
        pruned = {
            name.removeprefix(PRUNED) for name in self.entries if name.startswith(PRUNED) and name != _PRUNED_EVENT
        }
        return {name: self.ended_as(name) for name in sorted((pruned | self.deliveries.keys()) - _KNOWN)}

    @property
    def waiting(self) -> int:
        """Deliveries that are still to be made."""
        return self.deliveries.get(DeliveryStatus.PENDING, 0) + self.deliveries.get(DeliveryStatus.IN_FLIGHT, 0)

    @property
    def is_balanced(self) -> bool:
        """Whether everything is accounted for."""
        return not self.findings

    def _find(self) -> list[Imbalance]:
        accepted = self.entry(LedgerEntry.MATCHED) + self.entry(LedgerEntry.UNMATCHED)
        lines = (
            Imbalance(
                what="events seen = matched + unmatched + duplicates",
                expected=self.entry(LedgerEntry.SEEN),
                found=accepted + self.entry(LedgerEntry.DUPLICATE),
            ),
            Imbalance(
                what="events accepted = kept + pruned",
                expected=accepted + self.entry(LedgerEntry.OWN),
                found=self.events + self.entries.get(_PRUNED_EVENT, 0),
            ),
            Imbalance(
                what="deliveries planned = delivered + waiting + dead + skipped",
                expected=sum(map(self.entry, _ADDED)),
                found=self.waiting + sum(map(self.ended_as, _ENDS)) + sum(self.unknown_ends.values()),
            ),
            Imbalance(what="every event kept has its deliveries", expected=0, found=self.incomplete_events),
        )
        return [line for line in lines if line.remainder]
