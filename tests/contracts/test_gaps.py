"""Gaps and recovered events, over restarts."""

from datetime import timedelta

from msgspec.structs import replace
from msgspec.structs import replace as change

from forwarder.core.delivery import DeliveryStatus, Trigger
from forwarder.core.gaps.gap import Gap, GapBook, GapId, Repair
from forwarder.core.history import Query
from forwarder.core.ledger import LedgerEntry
from forwarder.outbox.store import OutboxStore
from tests.contracts.support import Store, stored
from tests.support.outbox import BOT, EVENTS, NOW, attempt, keep

HOUR = timedelta(hours=1)
POSTS = [number for number, event in enumerate(EVENTS) if event.source == "x"]


def gap(book: GapBook, *, hours: int = 0, lasts: bool = False, repair: Repair = Repair.OFF) -> Gap:
    began = NOW + hours * HOUR
    return Gap(
        id=book.new_gap_id(),
        stream="main",
        began=began,
        noticed=began + timedelta(seconds=2),
        ended=None if lasts else began + timedelta(seconds=3),
        reason="no sign of life \ud800",
        repair=repair,
    )


def _stored(of: Gap) -> Gap:
    """Return it with the text that a store can hold."""
    return Gap(**{name: getattr(of, name) for name in Gap.__struct_fields__} | {"reason": "no sign of life ?"})


async def test_gaps_are_stored_whole_and_in_their_last_state_over_restarts(store: Store) -> None:
    async with store.open() as outbox:
        book = outbox.gaps
        first, second = gap(book, lasts=True), gap(book, hours=1, repair=Repair.PENDING)
        book.note_gap(first)
        book.note_gap(second)
        assert await book.gaps_to_repair() == [_stored(second)]
        assert await book.unended_gaps() == [_stored(first)]
        book.note_gap(replace(second, repair=Repair.PARTIAL, found=5, recovered=3, note="one account is gone"))
        assert await book.gaps_to_repair() == []
    async with store.open() as outbox:
        (left,) = await outbox.gaps.unended_gaps()
        assert left == _stored(first)
        assert left.length is None
        assert outbox.gaps.new_gap_id() == 3
    with store.history() as history:
        found = sorted(history.gaps(Query(), stream=None, only_open=False), key=lambda record: record["gap_id"])
        assert history.streams_of_gaps() == ["main"]
        assert [each["gap_id"] for each in history.gaps(Query(), stream=None, only_open=True)] == [1]
        assert list(history.gaps(Query(), stream="other", only_open=False)) == []
    names = ("gap_id", "covered", "repair", "found", "recovered", "note")
    assert [tuple(each[name] for name in names) for each in found] == [
        (1, False, "off", 0, 0, ""),
        (2, False, "partial", 5, 3, "one account is gone"),
    ]


async def test_gaps_to_repair_come_oldest_first_and_not_before_their_end(outbox: OutboxStore) -> None:
    book = outbox.gaps
    late, lasts, early = (
        gap(book, hours=2, repair=Repair.PENDING),
        gap(book, lasts=True, repair=Repair.PENDING),
        gap(book, hours=1, repair=Repair.PENDING),
    )
    for each in (late, lasts, early):
        book.note_gap(each)
    assert [found.id for found in await book.gaps_to_repair()] == [early.id, late.id]


async def test_the_last_time_a_stream_was_open_is_that_of_the_process_before(store: Store) -> None:
    async with store.open() as outbox:
        assert await outbox.gaps.last_heard() is None
        outbox.gaps.note_heard(NOW)
        outbox.gaps.note_heard(NOW + HOUR)  # in the same commit
        await stored(outbox)
        outbox.gaps.note_heard(NOW + 2 * HOUR)
        assert await outbox.gaps.last_heard() is None
    with store.history() as history:
        assert history.last_heard() == (NOW + 2 * HOUR).isoformat(timespec="milliseconds")
    async with store.open() as outbox:
        outbox.gaps.note_heard(NOW + 3 * HOUR)
        await stored(outbox)
        assert await outbox.gaps.last_heard() == NOW + 2 * HOUR


