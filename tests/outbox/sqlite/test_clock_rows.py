"""What is due by the steady time, in a file whose events were accepted by a wall clock that was set meanwhile."""

from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from forwarder.core.clock_steps import ClockStep
from forwarder.core.delivery import DeliveryStatus, new_delivery
from forwarder.core.ledger import LedgerEntry
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.outbox import BOT, EVENTS, NOW, attempt
from tests.support.process import look

HOUR = timedelta(hours=1)
STEPS = pytest.mark.parametrize("by", [-2 * HOUR, 24 * HOUR, timedelta(days=3650)], ids=str)


def bring(outbox: SqliteOutbox, number: int, *, steady: datetime, wall: datetime) -> None:
    """Keep an event that is accepted at that time, with a pending delivery."""
    event, seq = EVENTS[number], outbox.new_seq()
    delivery = new_delivery(event, BOT, ("r",), event_seq=seq, accepted_at=steady)
    outbox.enqueue(
        event, seq, {DeliveryStatus.PENDING: [delivery]}, entry=LedgerEntry.MATCHED, now=wall, read_at=monotonic()
    )


def set_by(outbox: SqliteOutbox, by: timedelta, *, at: datetime = NOW) -> None:
    outbox.note_clock_steps(outbox.clock_steps.plus(ClockStep(at=at, by=by, first_seq=outbox.next_seq())))


@STEPS
async def test_what_is_brought_forward_is_due_then_and_brought_forward_once(tmp_path: Path, by: timedelta) -> None:
    path = tmp_path / "outbox.db"
    async with open_outbox(FileSettings(path=path)) as outbox:
        bring(outbox, 0, steady=NOW, wall=NOW)
        set_by(outbox, by)
        bring(outbox, 1, steady=NOW, wall=NOW + by)
        for delivery in (await outbox.claim(BOT, now=NOW, limit=2)).deliveries:
            outbox.reschedule(delivery, attempt(503), at=NOW + 10 * HOUR, keep=False)
        await outbox.settle()
        for _ in range(3):
            await outbox.expedite(BOT, now=NOW + timedelta(seconds=1))
        assert len((await outbox.claim(BOT, now=NOW + timedelta(seconds=1), limit=10)).deliveries) == 2
    assert look(path, "SELECT DISTINCT expedited FROM deliveries") == [(1,)]
