"""A place in a lane is reserved before the outbox has a delivery, and only what the outbox has is attempted."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest

from forwarder.core.delivery import Delivery, DeliveryStatus, new_delivery
from forwarder.core.dispatch.ordering import Order, order_key
from forwarder.core.ledger import LedgerEntry
from forwarder.dispatch import order_lines, work_queue
from forwarder.dispatch.ordered_queue import OrderedQueue
from forwarder.dispatch.work_queue import UnorderedQueue, WorkQueue
from forwarder.emulator.receiver import Receiver
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.lanes import Scene, destination, event, running
from tests.support.outbox import BOT, NOW, attempt, keep
from tests.support.process import look

ORDERS = pytest.mark.parametrize("order", [Order.NONE, Order.SID])


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[SqliteOutbox]:
    async with open_outbox(FileSettings(path=tmp_path / "outbox.db", durability="normal")) as outbox:
        yield outbox


def queue_of(outbox: SqliteOutbox, order: Order) -> WorkQueue:
    if order is Order.NONE:
        return UnorderedQueue(BOT, outbox, backlog_limit=16)
    queue = OrderedQueue(BOT, outbox, order=order, backlog_limit=16)
    queue.begin([])
    return queue


def fresh(number: int, *, sid: str = "7", order: Order = Order.SID, padding: int = 0) -> Delivery:
    """Return a delivery that no outbox has."""
    each = event(number, sid=sid, padding=padding)
    key = order_key(order, source=each.source, sid=each.sid)
    return new_delivery(each, BOT, ("r",), event_seq=number, accepted_at=NOW, order_key=key)


def taken(queue: WorkQueue) -> list[int]:
    """Take everything that may be taken now; return the numbers of the events."""
    found = []
    while (work := queue.take(may_be_backlog=True)) is not None:
        found.append(work.delivery.event_seq)
    return found


@ORDERS
async def test_what_has_a_place_is_not_taken_before_it_is_started(outbox: SqliteOutbox, order: Order) -> None:
    queue, delivery = queue_of(outbox, order), fresh(1, order=order)
    assert queue.reserve(delivery)
    assert not queue.has_work(may_be_backlog=True)
    assert not queue.has_fresh()
    assert taken(queue) == []
    assert queue.start(delivery)
    assert queue.has_fresh()
    assert taken(queue) == [1]


@ORDERS
async def test_a_place_counts_as_taken_until_it_is_given_up(
    outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch, order: Order
) -> None:
    for module in (work_queue, order_lines):
        monkeypatch.setattr(module, "MAX_FRESH", 2)
    queue = queue_of(outbox, order)
    first, second, third = (fresh(number, sid=str(number), order=order) for number in range(3))
    assert queue.reserve(first)
    assert queue.reserve(second)
    assert not queue.reserve(third)
    queue.cancel(first)
    assert queue.reserve(fresh(4, sid="4", order=order))
    assert not queue.start(first)
    assert queue.start(second)
    assert taken(queue) == [1]


@ORDERS
async def test_so_do_its_bytes(outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch, order: Order) -> None:
    for module in (work_queue, order_lines):
        monkeypatch.setattr(module, "MAX_FRESH_BYTES", 1000)
    queue = queue_of(outbox, order)
    large = fresh(1, sid="1", order=order, padding=900)
    assert queue.reserve(large)
    assert not queue.reserve(fresh(2, sid="2", order=order, padding=900))
    queue.cancel(large)
    queue.cancel(large)  # nothing more to give up
    assert queue.reserve(fresh(3, sid="3", order=order, padding=900))
    assert not queue.reserve(fresh(4, sid="4", order=order))


@ORDERS
async def test_a_place_is_gone_when_everything_was_given_back_meanwhile(outbox: SqliteOutbox, order: Order) -> None:
    queue = queue_of(outbox, order)
    delivery, started = fresh(1, order=order), fresh(2, sid="8", order=order)
    assert queue.reserve(delivery)
    assert queue.reserve(started)
    assert queue.start(started)
    assert queue.give_back() == [started]  # the outbox does not have the other one
    assert not queue.start(delivery)
    queue.cancel(delivery)  # no place to give up any more
    assert taken(queue) == []
    assert queue.give_back() == []


async def test_a_place_in_the_order_is_kept_whatever_is_started_first(outbox: SqliteOutbox) -> None:
    queue = queue_of(outbox, Order.SID)
    first, second, other = fresh(1), fresh(2), fresh(3, sid="8")
    assert all(queue.reserve(each) for each in (first, second, other))
    assert queue.start(second)
    assert queue.start(other)
    assert taken(queue) == [3]
    assert queue.start(first)
    assert taken(queue) == [1]
    queue.finished(first)
    assert taken(queue) == [2]


async def test_what_is_under_way_does_not_let_a_place_behind_it_go_first(outbox: SqliteOutbox) -> None:
    queue = queue_of(outbox, Order.SID)
    first, second = fresh(1), fresh(2)
    assert queue.reserve(first)
    assert queue.start(first)
    assert queue.reserve(second)
    assert taken(queue) == [1]
    queue.finished(first)
    assert not queue.has_work(may_be_backlog=True)
    assert queue.start(second)
    assert taken(queue) == [2]


async def test_a_place_that_is_given_up_lets_the_next_one_go(outbox: SqliteOutbox) -> None:
    queue = queue_of(outbox, Order.SID)
    first, second, third = fresh(1), fresh(2), fresh(3)
    assert all(queue.reserve(each) for each in (first, second, third))
    assert queue.start(third)
    queue.cancel(second)
    assert taken(queue) == []
    queue.cancel(first)
    assert taken(queue) == [3]
    queue.finished(third)
    fourth = fresh(4)
    assert queue.reserve(fourth)
    queue.cancel(fourth)
    assert not queue.has_work(may_be_backlog=True)


async def test_behind_a_place_that_was_lost_nothing_goes_first(outbox: SqliteOutbox) -> None:
    queue = queue_of(outbox, Order.SID)
    lost = keep(outbox, 1, order_key="x:7")
    assert queue.reserve(lost)
    queue.give_back()
    assert not queue.reserve(keep(outbox, 2, DeliveryStatus.PENDING, order_key="x:7"))
    assert not queue.start(lost)
    outbox.release(lost)
    await queue.fill(NOW, is_early=False)
    assert taken(queue) == [lost.event_seq]
    outbox.complete(lost, attempt(200))
    queue.finished(lost)
    assert taken(queue) == [lost.event_seq + 1]


async def test_a_place_is_lost_when_there_is_no_room_for_one_that_comes_before_it(
    outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_lines, "MAX_FRESH", 1)
    queue = queue_of(outbox, Order.STRICT)
    waited = keep(outbox, 0, DeliveryStatus.PENDING, waits_until=NOW)
    behind = keep(outbox, 1, order_key="*")
    assert queue.reserve(behind)
    await queue.fill(NOW, is_early=False)  # its wait is over
    assert not queue.start(behind)
    outbox.release(behind)
    queue.expect("*")
    work = queue.take(may_be_backlog=True)
    assert work is not None
    assert work.delivery.event_seq == waited.event_seq
    outbox.complete(work.delivery, attempt(200))
    assert queue.finished(work.delivery)
    await queue.fill(NOW, is_early=False)
    assert taken(queue) == [behind.event_seq]


def reserve(scene: Scene, number: int) -> Delivery:
    """Reserve a place for the delivery of an event, and have the outbox take it as ingest does."""
    each = event(number)
    key = order_key(scene.lane.destination.order, source=each.source, sid=each.sid)
    seq = scene.outbox.new_seq()
    delivery = new_delivery(each, BOT, ("r",), event_seq=seq, accepted_at=scene.steady(), order_key=key)
    assert scene.lane.queue.reserve(delivery)
    scene.outbox.enqueue(
        each,
        seq,
        {DeliveryStatus.IN_FLIGHT: [delivery]},
        entry=LedgerEntry.MATCHED,
        now=scene.clock(),
        read_at=monotonic(),
    )
    return delivery


@pytest.mark.parametrize("is_resumed", [True, False])
@ORDERS
async def test_a_pause_between_the_two_has_it_wait_in_the_outbox(
    tmp_path: Path, order: Order, *, is_resumed: bool
) -> None:
    path = tmp_path / "outbox.db"
    async with Receiver() as receiver:
        async with running(path, destination(receiver.url, order=order)) as scene:
            scene.bring([event(0)])
            await receiver.wait_for(1)
            delivery = reserve(scene, 1)
            scene.lane.pause()
            if is_resumed:
                scene.lane.resume()
            scene.lane.queue.start(delivery)
            scene.bring([event(2)])
            await scene.outbox.settle()
            assert receiver.received == 1 or is_resumed
            scene.lane.resume()
            await receiver.wait_for(3)
    mids = [int(json.loads(request.body)["mid"]) for request in receiver.requests]
    assert sorted(mids) == [0, 1, 2]
    assert order is Order.NONE or mids == [0, 1, 2]
    assert look(path, "SELECT status, count(*) FROM deliveries GROUP BY 1") == [("delivered", 3)]


@pytest.mark.parametrize("is_over", [True, False])
@ORDERS
async def test_a_stop_between_the_two_leaves_it_to_the_next_run(tmp_path: Path, order: Order, *, is_over: bool) -> None:
    path = tmp_path / "outbox.db"
    async with Receiver() as receiver:
        target = destination(receiver.url, order=order)
        async with running(path, target) as scene:
            scene.bring([event(0)])
            await receiver.wait_for(1)
            await scene.until(lambda: len(scene.attempts) == 1)
            delivery = reserve(scene, 1)
            scene.lane.stop(scene.grace)
            if is_over:
                await scene.task
            scene.lane.queue.start(delivery)
        assert look(path, "SELECT status, count(*) FROM deliveries GROUP BY 1") == [("delivered", 1), ("pending", 1)]
        async with running(path, target, has_backlog=True):
            await receiver.wait_for(2)


@ORDERS
async def test_a_place_that_is_given_up_leaves_nothing(tmp_path: Path, order: Order) -> None:
    async with Receiver() as receiver:
        async with running(tmp_path / "outbox.db", destination(receiver.url, order=order)) as scene:
            scene.bring([event(0)])
            await receiver.wait_for(1)
            delivery = fresh(1000, order=order)
            assert scene.lane.queue.reserve(delivery)
            scene.lane.queue.cancel(delivery)
            scene.bring([event(2)])
            await receiver.wait_for(2)
    assert look(tmp_path / "outbox.db", "SELECT status, count(*) FROM deliveries GROUP BY 1") == [("delivered", 2)]
