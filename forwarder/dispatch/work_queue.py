"""What a lane has in memory to deliver: fresh deliveries, the backlog that is due, and those kept for a retry.

Memory is bounded: what does not fit stays in the outbox and is claimed when there is room.
"""

import heapq
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
from msgspec import structs

from forwarder.core.delivery import Delivery, DestinationName
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.priority import Priority
from forwarder.core.ports import Outbox

MAX_FRESH = 1_000
MAX_FRESH_BYTES = 4 * 1024 * 1024
"""How many bytes of fresh deliveries one lane keeps in memory; the rest waits in the outbox until there is room."""
MAX_RETRIES = 256
MAX_RETRIES_BYTES = 1024 * 1024
"""How many bytes of deliveries that wait for a retry one lane keeps in memory; the rest waits in the outbox alone."""
LONGEST_WAIT = timedelta(minutes=1)
"""How often the outbox is asked at least, in case a clock step changed the due times."""
BACKLOG_TURN = 4
"""While fresh deliveries wait as well, every fourth turn is the backlog's."""


class Work(msgspec.Struct, frozen=True, gc=False):
    """A delivery to be attempted now."""

    delivery: Delivery
    is_backlog: bool
    due: datetime | None = None
    """When the delivery was due, if it is taken before that: to probe a receiver that is down."""


class WorkQueue(Protocol):
    """Holds in memory what a lane has to deliver. `take` is followed by one of `keep`, `leave` and `finished` for the same delivery."""

    def begin(self, order_keys: Iterable[str]) -> None:
        """Learn under which order keys something waits in the outbox alone; before that, an ordered queue accepts nothing."""
        ...

    def reserve(self, delivery: Delivery) -> bool:
        """Reserve a place in memory for a fresh delivery, or return that there is no room. `start` or `cancel` follows.

        The place counts as taken, and it is the delivery's place in the order; but `take` does not return the delivery yet.
        """
        ...

    def start(self, delivery: Delivery) -> bool:
        """Let `take` return a delivery that has a place; return `False` if `give_back` has taken the place away meanwhile."""
        ...

    def cancel(self, delivery: Delivery) -> None:
        """Give up the place of a delivery that is not to be made."""
        ...

    def expect(self, order_key: str) -> None:
        """Note that something with this key waits in the outbox alone: what comes after it must not be attempted first."""
        ...

    def take(self, *, may_be_backlog: bool) -> Work | None:
        """Return the next one to attempt: fresh ones first."""
        ...

    def take_early(self) -> Work | None:
        """Return one that is kept for later, for a probe."""
        ...

    def keep(self, delivery: Delivery, *, at: datetime, now: datetime) -> bool:
        """Keep one for its next attempt at `at`, or return that the outbox alone has to."""
        ...

    def leave(self, delivery: Delivery) -> None:
        """Note that a delivery waits for its next attempt in the outbox alone."""
        ...

    def finished(self, delivery: Delivery) -> bool:
        """Note that nothing more is to be done with a delivery; return whether the outbox has what waited for that."""
        ...

    def has_work(self, *, may_be_backlog: bool) -> bool:
        """Whether `take` would return something."""
        ...

    def has_fresh(self) -> bool:
        """Whether `take` would return something that was never attempted."""
        ...

    def has_backlog(self) -> bool:
        """Whether `take` would return something else, if it may be of the backlog."""
        ...

    def wants_more(self) -> bool:
        """Whether there is room for what the outbox has: asked when one of the backlog was taken, or a fresh one was not."""
        ...

    async def fill(self, now: datetime, *, is_early: bool) -> datetime:
        """Take what is due out of the outbox; return when to look again. `is_early`: at least one, due or not."""
        ...

    def bring_forward(self, now: datetime) -> None:
        """Make due at once what is kept for later; the oldest goes first."""
        ...

    def leave_kept(self, event_seqs: Collection[int]) -> list[Delivery]:
        """Return what is kept for later of these events, and have it no more. What has an order key stays."""
        ...

    def give_back(self) -> list[Delivery]:
        """Return everything, and have nothing any more. What has only a place loses it, and is not returned."""
        ...


