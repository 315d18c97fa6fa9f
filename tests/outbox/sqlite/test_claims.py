"""What a search for deliveries finds: in the file, in memory, and where the two differ."""

from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.core.clock_steps import ClockSteps
from forwarder.core.delivery import Delivery, DeliveryStatus
from forwarder.core.dispatch.ordering import Order
from forwarder.outbox.sqlite import claims
from forwarder.outbox.sqlite.access import reading
from forwarder.outbox.sqlite.claims import MemoryView, claim_due, claim_next, lease
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.row_cache import RowCache
from tests.support.outbox import BOT, NOW, attempt, keep
from tests.support.process import look
from tests.support.write_faults import FULL, READ_ONLY, WriteFaults


async def fill(path: Path, *keys: str | None) -> None:
    """Store a pending delivery for each order key."""
    async with open_outbox(FileSettings(path=path)) as outbox:
        for number, key in enumerate(keys):
            keep(outbox, number, DeliveryStatus.PENDING, order_key=key)


def empty_memory() -> MemoryView:
    return MemoryView(rows=RowCache(), events={}, clock_steps=ClockSteps())


def due(memory: MemoryView, *, limit: int = 9) -> claims.Search:
    return claim_due(memory, BOT, now=NOW, limit=limit, is_early=False, order=Order.NONE, is_settled=True)


async def test_where_memory_is_short_only_the_oldest_events_on_disk_are_searched(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "OLDEST", 2)
    await fill(path, None, None, None)
    search = due(empty_memory())
    with reading(path) as connection:
        assert [one.delivery.event_seq for one in search(connection, False).found] == [1, 2, 3]
        assert [one.delivery.event_seq for one in search(connection, True).found] == [1, 2]


async def test_the_same_holds_for_an_order_key(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "OLDEST", 2)
    await fill(path, "a", "a", "a")
    search = claim_next(empty_memory(), BOT, "a", due_before=None, limit=9)
    with reading(path) as connection:
        assert [one.delivery.event_seq for one in search(connection, False).found] == [1, 2, 3]
        found = search(connection, True)
    assert [one.delivery.event_seq for one in found.found] == [1, 2]
    assert found.next_due_ms is not None


async def test_the_bodies_that_are_taken_at_once_of_an_order_key_are_limited(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "_LINE_BYTES", 1)
    await fill(path, "a", "a")
    with reading(path) as connection:
        found = claim_next(empty_memory(), BOT, "a", due_before=None, limit=9)(connection, False)
    assert [one.delivery.event_seq for one in found.found] == [1]  # but always one
    assert found.next_due_ms is not None


def test_without_the_file_nothing_of_an_order_is_found() -> None:
    found = claim_next(empty_memory(), BOT, "a", due_before=None, limit=9)(None, False)
    assert (found.found, found.is_read) == ([], False)
    found = due(empty_memory())(None, False)
    assert (found.found, found.is_read) == ([], False)


async def test_a_row_that_two_searches_found_is_leased_once(path: Path) -> None:
    await fill(path, None, None)
    memory = empty_memory()
    with reading(path) as connection:
        first, second = (due(memory)(connection, False).found for _ in range(2))
    assert [delivery.event_seq for delivery in lease(memory.rows, first[:1])] == [1]
    assert [delivery.event_seq for delivery in lease(memory.rows, second)] == [2]
    with reading(path) as connection:
        assert due(memory)(connection, False).found == []


async def test_while_nothing_can_be_written_first_words_are_claimed_when_their_wait_is_over_and_in_order(
    path: Path, faults: WriteFaults
) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        faults.left = [FULL] * 100
        keep(outbox, 0, DeliveryStatus.PENDING, waits_until=NOW)
        later = keep(outbox, 1, DeliveryStatus.PENDING, waits_until=NOW + timedelta(seconds=1))
        assert not await outbox.settle()
        claim = await outbox.claim(BOT, now=NOW, limit=9, order=Order.STRICT)
        assert [(each.event_seq, each.order_key) for each in claim.deliveries] == [(later.event_seq - 1, "*")]
        faults.left = []
        outbox.complete(claim.deliveries[0], attempt(200))
    assert look(path, "SELECT status, order_key FROM deliveries") == [("delivered", "*"), ("pending", None)]


@pytest.mark.parametrize("key", [None, "x:1"], ids=["loose", "in order"])
async def test_deliveries_on_disk_are_claimed_in_their_newest_state_while_nothing_can_be_written(
    path: Path, faults: WriteFaults, key: str | None
) -> None:
    """One that failed is tried again, and what comes after one that ended follows it, though the file has both as they were."""

    async def claim() -> Delivery:
        if key is None:
            found = await outbox.claim(BOT, now=NOW, limit=1)
        else:
            found = await outbox.claim_in_order(BOT, key, now=NOW, limit=1)
        (delivery,) = found.deliveries
        return delivery

    async with open_outbox(FileSettings(path=path)) as outbox:
        for number in range(2):
            keep(outbox, number, DeliveryStatus.PENDING, order_key=key)
        assert await outbox.settle()
        faults.left = [READ_ONLY] * 1_000
        keep(outbox, 2, DeliveryStatus.PENDING, order_key=key)
        assert not await outbox.settle()
        first = await claim()
        outbox.reschedule(first, attempt(503), at=NOW, keep=False)
        again = await claim()
        assert (again.event_seq, again.attempts) == (1, 1)
        outbox.complete(again, attempt(200, 2))
        assert (await claim()).event_seq == 2
        faults.left = []
    assert look(path, "SELECT event_seq, status, attempts FROM deliveries") == [
        (1, "delivered", 2),
        (2, "pending", 0),
        (3, "pending", 0),
    ]
