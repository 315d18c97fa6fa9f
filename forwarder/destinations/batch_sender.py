"""Sends the requests of several attempts as one: those that come within a short time, up to a number.

Each attempt stays one of its own delivery, with its own outcome, so retries, dead letters and the ledger know single events only. What is
retried is sent with whatever else is sent then.
"""

import asyncio
from collections.abc import Sequence

from forwarder.core.delivery import Outcome
from forwarder.core.destinations.batch import batch_of, fixed_of, is_to_be_split
from forwarder.core.destinations.destination import Batch
from forwarder.core.destinations.request import FixedHeaders, WebhookRequest
from forwarder.core.dispatch.token_bucket import TokenBucket
from forwarder.core.ports import Sender

_Waiting = tuple[WebhookRequest, "asyncio.Future[Outcome]"]


class BatchSender:
    """Collects requests, and sends them over another sender."""

    def __init__(self, sender: Sender, batch: Batch, *, bucket: TokenBucket | None = None) -> None:
        """`bucket` is the rate limit of the destination, which counts requests."""
        self.sender = sender
        """What sends each batch."""
        self._bucket = bucket
        self._batch = batch
        self._within_s = batch.within.total_seconds()
        self._waiting: list[_Waiting] = []
        self._timer: asyncio.Handle | None = None
        self._fixed: FixedHeaders | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def send(self, request: WebhookRequest) -> Outcome:
        """Make one attempt, as a part of the next batch."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Outcome] = loop.create_future()
        self._waiting.append((request, outcome))
        if len(self._waiting) >= self._batch.count:
            self._flush()
        elif self._timer is None:
            self._timer = loop.call_later(self._within_s, self._flush)
        return await outcome

    async def knock(self) -> bool:
        """See `Sender`."""
        return await self.sender.knock()

    async def close(self) -> None:
        """End what is under way: the lane has ended, and its deliveries are made again."""
        if self._timer is not None:
            self._timer.cancel()
        under_way = list(self._under_way)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _flush(self) -> None:
        """Send what waits. If the rate limit does not allow it yet, more events may join until it does."""
        loop, count = asyncio.get_running_loop(), self._batch.count
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting = [each for each in self._waiting if not each[1].done()]  # the others were cut short by a stop
        is_due = True
        while self._waiting and (is_due or len(self._waiting) >= count):
            is_due = False
            if self._bucket is not None:
                if (allowed_at := self._bucket.allowed_at()) > loop.time():
                    self._timer = loop.call_at(allowed_at, self._flush)
                    return
                self._bucket.take(loop.time())
            part, self._waiting = self._waiting[:count], self._waiting[count:]
            task = loop.create_task(self._send_all(part))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        if self._waiting:
            self._timer = loop.call_later(self._within_s, self._flush)

    async def _send_all(self, waiting: Sequence[_Waiting]) -> None:
        try:
            outcome = await self._send([request for request, _ in waiting])
            if len(waiting) > 1 and is_to_be_split(outcome):
                for request, future in waiting:
                    await self._turn()
                    _conclude(future, await self._send([request]))
                return
        except asyncio.CancelledError:  # the lane has ended, and nobody waits any more
            for _, future in waiting:
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is raised in the attempts, whose lane ends by it
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        for _, future in waiting:
            _conclude(future, outcome)

    async def _turn(self) -> None:
        """Count another request, and wait until the rate limit allows it."""
        if self._bucket is not None:
            now = asyncio.get_running_loop().time()
            turn = max(self._bucket.allowed_at(), now)
            self._bucket.take(turn)
            await asyncio.sleep(turn - now)

    async def _send(self, requests: Sequence[WebhookRequest]) -> Outcome:
        if self._fixed is None:
            self._fixed = fixed_of(requests[0])
        return await self.sender.send(batch_of(requests, self._fixed, self._batch.signing))


def _conclude(future: "asyncio.Future[Outcome]", outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)
