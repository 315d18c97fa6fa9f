"""The ledger: everything that came in is accounted for, or the difference is named."""

from collections.abc import Mapping

import pytest

from forwarder.core.ledger import PRUNED, Audit, LedgerEntry, MinuteCounts, SkipReason

BALANCED: Mapping[str, int] = {
    LedgerEntry.SEEN: 10,
    LedgerEntry.MATCHED: 6,
    LedgerEntry.UNMATCHED: 1,
    LedgerEntry.DUPLICATE: 3,
    LedgerEntry.OWN: 1,
    LedgerEntry.PLANNED: 8,
    LedgerEntry.REPLAYED: 2,
    PRUNED + "event": 2,
    PRUNED + "delivered": 3,
    PRUNED + SkipReason.LIMITED: 1,
}
DELIVERIES = {"delivered": 2, "pending": 1, "in_flight": 1, "dead": 1, SkipReason.SAMPLED: 1}


def audit(
    entries: Mapping[str, int] = BALANCED, *, events: int = 6, deliveries: Mapping[str, int] = DELIVERIES, odd: int = 0
) -> Audit:
    return Audit(entries=entries, events=events, deliveries=deliveries, incomplete_events=odd)


def test_pruned_rows_and_skipped_deliveries_are_accounted_for() -> None:
    found = audit()
    assert found.is_balanced
    assert (found.waiting, found.ended_as("delivered"), found.ended_as(SkipReason.LIMITED)) == (2, 5, 1)
    assert found.entry(LedgerEntry.SEEN) == 10


@pytest.mark.parametrize(
    ("found", "what", "remainder"),
    [
        (audit({**BALANCED, LedgerEntry.SEEN: 11}), "events seen = matched + unmatched + duplicates", 1),
        (audit(events=7), "events accepted = kept + pruned", -1),
        (
            audit(deliveries={**DELIVERIES, "delivered": 1}),
            "deliveries planned = delivered + waiting + dead + skipped",
            1,
        ),
        (audit(odd=2), "every event kept has its deliveries", -2),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_difference_is_named(found: Audit, what: str, remainder: int) -> None:
    assert not found.is_balanced
    assert [(line.what, line.remainder) for line in found.findings] == [(what, remainder)]


def test_only_counts_that_are_not_zero_are_entries_and_the_key_of_duplicates_is_the_stored_one() -> None:
    assert MinuteCounts(seen=3, duplicate=2, own=1).entries() == {"seen": 3, "double": 2, "own": 1}
