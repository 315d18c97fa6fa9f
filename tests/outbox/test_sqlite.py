"""The outbox on real files: what is on disk after each verb, and that the statements go by an index."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from forwarder.core.books import Cause, Entry
from forwarder.core.changes import PauseChange
from forwarder.core.dedupe import id_number
from forwarder.core.delivery import Delivery, DeliveryStatus, DestinationName, new_delivery
from forwarder.core.event import decode_event
from forwarder.core.order import Order, order_key
from forwarder.core.ports import Claim
from forwarder.core.standing import FailureStretch, Pause, PausedBy, Standing
from forwarder.outbox.connection import FileSettings, connection_to
from forwarder.outbox.lock import locked
from forwarder.outbox.migrations import SCHEMA_VERSION
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite import SqliteOutbox, open_outbox
from forwarder.outbox.statements import MAX_EXPEDITED, SQL, to_ms
from tests.support.outbox import BOT, EVENTS, NOW, attempt, audit, keep, keep_unmatched
from tests.support.process import look

DATA = Path(__file__).parent.parent / "data" / "outbox"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.db"


@pytest.fixture
async def outbox(path: Path) -> AsyncIterator[SqliteOutbox]:
    async with open_outbox(FileSettings(path=path)) as opened:
        yield opened


def enqueue(outbox: SqliteOutbox, count: int, *, in_flight: bool = False) -> list[Delivery]:
    status = DeliveryStatus.IN_FLIGHT if in_flight else DeliveryStatus.PENDING
    return [keep(outbox, number, status) for number in range(count)]


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


async def test_expediting_brings_forward_the_first_of_each_order_alone(outbox: SqliteOutbox) -> None:
    for number, key in enumerate(["a", "a", "b"]):
        delivery = keep(outbox, number, order_key=key)
        outbox.reschedule(delivery, attempt(503), at=NOW + timedelta(hours=2), keep=False)
    assert (await outbox.claim_in_order(BOT, "a", now=NOW, limit=9)).deliveries == []
    await outbox.expedite(BOT, now=NOW)
    due = look(outbox.path, f"SELECT event_seq, due_ms <= {to_ms(NOW)} FROM deliveries ORDER BY event_seq")  # noqa: S608 - a number
    assert due == [(1, 1), (2, 0), (3, 1)]


async def test_of_an_order_the_oldest_come_first_and_wait_for_the_first(outbox: SqliteOutbox) -> None:
    kept = [keep(outbox, number, DeliveryStatus.PENDING, order_key="a") for number in range(3)]
    keep(outbox, 3, DeliveryStatus.PENDING, order_key="b")
    assert (await outbox.claim(BOT, now=NOW, limit=9)).deliveries == []  # they have an order
    assert (await outbox.claim_in_order(BOT, "a", now=NOW, limit=2)).deliveries == kept[:2]
    busy = await outbox.claim_in_order(BOT, "a", now=NOW, limit=2)
    assert busy.deliveries == []
    assert busy.next_due is not None
    outbox.release(kept[1])
    at = NOW + timedelta(hours=1)
    outbox.reschedule(kept[0], attempt(503), at=at, keep=False)
    assert await outbox.claim_in_order(BOT, "a", now=NOW, limit=2) == Claim(deliveries=[], next_due=at)
    early = await outbox.claim_in_order(BOT, "a", now=NOW, limit=1, is_early=True)
    assert [found.event_seq for found in early.deliveries] == [1]


@pytest.mark.parametrize(
    ("before", "after", "keys"),
    [
        (Order.NONE, Order.SID, ["x:1", "x:2"]),
        (Order.NONE, Order.STRICT, ["*"]),
        (Order.SID, Order.STRICT, ["*"]),
        (Order.STRICT, Order.NONE, []),
    ],
)
async def test_what_waits_follows_a_changed_order(
    outbox: SqliteOutbox, before: Order, after: Order, keys: list[str]
) -> None:
    for number, (source, sid) in enumerate([("x", "1"), ("fast-x", "1"), ("x", "2")]):
        body = f'{{"mid":"{number}","sid":"{sid}","source":"{source}","timestamp":1,"payload":{{}}}}'.encode()
        event = decode_event(body)
        key = order_key(before, source=source, sid=sid)
        delivery = new_delivery(event, BOT, ("r",), event_seq=outbox.new_seq(), accepted_at=NOW, order_key=key)
        outbox.enqueue(
            event,
            delivery.event_seq,
            {DeliveryStatus.PENDING: [delivery]},
            entry=Entry.MATCHED,
            now=NOW,
            read_at=monotonic(),
        )
    assert await outbox.put_in_order(BOT, after) == keys
    loose = (await outbox.claim(BOT, now=NOW, limit=9)).deliveries
    assert len(loose) == (3 if after is Order.NONE else 0)


async def test_an_attempt_that_told_nothing_is_not_counted(outbox: SqliteOutbox) -> None:
    (delivery,) = enqueue(outbox, 1, in_flight=True)
    at = NOW + timedelta(seconds=1)
    outbox.postpone(delivery, at=at, reason="no network here", keep=False)
    assert await outbox.claim(BOT, now=NOW, limit=1) == Claim(deliveries=[], next_due=at)
    assert look(outbox.path, "SELECT status, attempts, reason FROM deliveries") == [("pending", 0, "no network here")]


async def test_an_uncounted_attempt_leaves_the_reason_of_the_last_counted_one(outbox: SqliteOutbox) -> None:
    delivery = keep(outbox, 0)
    outbox.reschedule(delivery, attempt(503), at=NOW + timedelta(hours=1), keep=True)
    outbox.postpone(delivery, at=None, reason="no network here", keep=False)
    await outbox.writer.settle()
    assert look(outbox.path, "SELECT status, attempts, http_status, reason FROM deliveries") == [
        ("pending", 1, 503, "HTTP 503")
    ]


async def test_what_a_destination_is_outlasts_a_restart(path: Path) -> None:
    standing = Standing(
        pause=Pause(since=NOW, by=PausedBy.RECEIVER, why="HTTP 410"),
        failing_since=NOW - timedelta(days=1),
        stretch=FailureStretch(began=NOW - timedelta(days=1), last=NOW, attempts=70),
    )
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.note_destination(BOT, Standing(failing_since=NOW))
        outbox.note_destination(BOT, standing)
    async with open_outbox(FileSettings(path=path)) as outbox:
        assert await outbox.known_destinations() == {BOT: standing}
        await outbox.change(PauseChange(verb="resume", destination=BOT, now_ms=to_ms(NOW)))
        assert await outbox.known_destinations() == {BOT: Standing()}


async def test_pruning_takes_what_is_closed_for_long_and_never_what_waits(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        done, dead, pending = enqueue(outbox, 3, in_flight=True)
        keep_unmatched(outbox, 3)
        outbox.complete(done, attempt(200))
        outbox.bury(dead, attempt(400), reason="r")
        outbox.reschedule(pending, attempt(503), at=NOW, keep=False)
        later = NOW + timedelta(days=1)
        assert await outbox.pruner.prune(delivered_before=NOW, dead_before=NOW) == 0
        assert await outbox.pruner.prune(delivered_before=later, dead_before=NOW) == 2  # delivered, and unmatched
        assert await outbox.pruner.prune(delivered_before=later, dead_before=later) == 1
    assert look(path, "SELECT status FROM deliveries") == [("pending",)]
    assert look(path, "SELECT count(*) FROM events") == [(1,)]


async def test_what_ends_before_its_commit_is_written_once_and_what_ends_later_too(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        soon = keep(outbox, 0)
        outbox.complete(soon, attempt(200))
        late = keep(outbox, 1)
        await outbox.writer.settle()
        commits = outbox.writer.commits
        outbox.reschedule(late, attempt(503), at=NOW, keep=True)
        outbox.reschedule(late, attempt(502, 2), at=NOW, keep=True)
        outbox.complete(late, attempt(200, 3))
        await outbox.writer.settle()
        assert outbox.writer.commits == commits + 1
        assert outbox.writer.commit_lag.count == 2
    assert look(path, "SELECT status, attempts, http_status FROM deliveries ORDER BY event_seq") == [
        ("delivered", 1, 200),
        ("delivered", 3, 200),
    ]
    assert look(path, "SELECT event_seq, number, http_status FROM attempts") == [(2, 1, 503), (2, 2, 502)]
    assert audit(path).is_balanced


async def test_what_a_lane_keeps_is_not_claimed_and_is_when_it_lets_go(outbox: SqliteOutbox) -> None:
    kept, given = keep(outbox, 0), keep(outbox, 1)
    outbox.reschedule(kept, attempt(503), at=NOW, keep=True)
    outbox.reschedule(given, attempt(503), at=NOW, keep=False)
    assert [delivery.event_seq for delivery in (await outbox.claim(BOT, now=NOW, limit=10)).deliveries] == [2]
    outbox.release(kept)
    assert [delivery.event_seq for delivery in (await outbox.claim(BOT, now=NOW, limit=10)).deliveries] == [1]
    assert (await outbox.claim(BOT, now=NOW, limit=10)).deliveries == []


async def test_two_claims_at_once_never_bring_the_same(outbox: SqliteOutbox) -> None:
    enqueue(outbox, 30)
    claims = await asyncio.gather(*(outbox.claim(BOT, now=NOW, limit=10) for _ in range(4)))
    numbers = [delivery.event_seq for claim in claims for delivery in claim.deliveries]
    assert sorted(numbers) == list(range(1, 31))


async def test_the_same_event_after_the_dedupe_window_is_another_one(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        first, again = keep(outbox, 0), keep(outbox, 0, at=NOW + timedelta(hours=1))
        assert first.id == again.id
        outbox.bury(first, attempt(400), reason="r")
        outbox.complete(again, attempt(200))
    assert look(path, "SELECT status FROM deliveries ORDER BY event_seq") == [("dead",), ("delivered",)]
    assert audit(path).is_balanced


async def test_the_books_balance_over_every_way_an_event_can_go(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.complete(keep(outbox, 0), attempt(200))
        outbox.bury(keep(outbox, 1), attempt(400), reason="r")
        keep(outbox, 2, DeliveryStatus.PENDING)
        keep(outbox, 3, Cause.DISABLED)
        keep_unmatched(outbox, 4)
        outbox.count_double(now=NOW)
        await outbox.pruner.prune(delivered_before=NOW + timedelta(days=1), dead_before=NOW)
    found = audit(path)
    assert found.is_balanced
    assert (found.entry(Entry.SEEN), found.entry(Entry.DOUBLE), found.entry(Entry.PLANNED)) == (6, 1, 4)
    assert (found.ended_as("delivered"), found.ended_as("disabled"), found.ended_as("dead")) == (1, 1, 1)
    assert found.waiting == 1
    assert found.entries["pruned event"] == 3


async def test_books_out_of_balance_are_told_line_by_line(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0)
        keep(outbox, 1)
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM deliveries WHERE event_seq = 1")
    connection.commit()
    connection.close()
    assert [(finding.what.split(" ")[0], finding.remainder) for finding in audit(path).findings] == [
        ("deliveries", 1),
        ("every", -1),
    ]


async def test_a_file_at_its_largest_gives_up_delivered_history_and_then_says_that_it_is_full(path: Path) -> None:
    async with open_outbox(FileSettings(path=path, max_size=1024 * 1024)) as outbox:
        for number in range(3000):  # more than the file may hold
            outbox.complete(keep(outbox, number), attempt(200))
            if number % 20 == 0:
                await outbox.claim(BOT, now=NOW, limit=1)  # waits for the commit
        assert outbox.writer.trouble is None
        assert path.stat().st_size <= 1024 * 1024
        pruned = 3000 - look(path, "SELECT count(*) FROM events")[0][0]
        assert pruned > 100
        waiting = [keep(outbox, number, DeliveryStatus.PENDING) for number in range(3000)]
        assert not await outbox.writer.settle()
        assert outbox.health()["health"] == "degraded"
        assert path.stat().st_size <= 1024 * 1024
        claim = await outbox.claim(BOT, now=NOW, limit=10)  # reading goes on
        assert claim.next_due is not None
        outbox._database.settings = FileSettings(path=path)
        await outbox._database.run(
            lambda connection: connection.execute("PRAGMA max_page_count = 1073741823").fetchall()
        )
        await outbox.writer.ask(lambda _connection: None)  # is carried out as soon as there is room again
        assert outbox.writer.trouble is None
    assert look(path, "SELECT count(*) FROM deliveries WHERE status = 'pending'") == [(len(waiting),)]
    assert audit(path).is_balanced


async def test_pruning_to_size_takes_the_oldest_history_first(path: Path) -> None:
    async with open_outbox(FileSettings(path=path, max_size=1024 * 1024)) as outbox:
        number = 0
        while not await outbox.pruner._is_over(0.92):
            outbox.complete(keep(outbox, number := number + 1), attempt(200))
            await outbox.writer.settle()
        pruned = await outbox.pruner.prune_to_size()
        assert pruned > 0
        assert await outbox.pruner.prune_to_size() == 0
    assert look(path, "SELECT min(seq) FROM events") == [(pruned + 1,)]
    assert look(path, "PRAGMA freelist_count") == [(0,)]
    assert audit(path).is_balanced


async def test_history_that_a_successor_needs_does_not_go_to_make_room(path: Path) -> None:
    async with open_outbox(FileSettings(path=path, max_size=1024 * 1024)) as outbox:
        number = 0
        while not await outbox.pruner._is_over(0.92):
            at = NOW + timedelta(seconds=number)
            outbox.complete(keep(outbox, number := number + 1, at=at), attempt(200))
            await outbox.writer.settle()
        outbox.need_history(NOW + timedelta(seconds=100))
        assert await outbox.pruner.prune_to_size() == 100
        assert await outbox.pruner.prune_to_size() == 0
        outbox.need_history(None)
        assert await outbox.pruner.prune_to_size() >= 0
    assert look(path, "SELECT min(seq) > 100 FROM events") == [(1,)]
    assert audit(path).is_balanced


@pytest.mark.parametrize("version", [1, 2, 3, 4])
async def test_a_file_of_an_earlier_version_is_brought_forward(path: Path, version: int) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.executescript((DATA / f"version_{version}.sql").read_text(encoding="utf-8"))
    connection.close()
    async with open_outbox(FileSettings(path=path)) as outbox:
        assert await outbox.recover() == {BOT: 2}
        claim = await outbox.claim(BOT, now=NOW + timedelta(hours=1), limit=10)
        assert [(found.event_seq, found.attempts, found.body) for found in claim.deliveries] == [
            (5, 0, b'{"mid":"13"}'),
            (2, 1, b'{"mid":"12"}'),
        ]
        for delivery in claim.deliveries:
            outbox.complete(delivery, attempt(200, delivery.attempts + 1))
        assert outbox.new_seq() == 7
    assert look(path, "SELECT event_seq, destination, number, http_status FROM attempts") == [
        (1, "bot", 1, 503),
        (2, "bot", 1, 503),
    ]
    assert look(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert look(path, "PRAGMA page_size") == [(4096,)]  # as it was
    assert look(path, "PRAGMA foreign_key_check") == []
    assert audit(path).is_balanced
    fresh = path.with_name("fresh.db")
    async with open_outbox(FileSettings(path=fresh)):
        pass
    schema = "SELECT type, name, tbl_name FROM sqlite_schema ORDER BY 1, 2"
    assert look(path, schema) == look(fresh, schema)


async def test_of_recent_events_the_newest_come_back_sorted(outbox: SqliteOutbox) -> None:
    for number in range(3):
        keep_unmatched(outbox, number, at=NOW + timedelta(minutes=number))
    await outbox.writer.settle()
    since, until = NOW + timedelta(minutes=1), NOW + timedelta(minutes=3)
    found = await outbox.recent_events(since=since, until=until, limit=10)
    assert list(found) == sorted(id_number(event.id) for event in EVENTS[1:3])
    assert list(await outbox.recent_events(since=NOW, until=until, limit=1)) == [id_number(EVENTS[2].id)]
    assert not await outbox.recent_events(since=until, until=until, limit=10)


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("next_due", "deliveries_due"),
        ("next_early", "deliveries_due"),
        ("expedite", "deliveries_due"),
        ("next_in_order", "deliveries_in_order"),
        ("order_keys", "deliveries_in_order"),
        ("expedite_in_order", "deliveries_in_order"),
        ("is_ordered", "deliveries_in_order"),
        ("is_pending", "deliveries_due"),
        ("waiting", "deliveries_due"),
        ("release_all", "deliveries_in_flight"),
        ("recent_events", "events_by_age"),
        ("posts_after", "events_by_age"),
        ("gaps_to_repair", "gaps_open"),
        ("unended_gaps", "gaps_open"),
    ],
)
async def test_statements_that_meet_a_backlog_go_by_an_index(path: Path, statement: str, index: str) -> None:
    path.parent.mkdir()
    connection = connection_to(FileSettings(path=path, durability="full"))
    await connection.open()
    try:
        names = (
            "destination",
            "now_ms",
            "offset_ms",
            "limit",
            "most",
            "since_ms",
            "until_ms",
            "order_key",
            "awaits",
            "accepted_ms",
            "source",
            "mid",
            "sid",
            "id",
        )
        explain = f"EXPLAIN QUERY PLAN {SQL[statement]}"
        plan = await connection.run(
            lambda plain: [row[3] for row in plain.execute(explain, dict.fromkeys(names, 1)).fetchall()]
        )
    finally:
        await connection.close()
    assert any(index in step for step in plan), plan
    assert not any(re.match(r"SCAN (events|deliveries|attempts|books)(?!.* INDEX )", step) for step in plan), plan


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
        "user_version": SCHEMA_VERSION,
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


async def test_for_a_process_that_is_about_to_read_them_the_last_events_stay_although_there_is_no_room(
    path: Path,
) -> None:
    async with open_outbox(FileSettings(path=path, max_size=1024 * 1024)) as outbox:
        number = 0
        while not await outbox.pruner._is_over(0.92):
            outbox.complete(keep(outbox, number := number + 1), attempt(200))
            await outbox.writer.settle()
        outbox.need_history(NOW)  # all of them were accepted then
        assert await outbox.pruner.prune_to_size() == 0
        assert (await outbox._database.make_room(size=1024 * 1024)).pruned == 0
        outbox.need_history(NOW + timedelta(seconds=1))
        assert (await outbox._database.make_room(size=1024 * 1024)).pruned > 0
        outbox.need_history(None)
        assert await outbox.pruner.prune_to_size() >= 0
    assert audit(path).is_balanced
