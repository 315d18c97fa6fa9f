"""What waits follows a changed order, on disk and in memory."""

import asyncio
from pathlib import Path

from forwarder.core.delivery import DeliveryStatus
from forwarder.core.dispatch.ordering import Order
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.outbox import BOT, NOW, keep
from tests.support.process import look
from tests.support.write_faults import READ_ONLY, WriteFaults


async def test_an_order_is_put_in_memory_while_nothing_can_be_written(path: Path, faults: WriteFaults) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0, DeliveryStatus.PENDING)
        assert await outbox.settle()
        faults.left = [READ_ONLY] * 1_000
        keep(outbox, 1, DeliveryStatus.PENDING)
        assert not await outbox.settle()
        async with asyncio.timeout(10):
            assert await outbox.put_in_order(BOT, Order.STRICT) == ["*"]
            claim = await outbox.claim_in_order(BOT, "*", now=NOW, limit=9)
        assert [delivery.event_seq for delivery in claim.deliveries] == [1, 2]
        faults.left = []
    assert look(path, "SELECT order_key FROM deliveries") == [("*",), ("*",)]
