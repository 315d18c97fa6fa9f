"""What outlasts a restart: numbers, destinations, the memory of events, and the steps of the wall clock."""

from datetime import datetime, timedelta
from time import monotonic

import pytest

from forwarder.core.clock_steps import ClockStep
from forwarder.core.commands import PauseChange, Replay
from forwarder.core.delivery import DeliveryStatus, new_delivery
from forwarder.core.dispatch.destination_state import DestinationState, FailureStretch, Pause, PausedBy
from forwarder.core.history import Query
from forwarder.core.ledger import LedgerEntry
from forwarder.core.routing.dedupe import id_number
from forwarder.outbox.restore import recent_events
from forwarder.outbox.store import OutboxStore
from tests.contracts.support import Store, stored
from tests.support.outbox import BOT, EVENTS, NOW, attempt, keep, keep_unmatched

HOUR = timedelta(hours=1)
STEPS = pytest.mark.parametrize("by", [-2 * HOUR, 24 * HOUR, timedelta(days=3650)], ids=str)


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def bring(outbox: OutboxStore, number: int, *, steady: datetime, wall: datetime) -> None:
    """Store an event that is accepted at that time, with a pending delivery."""
    event, seq = EVENTS[number], outbox.new_seq()
    delivery = new_delivery(event, BOT, ("r",), event_seq=seq, accepted_at=steady)
    outbox.enqueue(
        event, seq, {DeliveryStatus.PENDING: [delivery]}, entry=LedgerEntry.MATCHED, now=wall, read_at=monotonic()
    )


def set_by(outbox: OutboxStore, by: timedelta, *, at: datetime = NOW) -> None:
    outbox.note_clock_steps(outbox.clock_steps.plus(ClockStep(at=at, by=by, first_seq=outbox.next_seq())))


async def test_the_numbers_of_events_go_on(store: Store) -> None:
    async with store.open() as outbox:
        assert outbox.latest_steady is None
        assert [keep(outbox, number).event_seq for number in range(3)] == [1, 2, 3]
    async with store.open() as outbox:
        assert outbox.next_seq() == 4
        assert outbox.new_seq() == 4
        assert outbox.latest_steady == NOW


async def test_recent_events_come_back_newest_first_up_to_the_limit_and_sorted(outbox: OutboxStore) -> None:
    for number in range(3):
        keep_unmatched(outbox, number, at=NOW + timedelta(minutes=number))
    await stored(outbox)
    since, until = NOW + timedelta(minutes=1), NOW + timedelta(minutes=3)
    found = await outbox.recent_events(since=since, until=until, limit=10)
    assert list(found) == sorted(id_number(event.id) for event in EVENTS[1:3])
    assert list(await outbox.recent_events(since=NOW, until=until, limit=1)) == [id_number(EVENTS[2].id)]
    assert not await outbox.recent_events(since=until, until=until, limit=10)


async def test_the_state_of_a_destination_outlasts_a_restart(store: Store) -> None:
    state = DestinationState(
        pause=Pause(since=NOW, by=PausedBy.RECEIVER, why="HTTP 410"),
        failing_since=NOW - timedelta(days=1),
        stretch=FailureStretch(began=NOW - timedelta(days=1), last=NOW, attempts=70),
    )
    async with store.open() as outbox:
        outbox.note_destination(BOT, DestinationState(failing_since=NOW))
        outbox.note_destination(BOT, state)
    async with store.open() as outbox:
        assert await outbox.known_destinations() == {BOT: state}
        await outbox.change(PauseChange(verb="resume", destination=BOT, now_ms=ms(NOW)))
        assert await outbox.known_destinations() == {BOT: DestinationState(failing_since=NOW - timedelta(days=1))}


@STEPS
async def test_a_claimed_delivery_has_its_real_age_after_the_clock_was_set(store: Store, by: timedelta) -> None:
    async with store.open() as outbox:
        bring(outbox, 0, steady=NOW, wall=NOW)
        set_by(outbox, by)
        bring(outbox, 1, steady=NOW + HOUR, wall=NOW + HOUR + by)
    async with store.open() as outbox:
        claim = await outbox.claim(BOT, now=NOW + HOUR, limit=10)
        assert [delivery.accepted_at for delivery in claim.deliveries] == [NOW, NOW + HOUR]
        assert outbox.latest_steady == NOW + HOUR
    with store.history() as history:
        found = sorted(history.events(Query()), key=lambda record: record["event_seq"])
    assert [datetime.fromisoformat(each["accepted_at"]) for each in found] == [NOW, NOW + HOUR + by]


@STEPS
async def test_a_person_reads_and_gives_times_of_the_wall_clock(store: Store, by: timedelta) -> None:
    start = NOW + by + HOUR
    async with store.open() as outbox:
        set_by(outbox, by)
        bring(outbox, 0, steady=NOW, wall=NOW + by)
        (delivery,) = (await outbox.claim(BOT, now=NOW, limit=1)).deliveries
        outbox.complete(delivery, attempt(200))
        asked = Replay(to=BOT, since_ms=0, until_ms=1 << 52, start_ms=ms(start), rate=1.0)
        assert (await outbox.change(asked)).changed == 1
        claim = await outbox.claim(BOT, now=NOW, limit=1)
        assert claim.next_due == NOW + HOUR
    with store.history() as history:
        (found,) = history.deliveries(Query())
    assert datetime.fromisoformat(found["due_at"]) == start


@STEPS
async def test_events_are_known_after_a_restart_although_the_clock_was_set(store: Store, by: timedelta) -> None:
    """Also where the clock is set while nothing runs."""
    async with store.open() as outbox:
        bring(outbox, 0, steady=NOW, wall=NOW)
        set_by(outbox, by)
        bring(outbox, 1, steady=NOW + HOUR / 60, wall=NOW + HOUR / 60 + by)
    async with store.open() as outbox:
        set_by(outbox, -by)  # it is set right, or wrong again
        now = NOW + HOUR / 30
        recent = await recent_events(outbox, timedelta(minutes=30), lambda: now)
        assert not recent.is_new(EVENTS[0].id, now=now)
        assert not recent.is_new(EVENTS[1].id, now=now)
