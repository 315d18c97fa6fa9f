"""Attempts that come together are sent as one request, and each gets its own outcome."""

import asyncio
import json
from datetime import timedelta

from forwarder.core.delivery import Answered, Outcome
from forwarder.core.destinations.destination import Batch
from forwarder.core.destinations.request import WebhookRequest
from forwarder.core.dispatch.token_bucket import Rate, TokenBucket
from forwarder.destinations.batch_sender import BatchSender

MINUTE = timedelta(minutes=1)


class Peer:
    """A sender that keeps what it sends, and refuses one event."""

    def __init__(self, refused: int | None = None, *, hangs: bool = False) -> None:
        self.bodies: list[list[int]] = []
        self.sent = asyncio.Event()
        self._refused = refused
        self._hangs = hangs

    async def send(self, request: WebhookRequest) -> Outcome:
        self.bodies.append(json.loads(request.body))
        self.sent.set()
        if self._hangs:
            await asyncio.Event().wait()
        return Answered(status=400 if self._refused in self.bodies[-1] else 200)

    async def knock(self) -> bool:
        return True


def request(number: int) -> WebhookRequest:
    return WebhookRequest(fixed={}, id=f"msg_{number}", timestamp=0, body=str(number).encode())


async def statuses(sender: BatchSender, *numbers: int) -> list[int]:
    outcomes = await asyncio.gather(*(sender.send(request(number)) for number in numbers))
    return [each.status for each in outcomes if isinstance(each, Answered)]


async def test_a_full_batch_is_sent_at_once_and_the_rest_after_its_wait() -> None:
    peer = Peer()
    full = BatchSender(peer, Batch(count=2, within=MINUTE))
    assert await statuses(full, 1, 2, 3, 4) == [200] * 4
    assert peer.bodies == [[1, 2], [3, 4]]
    part = BatchSender(peer, Batch(count=10, within=timedelta(milliseconds=10)))
    assert await statuses(part, 5, 6) == [200, 200]
    assert peer.bodies[2:] == [[5, 6]]
    assert await full.knock()


async def test_one_event_that_is_refused_does_not_take_the_others_with_it() -> None:
    peer = Peer(refused=2)
    assert await statuses(BatchSender(peer, Batch(count=3, within=MINUTE)), 1, 2, 3) == [200, 400, 200]
    assert peer.bodies == [[1, 2, 3], [1], [2], [3]]


async def test_what_a_stop_cut_short_before_it_was_sent_is_not_sent() -> None:
    peer = Peer()
    sender = BatchSender(peer, Batch(count=2, within=MINUTE))
    first = asyncio.ensure_future(sender.send(request(1)))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.ensure_future(sender.send(request(2)))
    await second
    assert peer.bodies == [[2]]


async def test_the_end_of_a_lane_ends_what_is_under_way_and_what_waits() -> None:
    peer = Peer(hangs=True)
    sender = BatchSender(peer, Batch(count=2, within=MINUTE))
    under_way = [asyncio.ensure_future(sender.send(request(number))) for number in range(3)]
    await peer.sent.wait()
    await sender.close()
    done, waiting = await asyncio.wait(under_way, timeout=0)
    assert [each.cancelled() for each in done] == [True, True]
    for each in waiting:
        each.cancel()


async def test_an_error_of_ours_is_raised_in_each_attempt() -> None:
    class Broken(Peer):
        async def send(self, _request: WebhookRequest) -> Outcome:
            raise ZeroDivisionError

    sender = BatchSender(Broken(), Batch(count=2, within=MINUTE))
    raised = await asyncio.gather(sender.send(request(1)), sender.send(request(2)), return_exceptions=True)
    assert [type(each) for each in raised] == [ZeroDivisionError] * 2


class TimedPeer(Peer):
    """A sender that keeps when it was asked to send."""

    def __init__(self, refused: int | None = None) -> None:
        super().__init__(refused)
        self.times: list[float] = []

    async def send(self, request: WebhookRequest) -> Outcome:
        self.times.append(asyncio.get_running_loop().time())
        return await super().send(request)

    def assert_spaced(self, spacing_s: float) -> None:
        """None comes before it is allowed, however late the others are; a late timer may be caught up."""
        for number, at in enumerate(self.times):
            assert at - self.times[0] >= spacing_s * number - 0.015


async def test_a_rate_limit_counts_requests_and_what_comes_meanwhile_joins_the_next_one() -> None:
    peer = TimedPeer()
    bucket = TokenBucket(Rate(count=10, per=timedelta(seconds=1)))
    sender = BatchSender(peer, Batch(count=2, within=timedelta(milliseconds=10)), bucket=bucket)
    first, *rest = await asyncio.gather(statuses(sender, 1), statuses(sender, 2, 3, 4, 5))
    assert [first, *rest] == [[200], [200] * 4]
    assert peer.bodies == [[1, 2], [3, 4], [5]]
    peer.assert_spaced(0.1)


async def test_single_requests_after_a_refusal_count_too() -> None:
    peer = TimedPeer(refused=2)
    bucket = TokenBucket(Rate(count=20, per=timedelta(seconds=1)))
    sender = BatchSender(peer, Batch(count=3, within=MINUTE), bucket=bucket)
    assert await statuses(sender, 1, 2, 3) == [200, 400, 200]
    assert peer.bodies == [[1, 2, 3], [1], [2], [3]]
    peer.assert_spaced(0.05)
