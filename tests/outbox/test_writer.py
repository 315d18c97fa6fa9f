"""What the writer does when the disk fails, by failures put between it and a real file."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from forwarder.core.delivery import Delivery, DeliveryStatus
from forwarder.core.order import Order
from forwarder.core.ports import Claim
from forwarder.outbox import room
from forwarder.outbox import sqlite as sqlite_module
from forwarder.outbox import writer as writer_module
from forwarder.outbox.batch import Batch
from forwarder.outbox.connection import FileSettings
from forwarder.outbox.problems import OutboxFailedError
from forwarder.outbox.sqlite import open_outbox
from tests.support.outbox import BOT, NOW, attempt, audit, keep
from tests.support.process import look

BUSY, IOERR, FULL = sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_FULL
READ_ONLY = sqlite3.SQLITE_READONLY
_write = Batch.write


class Faults:
    """Has the next writes of batches with events fail, before or after they are committed."""

    def __init__(self) -> None:
        self.left: list[int] = []
        self.is_after = False
        self.is_for_all = False
        """Batches without events fail, too."""
        self.tried = 0

    def write(self, batch: Batch, connection: sqlite3.Connection) -> None:
        if not ((batch.events or self.is_for_all) and self.left):
            _write(batch, connection)
            return
        self.tried += 1
        if self.is_after:
            _write(batch, connection)
        code = self.left.pop(0)
        error = sqlite3.OperationalError(f"put there by a test: {code}")
        error.sqlite_errorcode = code
        raise error


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    made = Faults()
    monkeypatch.setattr(Batch, "write", lambda *arguments: made.write(*arguments))  # noqa: PLW0108 - becomes a method
    return made


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


@pytest.mark.parametrize(
    ("codes", "is_after", "is_told"),
    [
        ([BUSY, BUSY], False, False),
        ([IOERR], False, True),
        ([IOERR, IOERR], False, True),
        ([IOERR], True, True),
        ([FULL], False, True),
        ([IOERR, BUSY, FULL, IOERR], False, True),
    ],
    ids=["busy", "failed", "failed twice", "failed and yet on disk", "full", "one after the other"],
)
async def test_a_batch_that_fails_is_written_once(
    path: Path, faults: Faults, logged: list[EventDict], *, codes: list[int], is_after: bool, is_told: bool
) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        faults.left, faults.is_after = list(codes), is_after
        keep(outbox, 0)
        await outbox.writer.ask(lambda connection: connection.total_changes)
        assert outbox.writer.trouble is None
    assert faults.left == []
    assert (len(look(path, "SELECT * FROM events")), audit(path).is_balanced) == (1, True)
    assert [line["event"] for line in logged] == (["outbox.degraded", "outbox.recovered"] if is_told else [])


async def test_a_claim_beside_a_file_that_is_opened_anew_finds_nothing_and_comes_again(
    path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0, DeliveryStatus.PENDING)
        assert await outbox.writer.settle()
        database = outbox.writer._database
        reopen, claims = database.reopen, []

        async def reopen_beside_a_claim() -> None:
            await database.close()
            claims.append(await outbox.claim(BOT, now=NOW, limit=1))
            await reopen()

        monkeypatch.setattr(database, "reopen", reopen_beside_a_claim)
        faults.left = [IOERR]
        keep(outbox, 1)
        await outbox.writer.ask(lambda connection: connection.total_changes)
        (claim,) = claims
        assert claim.deliveries == []
        assert claim.next_due is not None
        assert len((await outbox.claim(BOT, now=NOW, limit=1)).deliveries) == 1


async def test_a_claim_is_answered_when_a_full_disk_had_its_rows_written_earlier(
    path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk outcomes go into the batch under way: the next one, for which the claim waits, is then empty."""
    async with open_outbox(FileSettings(path=path)) as outbox:
        deliveries = [keep(outbox, number) for number in range(3)]
        await outbox.writer.ask(lambda connection: connection.total_changes)
        claims: list[asyncio.Future[Claim]] = []
        has_claimed = asyncio.Event()
        write = faults.write

        def write_beside_outcomes(batch: Batch, connection: sqlite3.Connection) -> None:
            if batch.events and not claims:
                asyncio.run_coroutine_threadsafe(end_and_claim(), loop).result()
            write(batch, connection)

        async def end_and_claim() -> None:
            for delivery in deliveries:
                outbox.complete(delivery, attempt(200))
            claims.append(asyncio.ensure_future(outbox.claim(BOT, now=NOW, limit=1)))
            await asyncio.sleep(0)
            has_claimed.set()

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(faults, "write", write_beside_outcomes)
        monkeypatch.setattr(room, "_is_enough", lambda *_: False)
        faults.left = [FULL]
        keep(outbox, 5, DeliveryStatus.PENDING)
        async with asyncio.timeout(90):
            await has_claimed.wait()
            await claims[0]
    assert audit(path).is_balanced


