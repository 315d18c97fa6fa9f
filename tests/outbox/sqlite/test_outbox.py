"""The rules of the outbox as a whole: which requests go ahead of others on a full disk, and what the operator sees."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from forwarder.core.commands import Change, DeadLetterChange, PauseChange, Replay
from forwarder.core.delivery import DeliveryStatus
from forwarder.core.gaps.gap import Gap, Repair
from forwarder.core.history import FOREVER_MS
from forwarder.outbox.sqlite.file import disk_space
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.outbox import BOT, NOW, attempt, audit, keep
from tests.support.process import look
from tests.support.write_faults import FULL, WriteFaults

DROP = DeadLetterChange(verb="dead_drop", since_ms=0, until_ms=FOREVER_MS, start_ms=0, rate=1.0)
PAUSE = PauseChange(verb="pause", destination=BOT, now_ms=5)
REPLAY = Replay(to="other", since_ms=0, until_ms=FOREVER_MS, start_ms=0, rate=1.0)


@pytest.mark.parametrize("asked", [DROP, PAUSE], ids=["drop", "pause"])
async def test_a_request_that_may_free_room_is_carried_out_while_the_disk_is_full(
    path: Path, faults: WriteFaults, monkeypatch: pytest.MonkeyPatch, asked: Change
) -> None:
    monkeypatch.setattr(disk_space, "_is_enough", lambda *_: False)
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.bury(keep(outbox, 0), attempt(400), reason="r")
        assert await outbox.settle()
        faults.left = [FULL] * 1_000
        keep(outbox, 1)
        assert not await outbox.settle()
        replay = asyncio.ensure_future(outbox.change(REPLAY))
        async with asyncio.timeout(20):
            await outbox.change(asked)
        assert not replay.done()  # it makes more deliveries
        assert (outbox.health().health, outbox.health().trouble) == ("degraded", outbox.trouble)
        faults.left = []
        await replay
        assert await outbox.settle()
        assert (outbox.health().health, outbox.health().trouble) == ("ok", None)
    assert audit(path).is_balanced


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE deliveries SET trigger = 'odd', routes = 'no JSON'",
        "UPDATE deliveries SET routes = '[1]', due_ms = -FAR",
        "UPDATE events SET accepted_ms = FAR",
        "UPDATE events SET accepted_ms = -FAR",
        "UPDATE destinations SET paused_by = 'odd', paused_ms = NULL, failing_since_ms = FAR, told_ms = -FAR",
        "UPDATE gaps SET repair = 'odd', began_ms = FAR",
        "INSERT OR REPLACE INTO state VALUES ('last_heard', FAR), ('clock step x y', 5), ('clock older', FAR)",
    ],
)
async def test_values_that_were_never_written_so_stop_no_delivery(path: Path, damage: str) -> None:
    """The pages of such a file are in order, so it is not salvaged."""
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0, DeliveryStatus.PENDING)
        await outbox.change(PAUSE)
        gap = Gap(id=outbox.gaps.new_gap_id(), stream="s", began=NOW, noticed=NOW, reason="r", repair=Repair.PENDING)
        outbox.gaps.note_gap(gap)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(damage.replace("FAR", str(10**17)))
    async with open_outbox(FileSettings(path=path)) as outbox:
        assert await outbox.recover() == {BOT: 1}
        assert BOT in await outbox.known_destinations()
        assert len(await outbox.gaps.unended_gaps()) == ("gaps" not in damage)
        assert len(await outbox.gaps.gaps_to_repair()) <= 1
        await outbox.recent_posts(since=NOW, limit=10)
        claim = await outbox.claim(BOT, now=NOW, limit=10)
        for delivery in claim.deliveries:
            outbox.complete(delivery, attempt(200))
        assert len(claim.deliveries) == 1
    assert look(path, "SELECT status FROM deliveries") == [("delivered",)]
