"""What an earlier process had in flight is pending again, in memory or, where it is much, on disk."""

from pathlib import Path

import pytest

from forwarder.core.delivery import DeliveryStatus, DestinationName
from forwarder.outbox.sqlite import recovery
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.outbox import BOT, NOW, attempt, keep
from tests.support.process import look


@pytest.mark.parametrize("most_in_memory", [20_000, 2], ids=["in memory", "on disk"])
async def test_everything_in_flight_is_pending_and_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch, most_in_memory: int
) -> None:
    monkeypatch.setattr(recovery, "_MAX_IN_FLIGHT", most_in_memory)
    async with open_outbox(FileSettings(path=path)) as outbox:
        for number in range(3):
            keep(outbox, number)
        keep(outbox, 3, DeliveryStatus.PENDING)
        outbox.complete(keep(outbox, 4), attempt(200))
    async with open_outbox(FileSettings(path=path)) as outbox:
        assert await outbox.recover() == {BOT: 4}
        assert len((await outbox.claim(BOT, now=NOW, limit=9)).deliveries) == 4
        assert dict(look(path, "SELECT status, count(*) FROM deliveries GROUP BY 1")) == {"pending": 4, "delivered": 1}


async def test_where_nothing_was_in_flight_only_what_waits_is_counted(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        assert await outbox.recover() == {}
        keep(outbox, 0, DeliveryStatus.PENDING)
    async with open_outbox(FileSettings(path=path)) as outbox:
        commits = outbox.health().commits
        assert await outbox.recover() == {DestinationName("bot"): 1}
        assert outbox.health().commits == commits
