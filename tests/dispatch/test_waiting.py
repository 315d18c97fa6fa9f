"""First words that wait for their full text: when they go, in which order, and what goes meanwhile."""

import json
import random
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from forwarder.core.delivery import DeliveryStatus
from forwarder.core.dispatch.circuit_breaker import BreakerPolicy
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.retry import Done, RetryPolicy
from forwarder.dispatch import order_lines
from forwarder.dispatch.ordered_queue import OrderedQueue
from forwarder.emulator.receiver import Answer, Received, Receiver
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from tests.dispatch.test_message_edits import post
from tests.dispatch.test_ordered_queue import ACCOUNTS, QUICK, Ledger
from tests.support.chats import Chat
from tests.support.lanes import destination, event, mids, running
from tests.support.outbox import BOT, NOW, attempt, keep
from tests.support.process import look

SOON, LATE = timedelta(milliseconds=50), timedelta(hours=1)
PATIENT = RetryPolicy(delays=(timedelta(milliseconds=10),) * 1_000, jitter=0)


@pytest.mark.parametrize("order", Order)
async def test_nothing_waits_for_what_waits_not_even_after_a_restart(tmp_path: Path, order: Order) -> None:
    path = tmp_path / "outbox.db"
    async with Receiver() as receiver:
        target = destination(receiver.url, order=order)
        async with running(path, target) as scene:
            scene.bring([event(1, source="fast-x")], wait=LATE)
            scene.bring([event(2)])
            await receiver.wait_for(1)
        async with running(path, target, has_backlog=True) as scene:
            scene.bring([event(3)])
            await receiver.wait_for(2)
    assert mids(receiver) == [2, 3]
    assert look(path, "SELECT status, order_key, attempts FROM deliveries WHERE event_seq = 1") == [
        ("pending", None, 0)
    ]


@pytest.mark.parametrize("order", Order)
async def test_it_goes_when_its_wait_is_over_also_if_that_is_in_another_run(tmp_path: Path, order: Order) -> None:
    path = tmp_path / "outbox.db"
    async with Receiver() as receiver:
        target = destination(receiver.url, order=order)
        async with running(path, target) as scene:
            scene.bring([event(1, source="fast-x")], wait=SOON)
            await receiver.wait_for(1)
            scene.lane.pause()
            scene.bring([event(2, source="fast-x")], wait=SOON)
        async with running(path, target, has_backlog=True):
            await receiver.wait_for(2)
    assert mids(receiver) == [1, 2]
    assert look(path, "SELECT DISTINCT status, reason FROM deliveries") == [("delivered", None)]


@pytest.mark.parametrize("order", [Order.SID, Order.STRICT])
async def test_where_there_is_an_order_it_goes_before_what_came_after_it_and_is_not_there_yet(
    tmp_path: Path, order: Order
) -> None:
    """The second one fails until the wait of the first one is over and a lane has that; the third one is behind it."""
    arrived: set[str] = set()  # the first one may have come and gone before the second one is there

    def respond(received: Received) -> Answer:
        arrived.add(mid := json.loads(received.body)["mid"])
        is_second = mid == "2"
        has_first = "1" in arrived or scene.outbox.state_of(scene.lane.destination.name, 1) is not None
        return Answer(status=500 if is_second and not has_first else 200)

    async with Receiver(respond=respond) as receiver:
        target = destination(receiver.url, order=order, retry=PATIENT, breaker=BreakerPolicy(is_on=False))
        async with running(tmp_path / "outbox.db", target) as scene:
            scene.bring([event(1, source="fast-x")], wait=SOON)
            await scene.outbox.settle()
            scene.bring([event(2), event(3)])
            await receiver.wait_for(3)
    assert sorted(mids(receiver)) == [1, 2, 3]
    assert mids(receiver).index(1) < mids(receiver).index(3)


@pytest.mark.parametrize("room", [1_000, 1])
@pytest.mark.parametrize("order", Order)
async def test_the_edit_of_a_first_word_that_is_still_to_go_waits_for_it_and_not_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: Order, room: int
) -> None:
    """Where there is an order the edit has its place before the first word has one: that comes before it all the same."""
    monkeypatch.setattr(order_lines, "MAX_FRESH", room)
    chat = Chat("discord")
    async with Receiver(respond=chat.respond) as receiver:
        url = receiver.url.removesuffix("/hook") + chat.target
        target = destination(url, format_=chat.format_(), retry=QUICK, order=order)
        async with running(tmp_path / "outbox.db", target) as scene:
            for mid in range(1, 4):
                (first,) = scene.bring([post(mid, "first")], wait=SOON)
                scene.bring([post(mid, "full")], edits=first.event_seq)
            await scene.until(lambda: [type(each[2]) for each in scene.attempts].count(Done) == 6)
    assert chat.read() == [["first", "full"]] * 3


@pytest.mark.parametrize("seed", range(3))
async def test_those_that_wait_keep_their_order_under_random_failures_and_restarts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(order_lines, "MAX_FRESH", 20)
    ledger, rng = Ledger(seed, failures=0.3), random.Random(seed)  # noqa: S311 - a test that can be run again
    path, count = tmp_path / "outbox.db", 0
    async with Receiver(respond=ledger.respond, on_request=ledger.done) as receiver:
        target = destination(receiver.url, order=Order.SID, retry=QUICK, concurrency=8)
        for run in range(3):
            async with running(path, target, has_backlog=run > 0, seed=seed) as scene:
                for _ in range(20):
                    burst = [event(count + index, sid=rng.choice(ACCOUNTS)) for index in range(rng.randrange(1, 10))]
                    count += len(burst)
                    scene.bring(burst, wait=SOON)
                    await scene.outbox.settle()
                if run == 2:
                    await receiver.wait_until(partial(ledger.has_taken, count), timeout=90)
    ledger.assert_in_order(count)


@pytest.mark.parametrize("is_more_in_outbox", [False, True])
async def test_one_that_joins_a_line_whose_first_one_is_looked_at_comes_first_when_that_is_put_back(
    tmp_path: Path, *, is_more_in_outbox: bool
) -> None:
    """Or an edit would wait for the first word behind it, and that for the edit."""
    async with open_outbox(FileSettings(path=tmp_path / "outbox.db", durability="normal")) as outbox:
        stock = OrderedQueue(BOT, outbox, order=Order.STRICT, backlog_limit=16)
        stock.begin([])
        first = keep(outbox, 0, DeliveryStatus.PENDING, waits_until=NOW)
        edit = keep(outbox, 1, order_key="*")
        assert stock.reserve(edit)
        assert stock.start(edit)
        taken = stock.take(may_be_backlog=True)
        assert taken is not None
        assert taken.delivery == edit
        if is_more_in_outbox:
            keep(outbox, 2, DeliveryStatus.PENDING, order_key="*")
            stock.expect("*")
        await stock.fill(NOW, is_early=False)
        assert not stock.has_work(may_be_backlog=True)
        assert stock.keep(edit, at=NOW + SOON, now=NOW)
        order = []
        while (taken := stock.take(may_be_backlog=True)) is not None:
            order.append(taken.delivery.event_seq)
            outbox.complete(taken.delivery, attempt(200))
            stock.finished(taken.delivery)
            await stock.fill(NOW + SOON, is_early=False)
        assert order == [first.event_seq, edit.event_seq, *([edit.event_seq + 1] * is_more_in_outbox)]
