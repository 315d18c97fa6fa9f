"""Damage that is met late."""

from pathlib import Path

import pytest

from forwarder.core.delivery import DeliveryStatus
from forwarder.outbox.problems import OutboxFailedError
from forwarder.outbox.sqlite.file import integrity
from forwarder.outbox.sqlite.file.connection import PAGE_SIZE, FileSettings
from forwarder.outbox.sqlite.file.integrity import Check, check_at_start
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.outbox import BOT, EVENTS, NOW, audit, keep


async def fill(path: Path) -> int:
    async with open_outbox(FileSettings(path=path)) as outbox:
        for number in range(len(EVENTS)):
            keep(outbox, number, DeliveryStatus.PENDING)
    return len(EVENTS)


def pages_of(path: Path, kind: int) -> list[int]:
    """The numbers, from 0, of the pages that begin so."""
    content = path.read_bytes()
    return [at // PAGE_SIZE for at in range(0, len(content), PAGE_SIZE) if content[at] == kind and at // PAGE_SIZE != 1]


def page_with(path: Path, text: bytes) -> int:
    return path.read_bytes().index(text) // PAGE_SIZE


def zero(path: Path, page: int) -> None:
    with path.open("r+b") as file:
        file.seek(page * PAGE_SIZE)
        file.write(bytes(PAGE_SIZE))


async def test_bodies_of_a_large_file_are_checked_beside_delivery_and_damage_is_salvaged_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrity, "SMALL_FILE_BYTES", 0)
    path = tmp_path / "outbox.db"
    count = await fill(path)
    zero(path, page_with(path, EVENTS[0].body))
    assert check_at_start(path) is Check.ALL_BUT_BODIES
    async with open_outbox(FileSettings(path=path)) as outbox:
        with pytest.raises(ExceptionGroup) as failure:
            await outbox.watch()
        assert failure.group_contains(OutboxFailedError, match="next start")
    assert check_at_start(path) is Check.ALL
    async with open_outbox(FileSettings(path=path)) as outbox:
        claim = await outbox.claim(BOT, now=NOW, limit=2 * count)
        assert 0 < len(claim.deliveries) < count
    assert check_at_start(path) is Check.ALL_BUT_BODIES
    assert audit(path).is_balanced


async def test_damage_met_by_a_claim_ends_the_daemon_and_the_next_start_reads_everything(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    await fill(path)
    async with open_outbox(FileSettings(path=path)) as outbox:
        zero(path, page_with(path, EVENTS[0].body))
        await outbox._database.run(lambda connection: connection.execute("PRAGMA shrink_memory"))
        with pytest.raises(OutboxFailedError, match="damaged"):
            await outbox.claim(BOT, now=NOW, limit=100)
    assert path.with_name("outbox.db.check").exists()
    async with open_outbox(FileSettings(path=path)):
        assert not path.with_name("outbox.db.check").exists()
