"""A wall clock that is set while deliveries wait: nothing comes later for it, nothing sooner, and nothing grows old by it."""

from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.delivery import DeliveryStatus
from forwarder.core.dispatch.lane_events import BreakerClosed, BreakerOpened
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.retry import Done, RetryPolicy
from forwarder.emulator.receiver import Receiver
from tests.support.lanes import Scene, destination, event, number, running, utc_now
from tests.support.process import look

HOUR = timedelta(hours=1)
STEPS = pytest.mark.parametrize(
    "by", [-2 * HOUR, 2 * HOUR, timedelta(days=1), timedelta(days=-1), timedelta(days=3650)], ids=str
)
ORDERS = pytest.mark.parametrize("order", [Order.NONE, Order.SID, Order.STRICT])


class Wall:
    """The wall clock of this machine, which a test sets; the clock since boot goes on as it is."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def process_clock(self) -> ProcessClock:
        """Return the clocks of a process."""
        return ProcessClock(wall=lambda: utc_now() + self.ahead)


def done(scene: Scene) -> int:
    return sum(isinstance(decision, Done) for *_, decision in scene.attempts)


@STEPS
@ORDERS
async def test_what_waits_for_its_next_attempt_gets_it_when_it_would_have(
    path: Path, receiver: Receiver, by: timedelta, order: Order
) -> None:
    wall, wait = Wall(), timedelta(seconds=1)
    receiver.status = 400 + 8  # one that is tried again
    policy = RetryPolicy(delays=(wait,) * 3, jitter=0, max_age=timedelta(minutes=10))
    async with running(path, destination(receiver.url, retry=policy, order=order), clock=wall.process_clock()) as scene:
        scene.bring([event(number, sid=str(number)) for number in range(4)])
        await receiver.wait_until(lambda receiver: receiver.received >= (1 if order is Order.STRICT else 4))
        receiver.status = 200
        wall.ahead += by
        scene.clock()
        scene.bring([event(number, sid=str(number)) for number in range(4, 8)])
        await receiver.wait_for(8)
        await scene.until(lambda: done(scene) == 8)
    assert look(path, "SELECT status, count(*) FROM deliveries GROUP BY status") == [("delivered", 8)]
    first = [request.at for request in receiver.requests if number(request) == 0]
    assert len(first) == 2
    assert first[1] - first[0] >= 0.95


@STEPS
@ORDERS
async def test_what_waits_in_the_outbox_alone_goes_at_once(
    path: Path, receiver: Receiver, by: timedelta, order: Order
) -> None:
    wall = Wall()
    policy = RetryPolicy(delays=(HOUR,) * 3, max_age=timedelta(minutes=10))
    async with running(path, destination(receiver.url, retry=policy, order=order), clock=wall.process_clock()) as scene:
        scene.lane.pause()
        scene.bring([event(number, sid=str(number % 5)) for number in range(40)], status=DeliveryStatus.PENDING)
        wall.ahead += by
        scene.bring([event(number, sid=str(number % 5)) for number in range(40, 50)], status=DeliveryStatus.PENDING)
        scene.lane.resume()
        await receiver.wait_for(50)
        await scene.until(lambda: done(scene) == 50)
    assert look(path, "SELECT status, attempts, count(*) FROM deliveries GROUP BY 1, 2") == [("delivered", 1, 50)]


@STEPS
async def test_a_first_word_waits_for_its_full_text_no_longer_and_no_less(
    path: Path, receiver: Receiver, by: timedelta
) -> None:
    wall = Wall()
    async with running(path, destination(receiver.url), clock=wall.process_clock()) as scene:
        scene.bring([event(0)], wait=timedelta(seconds=1))
        began = scene.steady()
        wall.ahead += by
        scene.clock()
        await receiver.wait_for(1)
        assert scene.steady() - began >= timedelta(seconds=0.95)


@STEPS
async def test_nor_over_a_restart(path: Path, receiver: Receiver, by: timedelta) -> None:
    """Set back while nothing runs, it costs nothing; set forward it cannot be distinguished from a long stop, and everything is due."""
    wall = Wall()
    receiver.status = 503
    policy = RetryPolicy(delays=(timedelta(seconds=2),) * 9, jitter=0)
    async with running(path, destination(receiver.url, retry=policy), clock=wall.process_clock()) as scene:
        scene.bring([event(number) for number in range(20)])
        await scene.until(lambda: len(scene.attempts) >= 20)
    wall.ahead += by
    receiver.status = 200
    async with running(path, destination(receiver.url, retry=policy), clock=wall.process_clock()) as scene:
        assert scene.steady() >= min(utc_now(), utc_now() + by)
        await receiver.wait_for(20)
        await scene.until(lambda: done(scene) == 20)


@STEPS
async def test_a_receiver_that_is_back_gets_everything_once_and_nothing_is_brought_forward_in_vain(
    path: Path, receiver: Receiver, by: timedelta
) -> None:
    wall = Wall()
    receiver.status = 503
    policy = RetryPolicy(delays=(10 * HOUR,) * 9, jitter=0)
    async with running(path, destination(receiver.url, retry=policy), clock=wall.process_clock()) as scene:
        scene.bring([event(number) for number in range(50)])
        await scene.until(lambda: scene.heard(BreakerOpened) == 1)
        await scene.until(lambda: len(scene.attempts) >= 16)
        wall.ahead += by
        scene.bring([event(number) for number in range(50, 60)], status=DeliveryStatus.PENDING)
        receiver.status = 200
        await receiver.wait_for(60, timeout=20)
        await scene.until(lambda: scene.heard(BreakerClosed) == 1 and done(scene) == 60)
    assert look(path, "SELECT max(expedited) FROM deliveries") == [(1,)]
