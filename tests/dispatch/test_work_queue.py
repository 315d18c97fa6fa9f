"""What a lane without an order has in memory: what comes first, how much fits, and what is left to the outbox."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.core.delivery import Delivery, DeliveryStatus, new_delivery
from forwarder.core.dispatch.ordering import Order
from forwarder.dispatch import work_queue
from forwarder.dispatch.work_queue import BACKLOG_TURN, LONGEST_WAIT, UnorderedQueue, Work, tried
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.lanes import event
from tests.support.outbox import BOT, NOW, attempt, keep

SECOND = timedelta(seconds=1)


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[SqliteOutbox]:
    async with open_outbox(FileSettings(path=tmp_path / "outbox.db", durability="normal")) as outbox:
        yield outbox


def queue_of(outbox: SqliteOutbox, *, backlog_limit: int = 16) -> UnorderedQueue:
    return UnorderedQueue(BOT, outbox, backlog_limit=backlog_limit)


def delivery(number: int, *, padding: int = 0) -> Delivery:
    """Return a delivery that no outbox has."""
    return new_delivery(event(number, padding=padding), BOT, ("r",), event_seq=number, accepted_at=NOW)


def bring(queue: UnorderedQueue, *numbers: int) -> None:
    """Put fresh deliveries into the queue."""
    for number in numbers:
        assert queue.reserve(delivery(number))
        assert queue.start(delivery(number))


def taken(queue: UnorderedQueue, *, may_be_backlog: bool = True) -> list[int]:
    """Take everything that may be taken now; return the numbers of the events."""
    return [work.delivery.event_seq for work in iter(lambda: queue.take(may_be_backlog=may_be_backlog), None)]


async def test_fresh_deliveries_go_in_the_order_they_came(outbox: SqliteOutbox) -> None:
    queue = queue_of(outbox)
    bring(queue, 1, 2, 3)
    assert queue.has_fresh()
    assert queue.take(may_be_backlog=True) == Work(delivery(1), is_backlog=False)
    assert taken(queue) == [2, 3]
    assert not queue.has_fresh()
    assert not queue.has_work(may_be_backlog=True)


async def test_every_fourth_turn_is_the_backlogs_while_fresh_deliveries_wait_too(outbox: SqliteOutbox) -> None:
    waiting = [keep(outbox, number, DeliveryStatus.PENDING).event_seq for number in range(3)]
    await outbox.settle()
    queue = queue_of(outbox)
    await queue.fill(NOW, is_early=False)
    fresh = list(range(101, 109))
    bring(queue, *fresh)
    found = taken(queue)
    assert [place for place, number in enumerate(found, 1) if number in waiting] == [BACKLOG_TURN, 2 * BACKLOG_TURN, 11]
    assert [number for number in found if number not in waiting] == fresh


async def test_the_backlog_is_left_alone_where_it_may_not_be_taken(outbox: SqliteOutbox) -> None:
    keep(outbox, 0, DeliveryStatus.PENDING)
    await outbox.settle()
    queue = queue_of(outbox)
    await queue.fill(NOW, is_early=False)
    assert not queue.has_work(may_be_backlog=False)
    assert taken(queue, may_be_backlog=False) == []
    assert queue.has_work(may_be_backlog=True)
    assert len(taken(queue)) == 1


async def test_what_is_kept_for_a_retry_comes_when_it_is_due_and_the_outbox_is_asked_again_then(
    outbox: SqliteOutbox,
) -> None:
    queue = queue_of(outbox)
    assert queue.keep(delivery(1), at=NOW + 5 * SECOND, now=NOW)
    assert queue.keep(delivery(2), at=NOW + 3 * SECOND, now=NOW)
    assert await queue.fill(NOW, is_early=False) == NOW + 3 * SECOND
    assert taken(queue) == []
    assert await queue.fill(NOW + 3 * SECOND, is_early=False) == NOW + 5 * SECOND
    assert taken(queue) == [2]
    assert await queue.fill(NOW + 5 * SECOND, is_early=False) == NOW + 5 * SECOND + LONGEST_WAIT
    assert taken(queue) == [1]


async def test_a_retry_that_is_more_than_a_minute_away_waits_in_the_outbox_alone(outbox: SqliteOutbox) -> None:
    queue = queue_of(outbox)
    assert queue.keep(delivery(1), at=NOW + LONGEST_WAIT, now=NOW)
    assert not queue.keep(delivery(2), at=NOW + LONGEST_WAIT + SECOND, now=NOW)
    assert [each.event_seq for each in queue.give_back()] == [1]


async def test_only_so_many_retries_are_kept_in_memory(outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_queue, "MAX_RETRIES", 2)
    queue = queue_of(outbox)
    assert [queue.keep(delivery(number), at=NOW, now=NOW) for number in range(3)] == [True, True, False]
    assert queue.take_early() is not None
    assert queue.keep(delivery(2), at=NOW, now=NOW)


async def test_only_so_many_bytes_of_retries_are_kept_but_always_one(
    outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_queue, "MAX_RETRIES_BYTES", 1000)
    queue = queue_of(outbox)
    assert queue.keep(delivery(1, padding=5000), at=NOW, now=NOW)
    assert not queue.keep(delivery(2), at=NOW, now=NOW)
    await queue.fill(NOW, is_early=False)  # it is due, and a retry no more
    assert queue.keep(delivery(2), at=NOW, now=NOW)


async def test_a_probe_takes_the_retry_that_is_due_first_and_knows_when_it_was_due(outbox: SqliteOutbox) -> None:
    queue = queue_of(outbox)
    assert queue.take_early() is None
    queue.keep(delivery(1), at=NOW + 5 * SECOND, now=NOW)
    queue.keep(delivery(2), at=NOW + 3 * SECOND, now=NOW)
    assert queue.take_early() == Work(delivery(2), is_backlog=True, due=NOW + 3 * SECOND)
    assert queue.take_early() == Work(delivery(1), is_backlog=True, due=NOW + 5 * SECOND)
    assert queue.take_early() is None


async def test_a_probe_with_nothing_in_memory_claims_one_that_is_not_due(outbox: SqliteOutbox) -> None:
    due = NOW + timedelta(hours=2)
    outbox.reschedule(keep(outbox, 0), attempt(500), at=due, keep=False)
    outbox.reschedule(keep(outbox, 1), attempt(500), at=due + SECOND, keep=False)
    await outbox.settle()
    queue = queue_of(outbox)
    await queue.fill(NOW, is_early=False)
    assert taken(queue) == []
    await queue.fill(NOW, is_early=True)
    work = queue.take(may_be_backlog=True)
    assert work is not None
    assert (work.is_backlog, work.due) == (True, due)
    assert taken(queue) == []


async def test_no_more_is_claimed_than_there_is_room_for_and_more_is_wanted_when_half_is_gone(
    outbox: SqliteOutbox,
) -> None:
    numbers = [keep(outbox, number, DeliveryStatus.PENDING).event_seq for number in range(7)]
    await outbox.settle()
    queue = queue_of(outbox, backlog_limit=4)
    assert queue.wants_more()
    await queue.fill(NOW, is_early=False)
    assert not queue.wants_more()
    found = []
    for _ in range(2):
        work = queue.take(may_be_backlog=True)
        assert work is not None
        found.append(work.delivery.event_seq)
    assert queue.wants_more()
    await queue.fill(NOW, is_early=False)
    assert found + taken(queue) == numbers[:6]


async def test_what_waits_for_its_full_text_joins_the_order_when_its_wait_is_over(outbox: SqliteOutbox) -> None:
    waiting = keep(outbox, 0, DeliveryStatus.PENDING, waits_until=NOW + SECOND)
    await outbox.settle()
    joined: list[Delivery] = []
    queue = UnorderedQueue(BOT, outbox, backlog_limit=4, order=Order.STRICT, join=joined.append)
    assert await queue.fill(NOW, is_early=False) == NOW + SECOND
    assert joined == []
    await queue.fill(NOW + SECOND, is_early=False)
    assert [each.event_seq for each in joined] == [waiting.event_seq]
    assert joined[0].order_key is not None
    assert taken(queue) == []


async def test_the_end_of_an_outage_makes_every_kept_retry_due_the_oldest_event_first(outbox: SqliteOutbox) -> None:
    kept = [keep(outbox, number) for number in range(3)]
    queue = queue_of(outbox)
    for place, each in enumerate(kept):
        due = NOW + (10 - place) * SECOND
        outbox.reschedule(each, attempt(500), at=due, keep=True)
        assert queue.keep(each, at=due, now=NOW)
    await outbox.settle()
    queue.bring_forward(NOW)
    await queue.fill(NOW, is_early=False)
    assert taken(queue) == [each.event_seq for each in kept]


async def test_everything_is_given_back_once_and_a_place_is_lost(outbox: SqliteOutbox) -> None:
    pending = keep(outbox, 0, DeliveryStatus.PENDING)
    await outbox.settle()
    queue = queue_of(outbox)
    await queue.fill(NOW, is_early=False)
    bring(queue, 101)
    queue.keep(delivery(102), at=NOW + SECOND, now=NOW)
    assert queue.reserve(delivery(103))
    assert sorted(each.event_seq for each in queue.give_back()) == [pending.event_seq, 101, 102]
    assert queue.give_back() == []
    assert not queue.start(delivery(103))
    assert not queue.has_work(may_be_backlog=True)


async def test_nothing_waits_for_the_end_of_a_delivery(outbox: SqliteOutbox) -> None:
    assert not queue_of(outbox).finished(delivery(1))


def test_a_counted_attempt_and_a_refusal_are_noted_in_the_delivery() -> None:
    once = tried(delivery(1), 1)
    assert (once.attempts, once.refusals) == (1, 0)
    again = tried(once, 2, is_refusal=True)
    assert (again.attempts, again.refusals) == (2, 1)
    assert tried(again, 3).refusals == 1


async def test_what_is_kept_for_its_next_attempt_is_left_by_the_numbers_of_its_events(outbox: SqliteOutbox) -> None:
    queue = queue_of(outbox)
    for number in (3, 1, 2):
        assert queue.keep(delivery(number), at=NOW + number * SECOND, now=NOW)
    assert sorted(each.event_seq for each in queue.leave_kept({1, 3, 9})) == [1, 3]
    work = queue.take_early()
    assert work is not None
    assert work.delivery.event_seq == 2
    assert queue.take_early() is None
