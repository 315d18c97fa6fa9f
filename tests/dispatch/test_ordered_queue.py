"""Order: whatever fails and however often, each account's events arrive in the order they came; only that account waits."""

import asyncio
import json
import random
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from forwarder.core.dispatch.circuit_breaker import BreakerPolicy
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.retry import RetryPolicy
from forwarder.dispatch import order_lines
from forwarder.emulator.receiver import Action, Answer, Received, Receiver
from tests.support.lanes import destination, event, running
from tests.support.process import look

ACCOUNTS = ["1", "2", "3", "4", "5"]
QUICK = RetryPolicy(delays=(timedelta(milliseconds=5),) * 50)


class Ledger:
    """Notes what arrives of each account, and how many of one are under way together."""

    def __init__(self, seed: int, *, failures: float) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a test that can be run again
        self._failures = failures
        self._under_way: defaultdict[str, int] = defaultdict(int)
        self.most_of_one = 0
        self.most = 0
        self.taken: defaultdict[str, list[int]] = defaultdict(list)

    def respond(self, received: Received) -> Answer:
        sid = self._sid(received)
        self._under_way[sid] += 1
        self.most_of_one = max(self.most_of_one, self._under_way[sid])
        self.most = max(self.most, sum(self._under_way.values()))
        delay_s = self._random.random() * 0.004
        if self._random.random() >= self._failures:
            return Answer(delay_s=delay_s)
        answers = [Answer(status=500), Answer(status=503), Answer(action=Action.RESET), Answer(action=Action.CLOSE)]
        return replace(self._random.choice(answers), delay_s=delay_s)

    def done(self, received: Received) -> None:
        sid = self._sid(received)
        self._under_way[sid] -= 1
        if received.accepted:
            self.taken[sid].append(int(json.loads(received.body)["mid"]))

    @property
    def distinct(self) -> int:
        """How many events were taken."""
        return sum(len(set(mids)) for mids in self.taken.values())

    def has_taken(self, count: int, _receiver: Receiver) -> bool:
        """Whether so many events were taken."""
        return self.distinct == count

    @staticmethod
    def _sid(received: Received) -> str:
        return str(json.loads(received.body)["sid"])

    def assert_in_order(self, expected: int) -> None:
        """Each event once or, where its answer got lost, more often: but never one behind a later one."""
        assert self.most_of_one <= 1
        assert self.distinct == expected
        for sid, mids in self.taken.items():
            assert mids == sorted(mids), sid


@pytest.mark.parametrize("has_breaker", [True, False])
@pytest.mark.parametrize("seed", range(4))
async def test_each_account_keeps_its_order_under_random_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, *, has_breaker: bool
) -> None:
    """Memory for a few only, so that lines go through the outbox; two restarts in the middle of it."""
    monkeypatch.setattr(order_lines, "MAX_FRESH", 20)
    ledger, rng = Ledger(seed, failures=0.3), random.Random(seed)  # noqa: S311 - seeded, so that it can be repeated
    path, count = tmp_path / "outbox.db", 0
    async with Receiver(respond=ledger.respond, on_request=ledger.done) as receiver:
        target = destination(
            receiver.url, order=Order.SID, retry=QUICK, concurrency=8, breaker=BreakerPolicy(is_on=has_breaker)
        )
        for run in range(3):
            async with running(path, target, has_backlog=run > 0, seed=seed) as scene:
                for _ in range(20):
                    burst = [event(count + index, sid=rng.choice(ACCOUNTS)) for index in range(rng.randrange(1, 10))]
                    count += len(burst)
                    scene.bring(burst)
                    await asyncio.sleep(rng.random() * 0.01)
                if run == 2:
                    await receiver.wait_until(partial(ledger.has_taken, count), timeout=90)
    ledger.assert_in_order(count)
    assert ledger.most > 1  # accounts do not wait for each other


async def test_strict_is_one_at_a_time_and_in_order(tmp_path: Path) -> None:
    ledger = Ledger(7, failures=0.2)
    async with Receiver(respond=ledger.respond, on_request=ledger.done) as receiver:
        target = destination(receiver.url, order=Order.STRICT, retry=QUICK)
        async with running(tmp_path / "outbox.db", target) as scene:
            scene.bring([event(number, sid=ACCOUNTS[number % 5]) for number in range(100)])
            await receiver.wait_for(100, timeout=90)
    assert ledger.most == 1
    taken = [int(json.loads(request.body)["mid"]) for request in receiver.requests if request.accepted]
    assert taken == sorted(taken)


async def test_a_retry_that_takes_long_holds_up_its_own_account_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    async with Receiver() as receiver:
        receiver.respond = lambda received: Answer(status=500 if json.loads(received.body)["mid"] == "0" else 200)
        policy = RetryPolicy(delays=(timedelta(hours=2),))
        async with running(path, destination(receiver.url, order=Order.SID, retry=policy)) as scene:
            scene.bring([event(0, sid="1"), event(1, sid="1"), event(2, sid="2")])
            await receiver.wait_for(1)
            scene.bring([event(3, sid="1"), event(4, sid="2")])
            await receiver.wait_for(2)
            await asyncio.sleep(0.05)
        assert {json.loads(request.body)["mid"] for request in receiver.requests} == {"0", "2", "4"}
    assert look(path, "SELECT order_key, count(*) FROM deliveries WHERE status = 'pending' GROUP BY 1") == [("x:1", 3)]


async def test_what_waited_before_an_order_was_set_keeps_it_too(tmp_path: Path) -> None:
    path, ledger = tmp_path / "outbox.db", Ledger(1, failures=0)
    async with Receiver(respond=ledger.respond, on_request=ledger.done) as receiver:
        loose = destination(receiver.url)
        async with running(path, loose) as scene:
            scene.lane.pause()
            scene.bring([event(number, sid=ACCOUNTS[number % 2]) for number in range(50)])
        async with running(path, destination(receiver.url, order=Order.SID), has_backlog=True) as scene:
            scene.bring([event(number, sid=ACCOUNTS[number % 2]) for number in range(50, 60)])
            await receiver.wait_for(60)
    ledger.assert_in_order(60)


async def test_a_dead_delivery_lets_the_next_one_through(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        receiver.respond = lambda received: Answer(status=400 if json.loads(received.body)["mid"] == "0" else 200)
        async with running(tmp_path / "outbox.db", destination(receiver.url, order=Order.SID)) as scene:
            scene.bring([event(0), event(1)])
            await receiver.wait_for(1)
    assert [json.loads(request.body)["mid"] for request in receiver.requests] == ["0", "1"]
