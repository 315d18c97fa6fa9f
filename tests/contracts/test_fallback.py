"""What waits too long gets a delivery to another destination: once, and accounted for."""

from datetime import timedelta

from forwarder.core.commands import SLICE
from forwarder.core.delivery import Trigger
from forwarder.core.history import Query
from forwarder.core.ports import FallbackSlice
from forwarder.outbox.store import OutboxStore
from tests.contracts.support import Store
from tests.support.outbox import BOT, NOW, attempt, keep

LATER = NOW + timedelta(hours=1)


async def fall_back(outbox: OutboxStore, *, after: timedelta = timedelta(), of: str = BOT) -> int:
    """Apply all slices, and return how many deliveries were added."""
    count, after_seq, is_last = 0, 0, False
    while not is_last:
        done = await outbox.fall_back(
            FallbackSlice(of=of, to="spare", before=LATER - after, now=LATER, after_seq=after_seq)
        )
        assert done.destinations == (("spare",) if done.changed else ())
        count, after_seq, is_last = count + done.changed, done.last_seq, done.is_last
    return count


async def test_what_waits_is_added_once_and_stays_where_it_is(store: Store) -> None:
    async with store.open() as outbox:
        waiting, held, done = (keep(outbox, number) for number in range(3))
        outbox.reschedule(waiting, attempt(503), at=LATER, keep=False)
        outbox.complete(done, attempt(200))
        assert await fall_back(outbox) == 2
        assert await fall_back(outbox) == 0
        outbox.release(held)
    async with store.open() as outbox:  # also after a restart
        assert await fall_back(outbox) == 0
        claim = await outbox.claim(claimed := type(BOT)("spare"), now=LATER, limit=10)
        assert [each.trigger for each in claim.deliveries] == [Trigger.FALLBACK] * 2
        assert {each.destination for each in claim.deliveries} == {claimed}
    with store.history() as history:
        found = [(each["destination"], each["status"]) for each in history.deliveries(Query())]
    assert sorted(found) == [
        (BOT, "delivered"),
        (BOT, "pending"),
        (BOT, "pending"),
        ("spare", "pending"),
        ("spare", "pending"),
    ]
    assert store.is_balanced


async def test_what_is_young_or_of_another_destination_is_left_alone(store: Store) -> None:
    async with store.open() as outbox:
        keep(outbox, 0)
        assert await fall_back(outbox, after=timedelta(hours=2)) == 0
        assert await fall_back(outbox, of="another") == 0
        assert await fall_back(outbox) == 1
    assert store.is_balanced


async def test_many_are_added_in_slices(store: Store) -> None:
    async with store.open() as outbox:
        for number in range(SLICE + 3):
            keep(outbox, number)
        assert await fall_back(outbox) == SLICE + 3
    assert store.is_balanced