async def test_a_disk_that_fails_three_times_in_a_row_ends_the_outbox(path: Path, faults: Faults) -> None:
    async def until_it_ends() -> None:
        async with open_outbox(FileSettings(path=path)) as outbox:
            faults.left = [IOERR] * 9
            keep(outbox, 0)
            await outbox.watch()

    with pytest.raises(OutboxFailedError, match="failed 3 times in a row"):
        await until_it_ends()
    assert faults.tried == 3
    assert look(path, "SELECT * FROM events") == []


async def test_what_cannot_be_written_at_the_end_is_named(
    path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "CLOSING_S", 0.2)

    async def until_it_ends() -> None:
        async with open_outbox(FileSettings(path=path)) as outbox:
            faults.left = [FULL] * 100
            keep(outbox, 0)

    with pytest.raises(OutboxFailedError, match=r"1 events and .* deliveries were in memory alone"):
        await until_it_ends()


async def test_a_reopened_file_has_its_wal_moved(path: Path, faults: Faults) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        faults.left, faults.is_after = [IOERR], True
        keep(outbox, 0)
        await outbox.writer.ask(lambda _connection: None)
        wal = path.with_name("outbox.db-wal")
        moved = path.read_bytes()
        assert moved[-4096:] != b"\x00" * 4096
        connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)  # without its WAL
        try:
            assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)
        finally:
            connection.close()
        assert wal.exists()