async def test_posts_of_a_time_are_known_and_recovered_ones_whenever_they_came(outbox: OutboxStore) -> None:
    within, after, recovered, long_after = POSTS[:4]
    (fast, *_) = [number for number, event in enumerate(EVENTS) if event.source == "fast-x"]
    keep(outbox, within)
    keep(outbox, fast)
    await stored(outbox)
    for number in (after, long_after):
        keep(outbox, number, at=NOW + 2 * HOUR)
    keep(outbox, recovered, at=NOW + 3 * HOUR, gap=GapId(1))
    await stored(outbox)
    known = await outbox.gaps.posts_since(NOW, until=NOW + HOUR)
    assert known >= {EVENTS[within].mid, EVENTS[recovered].mid}
    assert EVENTS[fast].mid in await outbox.gaps.posts_since(NOW, until=NOW + HOUR, sources=("x", "fast-x"))


async def test_a_recovered_event_is_marked_in_every_claim_and_replay_and_is_accounted_for(store: Store) -> None:
    async with store.open() as outbox:
        brought = keep(outbox, 0, gap=GapId(7))
        live = keep(outbox, 1)
        assert (brought.is_recovered, brought.trigger) == (True, Trigger.RECOVERED)
        assert (live.is_recovered, live.trigger) == (False, Trigger.FIRST)
        keep(outbox, 2, DeliveryStatus.PENDING, gap=GapId(7), order_key="7")
        outbox.enqueue(EVENTS[3], outbox.new_seq(), {}, entry=LedgerEntry.UNMATCHED, now=NOW, read_at=0, gap=GapId(7))
        outbox.reschedule(brought, attempt(503), at=NOW + HOUR, keep=False)
        (ordered,) = (await outbox.claim_in_order(BOT, "7", now=NOW, limit=10)).deliveries
        assert ordered.is_recovered
        outbox.complete(ordered, attempt(200))
        (again,) = (await outbox.claim(BOT, now=NOW + HOUR, limit=10)).deliveries
        assert again == change(brought, attempts=1)
        assert outbox.gaps.new_gap_id() == 1
        outbox.reschedule(again, attempt(503, 2), at=NOW + HOUR, keep=False)
        outbox.complete(live, attempt(200))
    with store.history() as history:
        marked = [(each["event_seq"], each["gap_id"]) for each in history.events(Query()) if each["recovered"]]
        audit, _ = history.audit()
    assert sorted(marked) == [(1, 7), (3, 7), (4, 7)]
    assert audit.is_balanced
    assert (audit.entry(LedgerEntry.SEEN), audit.entry(LedgerEntry.MATCHED), audit.entry(LedgerEntry.UNMATCHED)) == (
        4,
        3,
        1,
    )
    async with store.open() as outbox:
        assert outbox.gaps.new_gap_id() == 8  # the rows of the gap may be gone
        await outbox.recover()
        (after_restart,) = (await outbox.claim(BOT, now=NOW + HOUR, limit=10)).deliveries
        assert (after_restart.is_recovered, after_restart.event_seq) == (True, 1)


async def test_recovered_events_are_known_after_a_restart(store: Store) -> None:
    async with store.open() as outbox:
        for number in range(3):
            keep(outbox, number, at=NOW + number * HOUR, gap=GapId(1))
        keep(outbox, 3, at=NOW + HOUR)
    async with store.open() as outbox:
        _, second, third = [((event.mid, event.sid), NOW + n * HOUR) for n, event in enumerate(EVENTS[:3])]
        assert await outbox.recovered_events(since=NOW + HOUR, limit=9) == dict([second, third])
        assert await outbox.recovered_events(since=NOW, limit=1) == dict([third])
