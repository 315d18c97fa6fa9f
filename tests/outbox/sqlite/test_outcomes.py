"""What is on disk after each outcome of an attempt."""

from datetime import timedelta

from forwarder.core.delivery import Delivery, DeliveryStatus
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from forwarder.outbox.sqlite.statements import MAX_EXPEDITED
from tests.support.outbox import BOT, NOW, attempt, keep


def enqueue(outbox: SqliteOutbox, count: int, *, in_flight: bool = False) -> list[Delivery]:
    status = DeliveryStatus.IN_FLIGHT if in_flight else DeliveryStatus.PENDING
    return [keep(outbox, number, status) for number in range(count)]


async def test_expediting_makes_what_waits_due_at_once_but_only_so_often(outbox: SqliteOutbox) -> None:
    (delivery,) = enqueue(outbox, 1, in_flight=True)
    for _ in range(MAX_EXPEDITED):
        outbox.reschedule(delivery, attempt(503), at=NOW + timedelta(hours=2), keep=False)
        await outbox.expedite(BOT, now=NOW)
        assert (await outbox.claim(BOT, now=NOW, limit=1)).deliveries
    outbox.reschedule(delivery, attempt(503), at=NOW + timedelta(hours=2), keep=False)
    await outbox.expedite(BOT, now=NOW)
    assert (await outbox.claim(BOT, now=NOW, limit=1)).deliveries == []
