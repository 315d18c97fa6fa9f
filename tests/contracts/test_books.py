"""The ledger: every event and delivery is accounted for, also after the history was pruned."""

from datetime import timedelta

from forwarder.core.delivery import DeliveryStatus
from forwarder.core.history import Query
from forwarder.core.ledger import LedgerEntry, SkipReason
from tests.contracts.support import Store
from tests.support.outbox import NOW, attempt, keep, keep_unmatched


async def test_the_same_event_after_the_dedupe_window_is_another_one(store: Store) -> None:
    async with store.open() as outbox:
        first, again = keep(outbox, 0), keep(outbox, 0, at=NOW + timedelta(hours=1))
        assert first.id == again.id
        outbox.bury(first, attempt(400), reason="r")
        outbox.complete(again, attempt(200))
    with store.history() as history:
        found = list(history.deliveries(Query()))
    assert [each["status"] for each in found] == ["delivered", "dead"]
    assert store.is_balanced


async def test_everything_is_accounted_for_in_every_way_an_event_can_go(store: Store) -> None:
    async with store.open() as outbox:
        outbox.complete(keep(outbox, 0), attempt(200))
        outbox.bury(keep(outbox, 1), attempt(400), reason="r")
        keep(outbox, 2, DeliveryStatus.PENDING)
        keep(outbox, 3, SkipReason.DISABLED)
        keep_unmatched(outbox, 4)
        outbox.count_duplicate(now=NOW)
        await outbox.prune(delivered_before=NOW + timedelta(days=1), dead_before=NOW)
    with store.history() as history:
        found, incomplete = history.audit()
    assert found.is_balanced
    assert incomplete == []
    assert (found.entry(LedgerEntry.SEEN), found.entry(LedgerEntry.DUPLICATE), found.entry(LedgerEntry.PLANNED)) == (
        6,
        1,
        4,
    )
    assert (found.ended_as("delivered"), found.ended_as("disabled"), found.ended_as("dead")) == (1, 1, 1)
    assert found.waiting == 1
    assert found.entries["pruned event"] == 3


async def test_pruning_deletes_what_was_closed_long_ago_and_never_what_waits(store: Store) -> None:
    async with store.open() as outbox:
        done, dead, pending = (keep(outbox, number) for number in range(3))
        keep_unmatched(outbox, 3)
        outbox.complete(done, attempt(200))
        outbox.bury(dead, attempt(400), reason="r")
        outbox.reschedule(pending, attempt(503), at=NOW, keep=False)
        later = NOW + timedelta(days=1)
        assert await outbox.prune(delivered_before=NOW, dead_before=NOW) == 0
        assert await outbox.prune(delivered_before=later, dead_before=NOW) == 2  # delivered, and unmatched
        assert await outbox.prune(delivered_before=later, dead_before=later) == 1
    with store.history() as history:
        assert [each["status"] for each in history.deliveries(Query())] == ["pending"]
        assert len(list(history.events(Query()))) == 1
    assert store.is_balanced
