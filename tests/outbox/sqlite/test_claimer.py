"""Claims alongside a file that fails: they are answered, and no delivery is claimed twice."""

import asyncio
import sqlite3
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.core.delivery import DeliveryStatus
from forwarder.core.ports import Claim
from forwarder.outbox.sqlite import writer as writer_module
from forwarder.outbox.sqlite.batch import Batch
from forwarder.outbox.sqlite.file import database as database_module
from forwarder.outbox.sqlite.file import disk_space
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.transactions import Step
from tests.support.outbox import BOT, NOW, attempt, audit, keep
from tests.support.write_faults import FULL, IOERR, WriteFaults


async def test_a_claim_beside_a_file_that_is_opened_again_finds_nothing_and_comes_again(
    path: Path, faults: WriteFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0, DeliveryStatus.PENDING)
        assert await outbox.settle()
        database = outbox._writer._database
        reopen, claims = database.reopen, []

        async def reopen_beside_a_claim() -> None:
            await database.close()
            claims.append(await outbox.claim(BOT, now=NOW, limit=1))
            await reopen()

        monkeypatch.setattr(database, "reopen", reopen_beside_a_claim)
        faults.left = [IOERR]
        keep(outbox, 1)
        await outbox._queue.ask(lambda connection: connection.total_changes)
        (claim,) = claims
        assert claim.deliveries == []
        assert claim.next_due is not None
        assert len((await outbox.claim(BOT, now=NOW, limit=1)).deliveries) == 1


async def test_a_claim_is_answered_when_a_full_disk_had_its_rows_written_earlier(
    path: Path, faults: WriteFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk outcomes go into the batch under way: the next one, for which the claim waits, is then empty."""
    async with open_outbox(FileSettings(path=path)) as outbox:
        deliveries = [keep(outbox, number) for number in range(3)]
        await outbox._queue.ask(lambda connection: connection.total_changes)
        claims: list[asyncio.Future[Claim]] = []
        has_claimed = asyncio.Event()
        write = faults.write

        def write_beside_outcomes(batch: Batch, connection: sqlite3.Connection, before_commit: Step[None]) -> None:
            if batch.events and not claims:
                asyncio.run_coroutine_threadsafe(end_and_claim(), loop).result()
            write(batch, connection, before_commit)

        async def end_and_claim() -> None:
            for delivery in deliveries:
                outbox.complete(delivery, attempt(200))
            claims.append(asyncio.ensure_future(outbox.claim(BOT, now=NOW, limit=1)))
            await asyncio.sleep(0)
            has_claimed.set()

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(faults, "write", write_beside_outcomes)
        monkeypatch.setattr(disk_space, "_is_enough", lambda *_: False)
        faults.left = [FULL]
        keep(outbox, 5, DeliveryStatus.PENDING)
        async with asyncio.timeout(90):
            await has_claimed.wait()
            await claims[0]
    assert audit(path).is_balanced


async def test_while_the_disk_does_not_answer_what_is_in_memory_is_claimed_and_the_health_is_reported(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the file system is frozen: calls neither return nor fail."""
    monkeypatch.setattr(database_module, "STUCK_S", 0.1)
    monkeypatch.setattr(writer_module, "_TICK", timedelta(seconds=0.05))
    thaws = threading.Event()
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0, DeliveryStatus.PENDING)
        assert await outbox.settle()
        frozen = asyncio.ensure_future(outbox._database.run(lambda _connection: thaws.wait()))
        await asyncio.sleep(0)
        try:
            keep(outbox, 1, DeliveryStatus.PENDING)
            async with asyncio.timeout(10):
                assert not await outbox.settle()
                claim = await outbox.claim(BOT, now=NOW, limit=9)
            assert [delivery.event_seq for delivery in claim.deliveries] == [2]
            assert claim.next_due is not None
            assert "has not answered" in str(outbox.health().trouble)
        finally:
            thaws.set()
        await frozen
        outbox.complete(claim.deliveries[0], attempt(200))
        await outbox._queue.ask(lambda _connection: None)
        assert outbox.health().trouble is None
        assert [delivery.event_seq for delivery in (await outbox.claim(BOT, now=NOW, limit=9)).deliveries] == [1]
    assert audit(path).is_balanced
