"""Each destination has its own lane; the limits are shared between lanes, and outlast the lane that a reload replaces."""

import asyncio
from datetime import timedelta
from pathlib import Path
from time import monotonic

from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.delivery import Delivery, DeliveryStatus, DestinationName, new_delivery
from forwarder.core.dispatch.ordering import Order, order_key
from forwarder.core.dispatch.quota import Allowance, QuotaLimit
from forwarder.core.dispatch.token_bucket import Rate
from forwarder.core.ledger import LedgerEntry
from forwarder.destinations.sender import open_sender
from forwarder.dispatch.dispatcher import Dispatcher
from forwarder.dispatch.lane import Lane, Timing
from forwarder.emulator.receiver import Receiver
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.lanes import BOT, Recorder, destination, event, mids, running, utc_now

OTHER = DestinationName("other")
URL = "http://127.0.0.1:9/"


def delivery(number: int, to: DestinationName = BOT, *, key: str | None = None) -> Delivery:
    return new_delivery(event(number), to, ("r",), event_seq=number, accepted_at=utc_now(), order_key=key)


def store(outbox: SqliteOutbox, number: int, *, wait: timedelta | None = None, order: Order = Order.NONE) -> Delivery:
    """Store an event as pending, without the lane being notified."""
    each, seq, now = event(number), outbox.new_seq(), utc_now()
    waits_until = None if wait is None else now + wait
    key = order_key(order, source=each.source, sid=each.sid)
    made = new_delivery(each, BOT, ("r",), event_seq=seq, accepted_at=now, waits_until=waits_until, order_key=key)
    outbox.enqueue(each, seq, {DeliveryStatus.PENDING: [made]}, entry=LedgerEntry.MATCHED, now=now, read_at=monotonic())
    return made


def test_a_rate_limit_is_the_same_one_after_a_reload_unless_it_changed() -> None:
    dispatcher = Dispatcher()
    rate, another = (Rate(count=count, per=timedelta(seconds=1)) for count in (5, 6))
    bucket = dispatcher.limits(destination(URL, rate_limit=rate)).bucket
    assert bucket is not None
    assert dispatcher.limits(destination(f"{URL}moved", rate_limit=rate)).bucket is bucket
    assert dispatcher.limits(destination(URL, rate_limit=another)).bucket is not bucket
    assert dispatcher.limits(destination(URL, rate_limit=rate, name=OTHER)).bucket is not bucket
    assert dispatcher.limits(destination(URL)).bucket is None


def test_what_a_service_allows_is_shared_by_all_destinations_that_use_it() -> None:
    dispatcher = Dispatcher()
    webhook, chat = (
        Allowance(key=key, limits=(QuotaLimit(count=5, per=timedelta(seconds=2)),)) for key in ("webhook", "chat")
    )
    one = dispatcher.limits(destination(URL, allowances=(webhook, chat)))
    two = dispatcher.limits(destination(URL, allowances=(chat,), name=OTHER))
    assert one.quotas[1] is two.quotas[0]
    assert one.quotas[0] is not one.quotas[1]


def test_the_backlogs_of_all_lanes_share_one_throttle() -> None:
    dispatcher = Dispatcher()
    one, two = dispatcher.limits(destination(URL)), dispatcher.limits(destination(URL, name=OTHER))
    assert one.throttle is two.throttle
    assert Dispatcher().limits(destination(URL)).throttle is not one.throttle


async def test_a_place_is_reserved_in_the_lane_of_the_destination(tmp_path: Path) -> None:
    dispatcher = Dispatcher()
    async with Receiver() as receiver, running(tmp_path / "outbox.db", destination(receiver.url)) as scene:
        dispatcher.lanes[BOT] = scene.lane
        mine = delivery(1)
        assert dispatcher.reserve(mine) is scene.lane.queue
        assert dispatcher.reserve(delivery(1, OTHER)) is None
        scene.lane.queue.cancel(mine)
        scene.lane.pause()
        assert dispatcher.reserve(delivery(2)) is None


def test_a_destination_without_a_lane_is_left_to_the_outbox() -> None:
    dispatcher = Dispatcher()
    assert dispatcher.reserve(delivery(1)) is None
    dispatcher.note_pending(delivery(1))
    dispatcher.look(BOT)
    dispatcher.look_after_another(BOT)
    assert dispatcher.lanes == {}


async def test_a_lane_asks_the_outbox_again_when_it_is_asked_to(tmp_path: Path) -> None:
    dispatcher = Dispatcher()
    async with Receiver() as receiver, running(tmp_path / "outbox.db", destination(receiver.url)) as scene:
        dispatcher.lanes[BOT] = scene.lane
        scene.bring([event(0)])
        await receiver.wait_for(1)
        store(scene.outbox, 1)
        dispatcher.look(BOT)
        await receiver.wait_for(2)
        dispatcher.note_pending(store(scene.outbox, 2))
        await receiver.wait_for(3)
        waiting = store(scene.outbox, 3, wait=timedelta(seconds=0.2))
        dispatcher.note_pending(waiting)
        await receiver.wait_for(4)
        assert waiting.waits_until is not None
        assert utc_now() >= waiting.waits_until
    assert mids(receiver) == [0, 1, 2, 3]


async def test_an_ordered_lane_begins_when_the_lane_that_it_replaces_has_ended(tmp_path: Path) -> None:
    dispatcher = Dispatcher()
    settings = FileSettings(path=tmp_path / "outbox.db", durability="normal")
    async with Receiver() as receiver, open_outbox(settings) as outbox:
        target = destination(receiver.url, order=Order.STRICT)
        for number in range(3):
            store(outbox, number, order=Order.STRICT)
        lane = Lane(
            target,
            outbox=outbox,
            observer=Recorder(),
            timing=Timing(clock=ProcessClock(), chance=lambda: 0.5),
            limits=dispatcher.limits(target),
            follows=True,
        )
        dispatcher.lanes[BOT] = lane
        async with (
            open_sender(target.url, transport=target.transport, timeout=target.timeout, clock=utc_now) as sender,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(lane.run(sender, has_backlog=True))
            await outbox.settle()
            assert dispatcher.reserve(delivery(100, key="")) is None  # what waits before it is not known yet
            assert receiver.received == 0
            dispatcher.look_after_another(BOT)
            await receiver.wait_for(3)
            lane.stop(timedelta(seconds=5))
    assert mids(receiver) == [0, 1, 2]
