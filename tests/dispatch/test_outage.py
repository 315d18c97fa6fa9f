"""An outage is noticed where nothing but failures comes, and its end is noticed as soon as the receiver accepts connections."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from forwarder.core.dispatch.circuit_breaker import BreakerPolicy
from forwarder.core.dispatch.lane_events import (
    BreakerClosed,
    BreakerOpened,
)
from forwarder.core.dispatch.retry import Done, RetryPolicy
from forwarder.emulator.receiver import Answer, Receiver
from tests.support.lanes import destination, event, running
from tests.support.process import look


def seconds_between(receiver: Receiver) -> list[float]:
    return [later.at - earlier.at for earlier, later in pairwise(receiver.requests)]


def statuses(path: Path) -> dict[str, int]:
    return dict(look(path, "SELECT status, count(*) FROM deliveries GROUP BY status"))


async def test_one_failure_of_a_slow_schedule_is_probed_soon(path: Path, receiver: Receiver) -> None:
    """Nothing else comes, and the next try would be in an hour: the breaker opens by itself."""
    receiver.status = 500
    async with running(path, destination(receiver.url, retry=RetryPolicy(delays=(timedelta(hours=1),)))) as scene:
        scene.bring([event(0)])
        await scene.until(lambda: bool(scene.attempts))
        receiver.status = 200
        await receiver.wait_until(lambda receiver: receiver.accepted == 1, timeout=10)
        await scene.until(lambda: scene.heard(BreakerClosed) == 1)
    assert statuses(path) == {"delivered": 1}
    assert seconds_between(receiver)[0] >= 0.9


async def test_a_receiver_that_nobody_listened_at_gets_the_first_delivery_when_it_does(
    path: Path, receiver: Receiver
) -> None:
    """Asking whether somebody listens costs nothing: so no probe's time is waited for, and no attempt is counted."""
    probe_in_s: list[float] = []
    await receiver.stop_listening()
    slow = RetryPolicy(delays=(timedelta(hours=1),) * 9)
    async with running(path, destination(receiver.url, retry=slow)) as scene:
        scene.bring([event(number) for number in range(20)])
        await scene.until(lambda: scene.heard(BreakerOpened) == 1)
        breaker = scene.lane.admission.breaker
        breaker.probe_at += 3600  # what is shown is that it does not matter
        probe_in_s.append(breaker.probe_at - asyncio.get_running_loop().time())
        await receiver.start_listening()
        await receiver.wait_until(lambda receiver: receiver.accepted == 20, timeout=20)
        await scene.until(lambda: sum(isinstance(decision, Done) for *_, decision in scene.attempts) == 20)
    ((most,),) = look(path, "SELECT max(attempts) FROM deliveries")
    assert most == 2  # that of the beginning, and the one that was delivered
    assert probe_in_s[0] > 3000
    assert statuses(path) == {"delivered": 20}


async def test_an_outage_that_nobody_else_notices_is_reported_once(path: Path, receiver: Receiver) -> None:
    receiver.status = 500
    async with running(path, destination(receiver.url, retry=RetryPolicy(delays=(timedelta(hours=1),)))) as scene:
        scene.bring([event(0)])
        await scene.until(lambda: scene.heard(BreakerOpened) == 1)
        assert scene.lane.status().breaker != "closed"
        await receiver.wait_until(lambda receiver: receiver.received >= 2, timeout=20)  # a probe
        assert scene.heard(BreakerOpened) == 1
    assert look(path, "SELECT status, attempts FROM deliveries") == [("pending", 1)]


async def test_no_breaker_opens_at_a_destination_that_has_none(path: Path, receiver: Receiver) -> None:
    receiver.respond = lambda _: Answer(status=500 if receiver.received <= 3 else 200)
    quick = RetryPolicy(delays=(timedelta(seconds=0.5),) * 9, jitter=0)
    off = BreakerPolicy(is_on=False)
    async with running(path, destination(receiver.url, retry=quick, breaker=off)) as scene:
        scene.bring([event(0)])
        await receiver.wait_for(1)  # after one and a half seconds of nothing but failures
    assert not scene.heard(BreakerOpened)
    assert receiver.received == 4


async def test_after_a_stop_no_breaker_opens(path: Path, receiver: Receiver) -> None:
    receiver.status = 500
    async with running(path, destination(receiver.url, retry=RetryPolicy(delays=(timedelta(hours=1),)))) as scene:
        scene.bring([event(0)])
        await scene.until(lambda: len(scene.attempts) == 1)
        assert scene.lane.admission.breaker.opens_at is not None
        outage = scene.lane._outage
    assert outage._timer is not None
    assert outage._timer.cancelled()
    assert not scene.heard(BreakerOpened)
