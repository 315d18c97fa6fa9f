"""Receivers that count as Discord, Slack and Telegram do: what they refuse to take is never sent."""

import asyncio
from collections import deque
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from forwarder.core.destinations.service_rules import allowances_of
from forwarder.core.dispatch.circuit_breaker import BreakerPolicy
from forwarder.core.dispatch.quota import Allowance, QuotaLimit, ServiceQuota
from forwarder.core.dispatch.retry import Rule
from forwarder.core.dispatch.token_bucket import Rate, TokenBucket
from forwarder.dispatch.admission import Admission
from forwarder.emulator.receiver import Answer, Received, Receiver
from tests.support.lanes import AT_ONCE, destination, event, running

DISCORD = allowances_of("discord", "http://127.0.0.1/api/webhooks/1/token", chat_id="")


class Bucket:
    """Refuses what comes too fast, and says in its headers how much is left."""

    def __init__(self, count: int, per_s: float) -> None:
        self._count, self._per_s = count, per_s
        self._taken: deque[float] = deque()
        self.refused = 0

    def respond(self, _: Received) -> Answer:
        now = monotonic()
        while self._taken and now - self._taken[0] >= self._per_s:
            self._taken.popleft()
        reset_after = self._per_s - (now - self._taken[0]) if self._taken else self._per_s
        headers = {"X-RateLimit-Reset-After": f"{reset_after:.3f}"}
        if len(self._taken) >= self._count:
            self.refused += 1
            return Answer(
                status=429, headers=headers | {"X-RateLimit-Remaining": "0", "Retry-After": f"{reset_after:.3f}"}
            )
        self._taken.append(now)
        return Answer(status=204, headers=headers | {"X-RateLimit-Remaining": str(self._count - len(self._taken))})


@pytest.mark.alone
async def test_no_429_comes_from_a_webhook_that_two_destinations_share(tmp_path: Path) -> None:
    bucket, quotas = Bucket(5, 2.0), [ServiceQuota(allowance) for allowance in DISCORD]
    async with Receiver(respond=bucket.respond) as receiver:
        target = destination(receiver.url, allowances=DISCORD)
        async with (
            running(tmp_path / "one.db", target, quotas=quotas) as one,
            running(tmp_path / "two.db", target, quotas=quotas) as two,
        ):
            one.bring([event(number) for number in range(6)])
            two.bring([event(number) for number in range(6)])
            await receiver.wait_for(12, timeout=90)
    assert bucket.refused == 0


@pytest.mark.alone
async def test_what_is_left_is_heeded_where_it_is_less_than_documented(tmp_path: Path) -> None:
    bucket = Bucket(2, 1.0)
    allowance = Allowance(key="k", limits=(QuotaLimit(count=5, per=timedelta(seconds=2)),), is_reported=True)
    async with Receiver(respond=bucket.respond) as receiver:
        target = destination(receiver.url, allowances=(allowance,), concurrency=1)
        async with running(tmp_path / "outbox.db", target, quotas=[ServiceQuota(allowance)]) as scene:
            scene.bring([event(number) for number in range(6)])
            await receiver.wait_for(6, timeout=90)
    assert bucket.refused == 0


async def test_a_429_of_one_holds_the_other_that_shares_its_budget(tmp_path: Path) -> None:
    quotas = [ServiceQuota(allowance) for allowance in DISCORD]
    async with Receiver() as receiver, Receiver() as other:
        receiver.respond = lambda _: (
            Answer(status=429, body=b'{"retry_after": 1.0}') if receiver.received == 1 else Answer(status=204)
        )
        async with (
            running(tmp_path / "one.db", destination(receiver.url, retry=AT_ONCE), quotas=quotas) as one,
            running(tmp_path / "two.db", destination(other.url), quotas=quotas) as two,
        ):
            one.bring([event(0)])
            await one.until(lambda: bool(one.attempts))
            refused_at = asyncio.get_running_loop().time()
            two.bring([event(0)])
            await other.wait_for(1)
            assert asyncio.get_running_loop().time() - refused_at >= 0.9
            await receiver.wait_for(1)


async def test_a_deleted_webhook_pauses_its_destination(tmp_path: Path) -> None:
    policy = destination("http://127.0.0.1/").retry
    gone = type(policy)(delays=policy.delays, statuses={"404": Rule.PAUSE})
    async with Receiver(status=404) as receiver:
        async with running(tmp_path / "outbox.db", destination(receiver.url, retry=gone)) as scene:
            scene.bring([event(0)])
            await scene.until(lambda: scene.lane.admission.is_paused)


def test_a_rate_whose_requests_the_sender_counts_only_says_when() -> None:
    bucket = TokenBucket(Rate(count=1, per=timedelta(seconds=10)))
    admission = Admission(concurrency=5, bucket=bucket, counts_rate=False, quotas=(), breaker=BreakerPolicy())
    for _ in range(2):
        assert admission.allowed_at(100.0, lambda: True) == 0.0
        admission.begin(100.0)
    bucket.take(100.0)
    assert admission.allowed_at(100.0, lambda: True) == pytest.approx(110.0, abs=0.1)
