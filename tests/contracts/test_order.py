"""Deliveries with an order key: the oldest come first, and a changed order holds for everything that waits."""

from datetime import timedelta
from time import monotonic

import pytest

from forwarder.core.delivery import DeliveryStatus, new_delivery
from forwarder.core.dispatch.ordering import Order, order_key
from forwarder.core.event import decode_event
from forwarder.core.ledger import LedgerEntry
from forwarder.core.ports import Claim
from forwarder.outbox.store import OutboxStore
from tests.support.outbox import BOT, NOW, attempt, keep


async def test_the_oldest_of_a_key_come_first_and_wait_for_the_first(outbox: OutboxStore) -> None:
    kept = [keep(outbox, number, DeliveryStatus.PENDING, order_key="a") for number in range(3)]
    keep(outbox, 3, DeliveryStatus.PENDING, order_key="b")
    assert (await outbox.claim(BOT, now=NOW, limit=9)).deliveries == []  # they have an order
    assert (await outbox.claim_in_order(BOT, "a", now=NOW, limit=2)).deliveries == kept[:2]
    busy = await outbox.claim_in_order(BOT, "a", now=NOW, limit=2)
    assert busy.deliveries == []
    assert busy.next_due is not None
    outbox.release(kept[1])
    at = NOW + timedelta(hours=1)
    outbox.reschedule(kept[0], attempt(503), at=at, keep=False)
    assert await outbox.claim_in_order(BOT, "a", now=NOW, limit=2) == Claim(deliveries=[], next_due=at)
    early = await outbox.claim_in_order(BOT, "a", now=NOW, limit=1, is_early=True)
    assert [found.event_seq for found in early.deliveries] == [1]


@pytest.mark.parametrize(
    ("before", "after", "keys"),
    [
        (Order.NONE, Order.SID, ["x:1", "x:2"]),
        (Order.NONE, Order.STRICT, ["*"]),
        (Order.SID, Order.STRICT, ["*"]),
        (Order.STRICT, Order.NONE, []),
    ],
)
async def test_what_waits_follows_a_changed_order(
    outbox: OutboxStore, before: Order, after: Order, keys: list[str]
) -> None:
    for number, (source, sid) in enumerate([("x", "1"), ("fast-x", "1"), ("x", "2")]):
        body = f'{{"mid":"{number}","sid":"{sid}","source":"{source}","timestamp":1,"payload":{{}}}}'.encode()
        event = decode_event(body)
        key = order_key(before, source=source, sid=sid)
        delivery = new_delivery(event, BOT, ("r",), event_seq=outbox.new_seq(), accepted_at=NOW, order_key=key)
        outbox.enqueue(
            event,
            delivery.event_seq,
            {DeliveryStatus.PENDING: [delivery]},
            entry=LedgerEntry.MATCHED,
            now=NOW,
            read_at=monotonic(),
        )
    assert await outbox.put_in_order(BOT, after) == keys
    loose = (await outbox.claim(BOT, now=NOW, limit=9)).deliveries
    assert len(loose) == (3 if after is Order.NONE else 0)
