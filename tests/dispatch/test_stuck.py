"""A lane never sleeps although there is work, and never works although there is none."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from forwarder.core.delivery import Delivery, DeliveryStatus
from forwarder.core.destinations.content import CannotFormatError, Content
from forwarder.core.dispatch.circuit_breaker import BreakerPolicy
from forwarder.core.dispatch.lane_events import BreakerOpened, PausedItself
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.retry import Dead, RetryPolicy
from forwarder.emulator.receiver import Answer, Receiver
from tests.support.lanes import AT_ONCE, destination, event, mids, running
from tests.support.process import look


@pytest.mark.alone
@pytest.mark.parametrize("order", [Order.NONE, Order.SID])
async def test_a_lane_with_nothing_to_probe_with_is_quiet(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, order: Order
) -> None:
    async with running(path, destination(receiver.url, order=order), has_backlog=True) as scene:
        claims, claim = 0, scene.outbox.claim

        async def counted(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as what it counts
            nonlocal claims
            claims += 1
            return await claim(*arguments, **named)

        monkeypatch.setattr(scene.outbox, "claim", counted)
        await asyncio.sleep(0.3)
        assert claims < 10
        scene.bring([event(0)])
        await receiver.wait_for(1, timeout=1)
        await scene.until(lambda: scene.lane.status().breaker == "closed")


async def test_what_came_while_an_ordered_lane_was_paused_is_delivered_after_it(path: Path, receiver: Receiver) -> None:
    async with running(path, destination(receiver.url, order=Order.SID)) as scene:
        scene.bring([event(0, sid="1")])
        await receiver.wait_for(1)
        scene.lane.pause()
        scene.bring([event(1, sid="1"), event(2, sid="2")])
        scene.lane.resume()
        scene.bring([event(3, sid="1"), event(4, sid="2")])
        await receiver.wait_for(5)
    assert [mid for mid in mids(receiver) if mid in {0, 1, 3}] == [0, 1, 3]
    assert [mid for mid in mids(receiver) if mid in {2, 4}] == [2, 4]


async def test_what_comes_while_a_lane_learns_its_order_is_delivered(path: Path, receiver: Receiver) -> None:
    async with running(path, destination(receiver.url, order=Order.SID)) as scene:
        number = 0
        while not receiver.accepted:  # before, while and after the lane reads what waits
            scene.bring([event(number, sid=str(number // 2)), event(number + 1, sid=str(number // 2))])
            number += 2
            await asyncio.sleep(0.0005)
        await receiver.wait_for(number)
    for first in range(0, number, 2):
        assert [mid for mid in mids(receiver) if mid // 2 == first // 2] == [first, first + 1]


@pytest.mark.alone
async def test_a_line_that_the_outbox_holds_goes_on_while_more_comes_for_it(path: Path, receiver: Receiver) -> None:
    async with running(path, destination(receiver.url, order=Order.STRICT)) as scene:
        scene.bring([event(number) for number in range(64)], status=DeliveryStatus.PENDING)
        number = 64

        async def go_on() -> None:
            nonlocal number
            while receiver.accepted < 64:
                scene.bring([event(number)])
                number += 1
                await asyncio.sleep(0.002)

        async with asyncio.timeout(3):
            await go_on()
        await receiver.wait_for(number)
    assert mids(receiver) == list(range(number))


async def test_what_cannot_be_formatted_any_more_does_not_stop_the_world(path: Path, receiver: Receiver) -> None:
    """It waits for a retry, the format is another one after a reload, and it is what the receiver is probed with."""
    receiver.status = 500
    slow = RetryPolicy(delays=(timedelta(hours=1),) * 9)
    async with running(path, destination(receiver.url, retry=slow)) as scene:
        scene.bring([event(0)])
        await scene.until(lambda: len(scene.attempts) == 1)

    def refuse(_delivery: Delivery) -> Content:
        raise CannotFormatError("no such field")

    receiver.status = 200
    calls = 0

    def guarded(delivery: Delivery) -> Content:
        nonlocal calls
        calls += 1
        assert calls < 100, "the lane spins"
        return refuse(delivery)

    async with running(path, destination(receiver.url, retry=slow, format_=guarded), has_backlog=True) as scene:
        await scene.until(lambda: bool(scene.attempts))
        assert isinstance(scene.attempts[0][2], Dead)
    assert look(path, "SELECT status, reason FROM deliveries") == [("dead", "no such field")]


@pytest.mark.alone
async def test_accounts_that_wait_in_the_outbox_get_their_turn_beside_fresh_ones(
    path: Path, receiver: Receiver
) -> None:
    receiver.delay_s = 0.005
    async with running(path, destination(receiver.url, order=Order.SID, concurrency=2)) as scene:
        scene.bring([event(number, sid=f"old{number}") for number in range(20)], status=DeliveryStatus.PENDING)
        number = 1000
        async with asyncio.timeout(5):
            while not set(range(20)) <= set(mids(receiver)):
                if number - 1000 - receiver.received < 30:  # more than it can take, always
                    scene.bring([event(number, sid=f"new{number}")])
                    number += 1
                else:
                    await asyncio.sleep(0.002)
        scene.lane.pause()


@pytest.mark.alone
async def test_what_waits_can_be_the_probe_while_attempts_of_the_backlog_hang(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.respond = lambda received: Answer(
        status=500 if int(json.loads(received.body)["mid"]) >= 100 else 200,
        delay_s=3 if not int(json.loads(received.body)["mid"]) else 0,
    )
    only_one_hangs = destination(receiver.url, concurrency=4, retry=RetryPolicy(delays=(timedelta(hours=1),)))
    async with running(path, only_one_hangs) as scene:
        scene.bring([event(number) for number in range(20)], status=DeliveryStatus.PENDING)
        await receiver.wait_until(lambda receiver: receiver.received == 1)
        scene.bring([event(number) for number in range(100, 105)])
        await scene.until(lambda: scene.heard(BreakerOpened) == 1)
        looks, fill = 0, scene.lane.queue.work.fill

        async def counted(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as what it counts
            nonlocal looks
            looks += 1
            return await fill(*arguments, **named)

        monkeypatch.setattr(scene.lane.queue.work, "fill", counted)
        await receiver.wait_for(1, timeout=2.5)
        assert looks < 50


async def test_gone_said_to_a_lane_that_ends_pauses_nothing(path: Path, receiver: Receiver) -> None:
    """It may be the old URL that is gone."""
    receiver.respond = lambda _: Answer(status=410, delay_s=0.2)
    async with running(path, destination(receiver.url, retry=AT_ONCE)) as scene:
        scene.bring([event(0)])
        await receiver.wait_until(lambda receiver: receiver.received == 1)
        scene.lane.stop(timedelta(seconds=5))
        await scene.until(lambda: bool(scene.attempts))
        assert not scene.heard(PausedItself)


async def test_many_accounts_that_fail_do_not_fill_the_memory(path: Path, receiver: Receiver) -> None:
    receiver.status = 500
    policy = RetryPolicy(delays=(timedelta(seconds=30),) * 9)
    target = destination(receiver.url, order=Order.SID, retry=policy, breaker=BreakerPolicy(is_on=False))
    async with running(path, target) as scene:
        scene.bring(
            [event(number, sid=str(number % 400), padding=1000) for number in range(4000)],
            status=DeliveryStatus.PENDING,
        )
        await scene.until(lambda: len(scene.attempts) >= 400)
        await scene.outbox.settle()
        assert scene.outbox.health().deliveries_in_memory < 2500
    assert look(path, "SELECT count(*) FROM deliveries WHERE attempts = 1") == [(400,)]


async def test_large_events_in_line_do_not_fill_the_memory(path: Path, receiver: Receiver) -> None:
    receiver.respond = lambda _: Answer(delay_s=0.5)
    async with running(path, destination(receiver.url, order=Order.SID)) as scene:
        scene.bring(
            [event(number, sid=str(number % 20), padding=200_000) for number in range(200)],
            status=DeliveryStatus.PENDING,
        )
        await receiver.wait_until(lambda receiver: receiver.received == 4)
        assert scene.outbox.health().deliveries_in_memory <= 20 + 4
        receiver.respond = None
        await receiver.wait_for(200)