async def test_what_a_full_text_replaces_ends_in_one_transaction_with_it_and_is_not_claimed_before(
    path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk is full the first word is pending there: after a crash it goes, as the full text is not on disk either."""
    monkeypatch.setattr(room, "_is_enough", lambda *_: False)
    states = "SELECT group_concat(status) FROM deliveries"
    async with open_outbox(FileSettings(path=path)) as outbox:
        first = keep(outbox, 0, DeliveryStatus.PENDING, waits_until=NOW)
        assert await outbox.writer.settle()
        faults.left = [FULL] * 3
        assert outbox.replace(BOT, first.event_seq, now=NOW)
        keep(outbox, 1)
        while faults.left:
            assert look(path, states) == [("pending",)]
            claim = await outbox.claim(BOT, now=NOW, limit=9)
            assert claim.deliveries == []
            await asyncio.sleep(0.01)
        await outbox.writer.ask(lambda _connection: None)
        assert look(path, states) == [("skipped,in_flight",)]
        assert (await outbox.claim(BOT, now=NOW, limit=9)).deliveries == []
    assert audit(path).is_balanced


async def test_one_that_is_replaced_in_memory_is_written_once_and_never_claimed(path: Path, faults: Faults) -> None:
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


async def test_while_nothing_can_be_written_what_waited_goes_when_it_is_due_in_its_place(
    path: Path, faults: Faults
) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        faults.left = [FULL] * 100
        keep(outbox, 0, DeliveryStatus.PENDING, waits_until=NOW)
        later = keep(outbox, 1, DeliveryStatus.PENDING, waits_until=NOW + timedelta(seconds=1))
        assert not await outbox.writer.settle()
        claim = await outbox.claim(BOT, now=NOW, limit=9, order=Order.STRICT)
        assert [(each.event_seq, each.order_key) for each in claim.deliveries] == [(later.event_seq - 1, "*")]
        faults.left = []
        outbox.complete(claim.deliveries[0], attempt(200))
    assert look(path, "SELECT status, order_key FROM deliveries") == [("delivered", "*"), ("pending", None)]


async def test_while_the_disk_does_not_answer_what_is_in_memory_is_claimed_and_the_health_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the file system is frozen: calls neither return nor fail."""
    monkeypatch.setattr(writer_module, "STUCK_S", 0.1)
    monkeypatch.setattr(sqlite_module, "STUCK_S", 0.1)
    monkeypatch.setattr(writer_module, "_TICK_S", 0.05)
    thaws = threading.Event()
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0, DeliveryStatus.PENDING)
        assert await outbox.writer.settle()
        frozen = asyncio.ensure_future(outbox._database.run(lambda _connection: thaws.wait()))
        await asyncio.sleep(0)
        try:
            keep(outbox, 1, DeliveryStatus.PENDING)
            async with asyncio.timeout(10):
                assert not await outbox.writer.settle()
                claim = await outbox.claim(BOT, now=NOW, limit=9)
            assert [delivery.event_seq for delivery in claim.deliveries] == [2]
            assert claim.next_due is not None
            assert "has not answered" in str(outbox.health()["trouble"])
        finally:
            thaws.set()
        await frozen
        outbox.complete(claim.deliveries[0], attempt(200))
        await outbox.writer.ask(lambda _connection: None)
        assert outbox.health()["trouble"] is None
        assert [delivery.event_seq for delivery in (await outbox.claim(BOT, now=NOW, limit=9)).deliveries] == [1]
    assert audit(path).is_balanced


@pytest.mark.parametrize("key", [None, "x:1"], ids=["loose", "in order"])
async def test_what_is_on_disk_goes_on_from_there_while_nothing_can_be_written(
    path: Path, faults: Faults, key: str | None
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
        assert await outbox.writer.settle()
        faults.left = [READ_ONLY] * 1_000
        keep(outbox, 2, DeliveryStatus.PENDING, order_key=key)
        assert not await outbox.writer.settle()
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


async def test_an_order_is_put_in_memory_while_nothing_can_be_written(path: Path, faults: Faults) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0, DeliveryStatus.PENDING)
        assert await outbox.writer.settle()
        faults.left = [READ_ONLY] * 1_000
        keep(outbox, 1, DeliveryStatus.PENDING)
        assert not await outbox.writer.settle()
        async with asyncio.timeout(10):
            assert await outbox.put_in_order(BOT, Order.STRICT) == ["*"]
            claim = await outbox.claim_in_order(BOT, "*", now=NOW, limit=9)
        assert [delivery.event_seq for delivery in claim.deliveries] == [1, 2]
        faults.left = []
    assert look(path, "SELECT order_key FROM deliveries") == [("*",), ("*",)]


async def test_a_start_does_not_wait_for_a_write(path: Path, faults: Faults) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0)
    assert look(path, "SELECT status FROM deliveries") == [("in_flight",)]
    async with open_outbox(FileSettings(path=path)) as outbox:
        faults.left, faults.is_for_all = [BUSY] * 1_000, True
        recovering = asyncio.ensure_future(outbox.recover())
        async with asyncio.timeout(10):
            assert await recovering == {BOT: 1}
            assert await outbox.gaps.unended_gaps() == []
            claim = await outbox.claim(BOT, now=NOW, limit=9)
        assert [delivery.event_seq for delivery in claim.deliveries] == [1]
        faults.left = []
        outbox.complete(claim.deliveries[0], attempt(200))
    assert look(path, "SELECT status FROM deliveries") == [("delivered",)]
