"""The work queues of lanes that get deliveries of routes with `priority: high`."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from forwarder.core.delivery import Delivery, DeliveryStatus, new_delivery
from forwarder.core.dispatch.ordering import Order, order_key
from forwarder.dispatch.priority_queue import PriorityOrderedQueue, PriorityQueue
from forwarder.dispatch.work_queue import Work, WorkQueue
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.lanes import event
from tests.support.outbox import BOT, EVENTS, NOW, attempt, keep

SECOND = timedelta(seconds=1)


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[SqliteOutbox]:
    async with open_outbox(FileSettings(path=tmp_path / "outbox.db", durability="normal")) as outbox:
        yield outbox


def delivery(number: int, *, is_high: bool = False, key: str | None = None) -> Delivery:
    """Return a delivery that no outbox has."""
    return new_delivery(event(number), BOT, ("r",), event_seq=number, accepted_at=NOW, is_high=is_high, order_key=key)


def bring(queue: WorkQueue, *deliveries: Delivery) -> None:
    for each in deliveries:
        assert queue.reserve(each)
        assert queue.start(each)


def taken(queue: WorkQueue, *, may_be_backlog: bool = True, ends: bool = False) -> list[int]:
    """Take everything that may be taken now; return the numbers of the events. `ends`: each is over before the next is taken."""
    numbers = []
    while (work := queue.take(may_be_backlog=may_be_backlog)) is not None:
        numbers.append(work.delivery.event_seq)
        if ends:
            queue.finished(work.delivery)
    return numbers


def high(outbox: SqliteOutbox, number: int, key: str | None = None) -> int:
    return keep(outbox, number, DeliveryStatus.PENDING, is_high=True, order_key=key).event_seq


def normal(outbox: SqliteOutbox, number: int, key: str | None = None) -> int:
    return keep(outbox, number, DeliveryStatus.PENDING, order_key=key).event_seq


async def test_of_what_is_fresh_those_with_a_high_priority_go_first(outbox: SqliteOutbox) -> None:
    queue = PriorityQueue(BOT, outbox, backlog_limit=16)
    bring(queue, delivery(1), delivery(2), delivery(3, is_high=True), delivery(4), delivery(5, is_high=True))
    assert queue.has_fresh()
    assert taken(queue, may_be_backlog=False) == [3, 5, 1, 2, 4]
    assert not queue.has_work(may_be_backlog=True)


async def test_a_normal_one_goes_after_twenty(outbox: SqliteOutbox) -> None:
    queue = PriorityQueue(BOT, outbox, backlog_limit=16)
    bring(queue, delivery(100), delivery(101), *(delivery(number, is_high=True) for number in range(45)))
    assert taken(queue) == [*range(20), 100, *range(20, 40), 101, *range(40, 45)]


async def test_out_of_a_long_backlog_those_with_a_high_priority_come_first(outbox: SqliteOutbox) -> None:
    """Also where more wait than memory holds, and the backlog may have no part of what runs at once."""
    for number in range(100):
        normal(outbox, number)
    last = [high(outbox, number) for number in range(100, 103)]
    queue = PriorityQueue(BOT, outbox, backlog_limit=8)
    await queue.fill(NOW, is_early=False)
    assert queue.has_backlog()
    bring(queue, delivery(1000))
    assert taken(queue, may_be_backlog=False) == [*last, 1000]
    assert taken(queue) == list(range(1, 9))
    assert queue.wants_more()
    await queue.fill(NOW, is_early=False)
    assert taken(queue) == list(range(9, 17))


async def test_a_backlog_of_high_priority_leaves_every_twenty_first_turn_to_the_oldest_normal_one(
    outbox: SqliteOutbox,
) -> None:
    for number in range(60):
        high(outbox, number)
    waits = [normal(outbox, number) for number in range(60, 63)]
    queue = PriorityQueue(BOT, outbox, backlog_limit=64)
    await queue.fill(NOW, is_early=False)
    order = taken(queue)
    assert [order.index(number) for number in waits] == [20, 41, 62]


async def test_retries_keep_their_priority_in_memory_and_in_the_outbox(outbox: SqliteOutbox) -> None:
    queue = PriorityQueue(BOT, outbox, backlog_limit=16)
    kept = [keep(outbox, 0), keep(outbox, 1, is_high=True), keep(outbox, 2), keep(outbox, 3, is_high=True)]
    bring(queue, *kept)
    assert taken(queue) == [2, 4, 1, 3]
    for each in kept[:2]:
        outbox.reschedule(each, attempt(503), at=NOW + SECOND, keep=True)
        assert queue.keep(each, at=NOW + SECOND, now=NOW)
    for each in kept[2:]:
        outbox.reschedule(each, attempt(503), at=NOW + SECOND, keep=False)
        queue.leave(each)
    assert await queue.fill(NOW, is_early=False) <= NOW + SECOND
    assert taken(queue) == []
    await queue.fill(NOW + SECOND, is_early=False)
    assert taken(queue) == [2, 4, 1, 3]


async def test_a_probe_takes_one_with_a_high_priority_before_its_time(outbox: SqliteOutbox) -> None:
    for number in range(4):
        each = keep(outbox, number, is_high=number > 1)
        outbox.reschedule(each, attempt(503), at=NOW + timedelta(hours=1), keep=False)
    queue = PriorityQueue(BOT, outbox, backlog_limit=16)
    await queue.fill(NOW, is_early=True)
    assert taken(queue) == [3]


async def test_what_is_kept_for_later_is_brought_forward_left_and_given_back_for_both(outbox: SqliteOutbox) -> None:
    queue = PriorityQueue(BOT, outbox, backlog_limit=16)
    kept = [keep(outbox, number, is_high=number % 2 == 1) for number in range(4)]
    bring(queue, *kept)
    taken(queue)
    for each in kept:
        outbox.reschedule(each, attempt(503), at=NOW + SECOND, keep=True)
        assert queue.keep(each, at=NOW + SECOND, now=NOW)
    assert {each.event_seq for each in queue.leave_kept([1, 2])} == {1, 2}
    early = queue.take_early()
    assert early is not None
    assert early.delivery.event_seq == 4
    assert [each.event_seq for each in queue.give_back()] == [3]
    queue.bring_forward(NOW)
    assert queue.take_early() is None


async def test_a_place_that_is_given_up_is_free_again(outbox: SqliteOutbox) -> None:
    queue = PriorityQueue(BOT, outbox, backlog_limit=16)
    queue.begin(())
    queue.expect("x:1")
    assert queue.reserve(delivery(1, is_high=True))
    queue.cancel(delivery(1, is_high=True))
    assert not queue.start(delivery(1, is_high=True))


# With an order


async def ordered(outbox: SqliteOutbox, *, backlog_limit: int = 16) -> PriorityOrderedQueue:
    queue = PriorityOrderedQueue(BOT, outbox, order=Order.SID, backlog_limit=backlog_limit)
    queue.begin(await outbox.put_in_order(BOT, Order.SID))
    return queue


async def test_accounts_with_one_of_high_priority_go_first_and_each_keeps_its_order(outbox: SqliteOutbox) -> None:
    queue = await ordered(outbox)
    bring(
        queue,
        delivery(1, key="x:a"),
        delivery(2, key="x:b"),
        delivery(3, key="x:c"),
        delivery(4, key="x:b", is_high=True),
        delivery(5, key="x:c"),
        delivery(6, key="x:d", is_high=True),
    )
    assert queue.has_fresh()
    assert taken(queue, ends=True) == [2, 6, 4, 1, 3, 5]
    assert not queue.has_work(may_be_backlog=True)


async def test_a_normal_line_has_its_turn_after_twenty(outbox: SqliteOutbox) -> None:
    queue = await ordered(outbox)
    bring(queue, delivery(100, key="x:n"))
    bring(queue, *(delivery(number, key=f"x:{number}", is_high=True) for number in range(25)))
    assert taken(queue, ends=True) == [*range(20), 100, *range(20, 25)]


async def test_lines_in_the_outbox_that_have_one_of_high_priority_are_claimed_first(outbox: SqliteOutbox) -> None:
    for number in range(40):
        normal(outbox, number, f"x:{number}")
    first, then = normal(outbox, 40, "x:late"), high(outbox, 41, "x:late")
    await outbox.settle()
    assert await outbox.high_order_keys(BOT) == ["x:late"]
    queue = PriorityOrderedQueue(BOT, outbox, order=Order.SID, backlog_limit=4)
    queue.begin([*(f"x:{number}" for number in range(40)), "x:late"])
    await queue.fill(NOW, is_early=False)
    assert taken(queue, ends=True)[:2] == [first, then]


async def test_one_that_joins_a_line_or_is_given_back_is_not_lost(outbox: SqliteOutbox) -> None:
    """A first word that waited for its full text has its place by the number of its event."""
    waited = keep(outbox, 0, DeliveryStatus.PENDING, waits_until=NOW + SECOND, is_high=True)
    queue = await ordered(outbox)
    account = order_key(Order.SID, source=EVENTS[0].source, sid=EVENTS[0].sid)
    other, later = keep(outbox, 1, order_key="x:other"), keep(outbox, 2, order_key=account)
    bring(queue, other, later)
    await queue.fill(NOW + 2 * SECOND, is_early=False)
    assert queue.has_work(may_be_backlog=False)
    assert queue.take(may_be_backlog=False) == Work(replace(waited, order_key=account), is_backlog=True)
    gone = queue.give_back()
    assert {each.event_seq for each in gone} == {other.event_seq, later.event_seq}
    assert not queue.has_work(may_be_backlog=True)
