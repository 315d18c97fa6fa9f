"""What is due by the steady time, in a file whose events were accepted by a wall clock that was set meanwhile."""

from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from forwarder.core.books import Entry
from forwarder.core.changes import Replay
from forwarder.core.clock_steps import ClockStep
from forwarder.core.delivery import DeliveryStatus, new_delivery
from forwarder.outbox.access import reading
from forwarder.outbox.connection import FileSettings
from forwarder.outbox.history import Query, deliveries
from forwarder.outbox.sqlite import SqliteOutbox, open_outbox
from forwarder.outbox.statements import to_ms
from forwarder.recall import recent_events
from tests.support.outbox import BOT, EVENTS, NOW, attempt
from tests.support.process import look

HOUR = timedelta(hours=1)
STEPS = pytest.mark.parametrize("by", [-2 * HOUR, 24 * HOUR, timedelta(days=3650)], ids=str)


def bring(outbox: SqliteOutbox, number: int, *, steady: datetime, wall: datetime) -> None:
    """Keep an event that is accepted at that time, with a pending delivery."""
    event, seq = EVENTS[number], outbox.new_seq()
    delivery = new_delivery(event, BOT, ("r",), event_seq=seq, accepted_at=steady)
    outbox.enqueue(event, seq, {DeliveryStatus.PENDING: [delivery]}, entry=Entry.MATCHED, now=wall, read_at=monotonic())


def set_by(outbox: SqliteOutbox, by: timedelta, *, at: datetime = NOW) -> None:
    outbox.note_clock_steps(outbox.clock_steps.plus(ClockStep(at=at, by=by, first_seq=outbox.next_seq())))


@STEPS
async def test_what_is_claimed_is_as_old_as_it_is(tmp_path: Path, by: timedelta) -> None:
    path = tmp_path / "outbox.db"
    async with open_outbox(FileSettings(path=path)) as outbox:
        bring(outbox, 0, steady=NOW, wall=NOW)
        set_by(outbox, by)
        bring(outbox, 1, steady=NOW + HOUR, wall=NOW + HOUR + by)
    async with open_outbox(FileSettings(path=path)) as outbox:
        claim = await outbox.claim(BOT, now=NOW + HOUR, limit=10)
        assert [delivery.accepted_at for delivery in claim.deliveries] == [NOW, NOW + HOUR]
        assert outbox.latest_steady == NOW + HOUR
    assert look(path, "SELECT accepted_ms FROM events ORDER BY seq") == [(to_ms(NOW),), (to_ms(NOW + HOUR + by),)]


@STEPS
async def test_what_is_brought_forward_is_due_then_and_brought_forward_once(tmp_path: Path, by: timedelta) -> None:
    path = tmp_path / "outbox.db"
    async with open_outbox(FileSettings(path=path)) as outbox:
        bring(outbox, 0, steady=NOW, wall=NOW)
        set_by(outbox, by)
        bring(outbox, 1, steady=NOW, wall=NOW + by)
        for delivery in (await outbox.claim(BOT, now=NOW, limit=2)).deliveries:
            outbox.reschedule(delivery, attempt(503), at=NOW + 10 * HOUR, keep=False)
        await outbox.writer.settle()
        for _ in range(3):
            await outbox.expedite(BOT, now=NOW + timedelta(seconds=1))
        assert len((await outbox.claim(BOT, now=NOW + timedelta(seconds=1), limit=10)).deliveries) == 2
    assert look(path, "SELECT DISTINCT expedited FROM deliveries") == [(1,)]


@STEPS
async def test_a_person_reads_and_says_times_of_the_wall_clock(tmp_path: Path, by: timedelta) -> None:
    path = tmp_path / "outbox.db"
    async with open_outbox(FileSettings(path=path)) as outbox:
        set_by(outbox, by)
        bring(outbox, 0, steady=NOW, wall=NOW + by)
        (delivery,) = (await outbox.claim(BOT, now=NOW, limit=1)).deliveries
        outbox.complete(delivery, attempt(200))
        await outbox.writer.settle()
        start = NOW + by + HOUR
        asked = Replay(to=BOT, since_ms=0, until_ms=1 << 52, start_ms=to_ms(start), rate=1.0)
        assert (await outbox.change(asked)).changed == 1
        claim = await outbox.claim(BOT, now=NOW, limit=1)
        assert claim.next_due == NOW + HOUR
    with reading(path) as connection:
        (found,) = deliveries(connection, Query())
    assert datetime.fromisoformat(found["due_at"]) == start


@STEPS
async def test_what_came_before_is_known_after_a_restart(tmp_path: Path, by: timedelta) -> None:
    """Also where the clock is set while nothing runs."""
    path = tmp_path / "outbox.db"
    async with open_outbox(FileSettings(path=path)) as outbox:
        bring(outbox, 0, steady=NOW, wall=NOW)
        set_by(outbox, by)
        bring(outbox, 1, steady=NOW + HOUR / 60, wall=NOW + HOUR / 60 + by)
    async with open_outbox(FileSettings(path=path)) as outbox:
        set_by(outbox, -by)  # it is set right, or wrong again
        now = NOW + HOUR / 30
        recent = await recent_events(outbox, timedelta(minutes=30), lambda: now)
        assert not recent.is_new(EVENTS[0].id, now=now)
        assert not recent.is_new(EVENTS[1].id, now=now)