class UnorderedQueue:
    """Holds deliveries that have no order among them."""

    def __init__(
        self,
        name: DestinationName,
        outbox: Outbox,
        *,
        backlog_limit: int,
        order: Order = Order.NONE,
        join: Callable[[Delivery], None] | None = None,
        priority: Priority | None = None,
    ) -> None:
        """`join` is called with what is claimed here and has a place in the `order`. With a `priority`, no others are claimed."""
        self._name = name
        self._outbox = outbox
        self._fresh: deque[Delivery] = deque()
        self._fresh_bytes = 0
        """Of those in `_fresh`, and of those that have a place."""
        self._reserved: set[int] = set()
        """The event numbers of those that have a place in `_fresh`, but may not be taken yet."""
        self._backlog: deque[Work] = deque()
        self._retries: list[tuple[datetime, int, Delivery]] = []
        """A heap, by when they are due and then by the number of their event, which is unique in a lane."""
        self._retries_bytes = 0
        self._backlog_limit = backlog_limit
        self._order = order
        self._join = join
        self._priority = priority
        self.has_more = False
        """More than there was room for was due in the outbox when it was asked last."""
        self._turns = 0

    def reserve(self, delivery: Delivery) -> bool:
        """See `WorkQueue`."""
        size = self._fresh_bytes + len(delivery.body)
        count = len(self._fresh) + len(self._reserved)
        if count >= MAX_FRESH or (count and size > MAX_FRESH_BYTES):
            return False
        self._reserved.add(delivery.event_seq)
        self._fresh_bytes = size
        return True

    def start(self, delivery: Delivery) -> bool:
        """See `WorkQueue`."""
        try:
            self._reserved.remove(delivery.event_seq)
        except KeyError:
            return False
        self._fresh.append(delivery)
        return True

    def cancel(self, delivery: Delivery) -> None:
        """See `WorkQueue`."""
        if delivery.event_seq in self._reserved:
            self._reserved.remove(delivery.event_seq)
            self._fresh_bytes -= len(delivery.body)

    def begin(self, order_keys: Iterable[str]) -> None:
        """See `WorkQueue`."""

    def expect(self, order_key: str) -> None:
        """See `WorkQueue`."""

    def has_work(self, *, may_be_backlog: bool) -> bool:
        """See `WorkQueue`."""
        return bool(self._fresh or (may_be_backlog and self._backlog))

    def has_fresh(self) -> bool:
        """See `WorkQueue`."""
        return bool(self._fresh)

    def has_backlog(self) -> bool:
        """See `WorkQueue`."""
        return bool(self._backlog)

    def take(self, *, may_be_backlog: bool) -> Work | None:
        """See `WorkQueue`."""
        if may_be_backlog and self._backlog:
            self._turns += 1
            if not (self._fresh and self._turns % BACKLOG_TURN):
                return self._backlog.popleft()
        if not self._fresh:
            return None
        delivery = self._fresh.popleft()
        self._fresh_bytes -= len(delivery.body)
        return Work(delivery, is_backlog=False)

    def take_early(self) -> Work | None:
        """See `WorkQueue`."""
        if not self._retries:
            return None
        at, _, delivery = heapq.heappop(self._retries)
        self._retries_bytes -= len(delivery.body)
        return Work(delivery, is_backlog=True, due=at)

    def keep(self, delivery: Delivery, *, at: datetime, now: datetime) -> bool:
        """See `WorkQueue`."""
        size = len(delivery.body)
        if (
            len(self._retries) >= MAX_RETRIES
            or (self._retries and self._retries_bytes + size > MAX_RETRIES_BYTES)
            or at - now > LONGEST_WAIT
        ):
            return False
        heapq.heappush(self._retries, (at, delivery.event_seq, delivery))
        self._retries_bytes += size
        return True

    def leave(self, delivery: Delivery) -> None:
        """See `WorkQueue`."""

    def finished(self, delivery: Delivery) -> bool:  # noqa: ARG002 - nothing waits for it
        """See `WorkQueue`."""
        return False

    def wants_more(self) -> bool:
        """See `WorkQueue`."""
        return len(self._backlog) <= self._backlog_limit // 2

    async def fill(self, now: datetime, *, is_early: bool) -> datetime:
        """See `WorkQueue`."""
        looks_at = now + LONGEST_WAIT
        while self._retries and self._retries[0][0] <= now:
            delivery = heapq.heappop(self._retries)[-1]
            self._retries_bytes -= len(delivery.body)
            self._backlog.append(Work(delivery, is_backlog=True))
        if (room := self._backlog_limit - len(self._backlog)) > 0:
            claim = await self._outbox.claim(
                self._name, now=now, limit=room, order=self._order, priority=self._priority
            )
            self.has_more = len(claim.deliveries) == room
            for delivery in claim.deliveries:
                if delivery.order_key is not None and self._join is not None:
                    self._join(delivery)
                else:
                    self._backlog.append(Work(delivery, is_backlog=True))
            if claim.next_due is not None and not self.has_more:
                looks_at = min(looks_at, claim.next_due)
            if is_early and not (self._fresh or self._backlog or self._retries) and claim.next_due is not None:
                early = await self._outbox.claim(self._name, now=now, limit=1, is_early=True, priority=self._priority)
                self._backlog.extend(
                    [Work(delivery, is_backlog=True, due=claim.next_due) for delivery in early.deliveries]
                )
        return min(looks_at, self._retries[0][0]) if self._retries else looks_at

    def bring_forward(self, now: datetime) -> None:
        """See `WorkQueue`."""
        held, self._retries = self._retries, []
        for entry in held:
            at, event_seq, delivery = entry
            is_due = at <= now or self._outbox.expedite_held(delivery)
            heapq.heappush(self._retries, (now, event_seq, delivery) if is_due else entry)

    def leave_kept(self, event_seqs: Collection[int]) -> list[Delivery]:
        """See `WorkQueue`."""
        left = [delivery for delivery in self._kept() if delivery.event_seq in event_seqs]
        self._retries = [entry for entry in self._retries if entry[1] not in event_seqs]
        heapq.heapify(self._retries)
        self._retries_bytes -= sum(len(delivery.body) for delivery in left)
        return left

    def give_back(self) -> list[Delivery]:
        """See `WorkQueue`."""
        everything = [*self._fresh, *(work.delivery for work in self._backlog), *self._kept()]
        self._fresh.clear()
        self._reserved.clear()
        self._backlog.clear()
        self._retries.clear()
        self._fresh_bytes = self._retries_bytes = 0
        return everything

    def _kept(self) -> Iterator[Delivery]:
        return (entry[-1] for entry in self._retries)


def tried(delivery: Delivery, attempts: int, *, is_refusal: bool = False) -> Delivery:
    """Return the delivery with so many counted attempts."""
    return structs.replace(delivery, attempts=attempts, refusals=delivery.refusals + is_refusal)
