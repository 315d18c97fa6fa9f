"""The outbox on real files: what is on disk after each verb, and that the statements go by an index."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from forwarder.core.delivery import Answered, Attempt, Delivery, DeliveryStatus, DestinationName, new_delivery
from forwarder.core.event import decode_event
from forwarder.emulator.script import packaged_events
from forwarder.outbox.connection import FileSettings, connection_to
from forwarder.outbox.lock import locked
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite import MAX_EXPEDITED, SqliteOutbox, open_outbox
from forwarder.outbox.statements import SQL
from tests.support.process import look

BOT = DestinationName("bot")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVENTS = [decode_event(frame) for frame in dict.fromkeys(packaged_events())]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.db"


@pytest.fixture
async def outbox(path: Path) -> AsyncIterator[SqliteOutbox]:
    async with open_outbox(FileSettings(path=path)) as opened:
        yield opened


def keep(
    outbox: SqliteOutbox, number: int, status: DeliveryStatus = DeliveryStatus.IN_FLIGHT, *, at: datetime = NOW
) -> Delivery:
    """Enqueue one event with one delivery."""
    event = EVENTS[number % len(EVENTS)]
    seq = outbox.new_seq()
    delivery = new_delivery(event, BOT, ("r",), event_seq=seq, accepted_at=at)
    outbox.enqueue(event, seq, {status: [delivery]}, is_matched=True, now=at, read_at=monotonic())
    return delivery


def keep_unmatched(outbox: SqliteOutbox, number: int, *, at: datetime = NOW) -> None:
    outbox.enqueue(EVENTS[number], outbox.new_seq(), {}, is_matched=False, now=at, read_at=monotonic())


def enqueue(outbox: SqliteOutbox, count: int, *, in_flight: bool = False) -> list[Delivery]:
    status = DeliveryStatus.IN_FLIGHT if in_flight else DeliveryStatus.PENDING
    return [keep(outbox, number, status) for number in range(count)]


def attempt(status: int, number: int = 1) -> Attempt:
    return Attempt(
        number=number,
        started_at=NOW,
        duration=timedelta(milliseconds=12),
        outcome=Answered(status=status, excerpt="no"),
    )


async def test_what_is_claimed_is_what_was_kept_oldest_first(outbox: SqliteOutbox) -> None:
    kept = enqueue(outbox, 5)
    claim = await outbox.claim(BOT, now=NOW, limit=3)
    assert claim.deliveries == kept[:3]
    assert claim.next_due == NOW
    assert (await outbox.claim(BOT, now=NOW, limit=10)).deliveries == kept[3:]
    assert await outbox.claim(BOT, now=NOW, limit=10) == (await outbox.claim(DestinationName("x"), now=NOW, limit=1))


async def test_a_delivery_taken_by_its_lane_is_not_claimed_until_a_restart_makes_it_pending(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        kept = enqueue(outbox, 1, in_flight=True)
        assert (await outbox.claim(BOT, now=NOW, limit=10)).deliveries == []
    async with open_outbox(FileSettings(path=path)) as outbox:
        assert await outbox.recover() == {BOT: 1}
        assert (await outbox.claim(BOT, now=NOW, limit=10)).deliveries == kept


async def test_an_attempt_and_what_follows_from_it_stand_on_disk(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        done, later, dead, released = enqueue(outbox, 4, in_flight=True)
        outbox.complete(done, attempt(200))
        outbox.reschedule(later, attempt(503), at=NOW + timedelta(hours=1), keep=False)
        outbox.bury(dead, attempt(400), reason="HTTP 400: no")
        outbox.release(released)
    assert look(path, "SELECT status, attempts, reason FROM deliveries ORDER BY event_seq") == [
        ("delivered", 1, None),
        ("pending", 1, "HTTP 503"),
        ("dead", 1, "HTTP 400: no"),
        ("pending", 0, None),
    ]
    assert look(path, "SELECT http_status, excerpt, duration_ms FROM deliveries ORDER BY event_seq") == [
        (200, "no", 12.0),
        (503, "no", 12.0),
        (400, "no", 12.0),
        (None, None, None),
    ]


async def test_what_is_not_due_waits_and_tells_when(outbox: SqliteOutbox) -> None:
    (delivery,) = enqueue(outbox, 1, in_flight=True)
    at = NOW + timedelta(seconds=30)
    outbox.reschedule(delivery, attempt(503), at=at, keep=False)
    claim = await outbox.claim(BOT, now=NOW, limit=1)
    assert (claim.deliveries, claim.next_due) == ([], at)
    (again,) = (await outbox.claim(BOT, now=at, limit=1)).deliveries
    assert again.attempts == 1


async def test_expediting_makes_what_waits_due_at_once_but_only_so_often(outbox: SqliteOutbox) -> None:
    (delivery,) = enqueue(outbox, 1, in_flight=True)
    for _ in range(MAX_EXPEDITED):
        outbox.reschedule(delivery, attempt(503), at=NOW + timedelta(hours=2), keep=False)
        await outbox.expedite(BOT, now=NOW)
        assert (await outbox.claim(BOT, now=NOW, limit=1)).deliveries
    outbox.reschedule(delivery, attempt(503), at=NOW + timedelta(hours=2), keep=False)
    await outbox.expedite(BOT, now=NOW)
    assert (await outbox.claim(BOT, now=NOW, limit=1)).deliveries == []


async def test_expediting_a_few_leaves_the_others(outbox: SqliteOutbox) -> None:
    for delivery in enqueue(outbox, 10, in_flight=True):
        outbox.reschedule(delivery, attempt(503), at=NOW + timedelta(hours=2), keep=False)
    await outbox.expedite(BOT, now=NOW, limit=3)
    assert len((await outbox.claim(BOT, now=NOW, limit=10)).deliveries) == 3


async def test_pruning_takes_what_is_closed_for_long_and_never_what_waits(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        done, dead, pending = enqueue(outbox, 3, in_flight=True)
        keep_unmatched(outbox, 3)
        outbox.complete(done, attempt(200))
        outbox.bury(dead, attempt(400), reason="r")
        outbox.reschedule(pending, attempt(503), at=NOW, keep=False)
        later = NOW + timedelta(days=1)
        assert await outbox.prune(delivered_before=NOW, dead_before=NOW) == 0
        assert await outbox.prune(delivered_before=later, dead_before=NOW) == 2  # delivered, and unmatched
        assert await outbox.prune(delivered_before=later, dead_before=later) == 1
    assert look(path, "SELECT status FROM deliveries") == [("pending",)]
    assert look(path, "SELECT count(*) FROM events") == [(1,)]


async def test_recent_events_come_back_newest_first(outbox: SqliteOutbox) -> None:
    for number in range(3):
        keep_unmatched(outbox, number, at=NOW + timedelta(minutes=number))
    await outbox.writer.settle()
    found = await outbox.recent_events(since=NOW + timedelta(minutes=1), limit=10)
    assert [event_id for event_id, _ in found] == [EVENTS[2].id, EVENTS[1].id]


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("next_due", "deliveries_due"),
        ("expedite", "deliveries_due"),
        ("release_all", "deliveries_in_flight"),
        ("recent_events", "events_by_age"),
    ],
)
async def test_statements_that_meet_a_backlog_go_by_an_index(path: Path, statement: str, index: str) -> None:
    path.parent.mkdir()
    connection = connection_to(FileSettings(path=path, durability="full"))
    await connection.open()
    try:
        names = ("destination", "now_ms", "limit", "most", "since_ms")
        explain = f"EXPLAIN QUERY PLAN {SQL[statement]}"
        plan = await connection.run(
            lambda plain: [row[3] for row in plain.execute(explain, dict.fromkeys(names, 1)).fetchall()]
        )
    finally:
        await connection.close()
    assert any(index in step for step in plan), plan
    assert not any(step.startswith("SCAN") and "INDEX" not in step for step in plan), plan


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
async def test_the_connection_is_set_up_as_the_docs_say(path: Path, durability: str, synchronous: int) -> None:
    path.parent.mkdir()
    connection = connection_to(FileSettings(path=path, durability=durability))
    await connection.open()
    try:
        found = await connection.run(
            lambda plain: {
                name: plain.execute(f"PRAGMA {name}").fetchone()[0]
                for name in (
                    "journal_mode",
                    "synchronous",
                    "auto_vacuum",
                    "foreign_keys",
                    "secure_delete",
                    "user_version",
                )
            }
        )
    finally:
        await connection.close()
    assert found == {
        "journal_mode": "wal",
        "synchronous": synchronous,
        "auto_vacuum": 2,
        "foreign_keys": 1,
        "secure_delete": 2,
        "user_version": 2,
    }


async def test_a_symbolic_link_in_place_of_the_file_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(path.parent / "elsewhere.db")
    with pytest.raises(OutboxUnusableError) as caught:
        async with open_outbox(FileSettings(path=path)):
            pass
    assert caught.value.problem is OutboxProblem.UNWRITABLE


def test_the_lock_is_held_by_one_and_free_afterwards(path: Path) -> None:
    with locked(path), pytest.raises(OutboxUnusableError, match="another forwarder"), locked(path):
        pass
    with locked(path):
        pass
