"""Which deliveries a lane gets: what is due, oldest first, each once."""

import asyncio
from datetime import timedelta

from forwarder.core.delivery import Delivery, DeliveryStatus, DestinationName
from forwarder.core.dispatch.priority import Priority
from forwarder.outbox.store import OutboxStore
from tests.contracts.support import Store
from tests.support.outbox import BOT, NOW, attempt, keep


def enqueue(outbox: OutboxStore, count: int, *, in_flight: bool = False) -> list[Delivery]:
    status = DeliveryStatus.IN_FLIGHT if in_flight else DeliveryStatus.PENDING
    return [keep(outbox, number, status) for number in range(count)]


async def test_deliveries_are_claimed_as_they_were_stored_oldest_first(outbox: OutboxStore) -> None:
    kept = enqueue(outbox, 5)
    claim = await outbox.claim(BOT, now=NOW, limit=3)
    assert claim.deliveries == kept[:3]
    assert claim.next_due == NOW
    assert (await outbox.claim(BOT, now=NOW, limit=10)).deliveries == kept[3:]
    assert await outbox.claim(BOT, now=NOW, limit=10) == (await outbox.claim(DestinationName("x"), now=NOW, limit=1))


async def test_a_delivery_of_a_lane_is_not_claimed_until_a_restart_makes_it_pending(store: Store) -> None:
    async with store.open() as outbox:
        kept = enqueue(outbox, 1, in_flight=True)
        assert (await outbox.claim(BOT, now=NOW, limit=10)).deliveries == []
    async with store.open() as outbox:
        assert await outbox.recover() == {BOT: 1}
        assert (await outbox.claim(BOT, now=NOW, limit=10)).deliveries == kept


async def test_a_delivery_that_is_not_due_waits_and_the_claim_reports_its_time(outbox: OutboxStore) -> None:
    (delivery,) = enqueue(outbox, 1, in_flight=True)
    at = NOW + timedelta(seconds=30)
    outbox.reschedule(delivery, attempt(503), at=at, keep=False)
    claim = await outbox.claim(BOT, now=NOW, limit=1)
    assert (claim.deliveries, claim.next_due) == ([], at)
    (again,) = (await outbox.claim(BOT, now=at, limit=1)).deliveries
    assert again.attempts == 1


async def test_an_early_claim_includes_what_is_not_due_yet_but_no_first_words_that_wait(outbox: OutboxStore) -> None:
    later, waits = keep(outbox, 0), keep(outbox, 1, DeliveryStatus.PENDING, waits_until=NOW + timedelta(hours=1))
    outbox.reschedule(later, attempt(503), at=NOW + timedelta(hours=1), keep=False)
    claim = await outbox.claim(BOT, now=NOW, limit=10, is_early=True)
    assert [delivery.event_seq for delivery in claim.deliveries] == [later.event_seq]
    after = await outbox.claim(BOT, now=NOW + timedelta(hours=2), limit=10, is_early=True)
    assert [delivery.event_seq for delivery in after.deliveries] == [waits.event_seq]


async def test_what_has_waited_says_so_until_its_first_attempt_has_failed(store: Store) -> None:
    until = NOW + timedelta(hours=1)
    async with store.open() as outbox:
        keep(outbox, 0, DeliveryStatus.PENDING, waits_until=until)
        (waited,) = (await outbox.claim(BOT, now=until, limit=1)).deliveries
        assert waited.waits_until == until
        keep(outbox, 1, DeliveryStatus.PENDING, waits_until=until)
        keep(outbox, 2, DeliveryStatus.PENDING)
    async with store.open() as outbox:  # which has it from where it is stored
        await outbox.recover()
        claim = await outbox.claim(BOT, now=until, limit=9)
        assert {each.event_seq: each.waits_until for each in claim.deliveries} == {1: until, 2: until, 3: None}
        again = next(each for each in claim.deliveries if each.event_seq == 2)
        outbox.reschedule(again, attempt(503), at=until, keep=False)
        (retried,) = (await outbox.claim(BOT, now=until, limit=9)).deliveries
        assert retried.event_seq == 2
        assert retried.waits_until is None


async def test_two_claims_at_the_same_time_never_return_the_same_delivery(outbox: OutboxStore) -> None:
    enqueue(outbox, 30)
    claims = await asyncio.gather(*(outbox.claim(BOT, now=NOW, limit=10) for _ in range(4)))
    numbers = [delivery.event_seq for claim in claims for delivery in claim.deliveries]
    assert sorted(numbers) == list(range(1, 31))


async def test_a_delivery_that_its_lane_keeps_is_claimed_only_after_its_release(outbox: OutboxStore) -> None:
    kept, given = keep(outbox, 0), keep(outbox, 1)
    outbox.reschedule(kept, attempt(503), at=NOW, keep=True)
    outbox.reschedule(given, attempt(503), at=NOW, keep=False)
    assert [delivery.event_seq for delivery in (await outbox.claim(BOT, now=NOW, limit=10)).deliveries] == [2]
    outbox.release(kept)
    assert [delivery.event_seq for delivery in (await outbox.claim(BOT, now=NOW, limit=10)).deliveries] == [1]
    assert (await outbox.claim(BOT, now=NOW, limit=10)).deliveries == []


async def test_with_a_priority_only_deliveries_that_have_it_are_claimed(store: Store) -> None:
    """Whether they are in memory, on disk, or left by an earlier process."""
    async with store.open() as outbox:
        for number in range(6):
            keep(outbox, number, DeliveryStatus.PENDING, is_high=number % 3 == 2)
        first = await outbox.claim(BOT, now=NOW, limit=1, priority=Priority.HIGH)
        assert [delivery.event_seq for delivery in first.deliveries] == [3]
        assert first.deliveries[0].is_high
    async with store.open() as outbox:
        await outbox.recover()
        high = await outbox.claim(BOT, now=NOW, limit=1, priority=Priority.HIGH)
        assert ([delivery.event_seq for delivery in high.deliveries], high.next_due) == ([3], NOW)
        normal = await outbox.claim(BOT, now=NOW, limit=3, priority=Priority.NORMAL)
        assert [delivery.event_seq for delivery in normal.deliveries] == [1, 2, 4]
        early = await outbox.claim(BOT, now=NOW, limit=5, is_early=True, priority=Priority.NORMAL)
        assert [delivery.event_seq for delivery in early.deliveries] == [5]
        assert [delivery.event_seq for delivery in (await outbox.claim(BOT, now=NOW, limit=5)).deliveries] == [6]


async def test_the_order_keys_of_what_has_a_high_priority_are_known(store: Store) -> None:
    async with store.open() as outbox:
        keep(outbox, 0, DeliveryStatus.PENDING, order_key="x:1")
        keep(outbox, 1, DeliveryStatus.PENDING, order_key="x:2", is_high=True)
        keep(outbox, 2, DeliveryStatus.PENDING, is_high=True)
        assert await outbox.high_order_keys(BOT) == ["x:2"]
    async with store.open() as outbox:
        await outbox.recover()
        assert await outbox.high_order_keys(BOT) == ["x:2"]
