"""First words that wait for their full text, and what replaces them."""

import asyncio
from pathlib import Path

import pytest

from forwarder.core.delivery import DeliveryStatus
from forwarder.outbox.sqlite.file import disk_space
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.outbox import BOT, NOW, audit, keep
from tests.support.process import look
from tests.support.write_faults import FULL, WriteFaults


async def test_what_a_full_text_replaces_ends_in_one_transaction_with_it_and_is_not_claimed_before(
    path: Path, faults: WriteFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk is full the first word is pending there: after a crash it goes, as the full text is not on disk either."""
    monkeypatch.setattr(disk_space, "_is_enough", lambda *_: False)
    states = "SELECT group_concat(status) FROM deliveries"
    async with open_outbox(FileSettings(path=path)) as outbox:
        first = keep(outbox, 0, DeliveryStatus.PENDING, waits_until=NOW)
        assert await outbox.settle()
        faults.left = [FULL] * 3
        assert outbox.replace(BOT, first.event_seq, now=NOW)
        keep(outbox, 1)
        while faults.left:
            assert look(path, states) == [("pending",)]
            claim = await outbox.claim(BOT, now=NOW, limit=9)
            assert claim.deliveries == []
            await asyncio.sleep(0.01)
        await outbox._queue.ask(lambda _connection: None)
        assert look(path, states) == [("skipped,in_flight",)]
        assert (await outbox.claim(BOT, now=NOW, limit=9)).deliveries == []
    assert audit(path).is_balanced


async def test_one_that_is_replaced_in_memory_is_written_once_and_never_claimed(
    path: Path, faults: WriteFaults
) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        faults.left = [FULL] * 2
        first = keep(outbox, 0, DeliveryStatus.PENDING, waits_until=NOW)
        assert outbox.replace(BOT, first.event_seq, now=NOW)
        keep(outbox, 1)
        while faults.left:
            assert (await outbox.claim(BOT, now=NOW, limit=9)).deliveries == []
            await asyncio.sleep(0.01)
    assert look(path, "SELECT status, reason FROM deliveries") == [("skipped", "preferred"), ("in_flight", None)]
    assert audit(path).is_balanced
