"""The work queues of a lane that gets deliveries of routes with `priority: high`: of what waits, these go first.

They go before normal ones that are fresh too, and are not bounded by the share of the backlog. After twenty of them one normal one goes.
While more of them are due in the outbox than memory has, normal ones of the backlog wait for them.
"""

from collections import deque
from collections.abc import Collection, Iterable
from datetime import datetime

from forwarder.core.delivery import Delivery, DestinationName
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.priority import Priority, PriorityTurns
from forwarder.core.ports import Outbox
from forwarder.dispatch.order_lines import OrderLine, OrderLines
from forwarder.dispatch.ordered_queue import OrderedQueue
from forwarder.dispatch.work_queue import UnorderedQueue, Work

_LEAST_HIGH = 64
"""So many with a high priority, or lines that have one, are kept in memory at least, so that the outbox is asked for more before they are sent."""


class PriorityQueue:
    """Holds deliveries that have no order among them: those with a high priority, and the others. Each of the two has its own room."""

    def __init__(self, name: DestinationName, outbox: Outbox, *, backlog_limit: int) -> None:
        self._high = UnorderedQueue(name, outbox, backlog_limit=max(backlog_limit, _LEAST_HIGH), priority=Priority.HIGH)
        self._normal = UnorderedQueue(name, outbox, backlog_limit=backlog_limit, priority=Priority.NORMAL)
        self._turns = PriorityTurns()

    def _of(self, delivery: Delivery) -> UnorderedQueue:
        return self._high if delivery.is_high else self._normal

    def begin(self, order_keys: Iterable[str]) -> None:
        """See `WorkQueue`."""

    def expect(self, order_key: str) -> None:
        """See `WorkQueue`."""

    def reserve(self, delivery: Delivery) -> bool:
        """See `WorkQueue`."""
        return self._of(delivery).reserve(delivery)

    def start(self, delivery: Delivery) -> bool:
        """See `WorkQueue`."""
        return self._of(delivery).start(delivery)

    def cancel(self, delivery: Delivery) -> None:
        """See `WorkQueue`."""
        self._of(delivery).cancel(delivery)

    def take(self, *, may_be_backlog: bool) -> Work | None:
        """See `WorkQueue`. Those with a high priority may be of the backlog in any case."""
        if self._turns.is_high_first:
            may_be_normal = may_be_backlog and not self._high.has_more
            work = self._high.take(may_be_backlog=True) or self._normal.take(may_be_backlog=may_be_normal)
        else:
            work = self._normal.take(may_be_backlog=may_be_backlog) or self._high.take(may_be_backlog=True)
        if work is not None:
            self._turns.note(is_high=work.delivery.is_high)
        return work

    def take_early(self) -> Work | None:
        """See `WorkQueue`."""
        return self._high.take_early() or self._normal.take_early()

    def keep(self, delivery: Delivery, *, at: datetime, now: datetime) -> bool:
        """See `WorkQueue`."""
        return self._of(delivery).keep(delivery, at=at, now=now)

    def leave(self, delivery: Delivery) -> None:
        """See `WorkQueue`."""
        self._of(delivery).leave(delivery)

    def finished(self, delivery: Delivery) -> bool:
        """See `WorkQueue`."""
        return self._of(delivery).finished(delivery)

    def has_work(self, *, may_be_backlog: bool) -> bool:
        """See `WorkQueue`."""
        may_be_normal = may_be_backlog and not (self._high.has_more and self._turns.is_high_first)
        return self._high.has_work(may_be_backlog=True) or self._normal.has_work(may_be_backlog=may_be_normal)

    def has_fresh(self) -> bool:
        """See `WorkQueue`."""
        return self._high.has_fresh() or self._normal.has_fresh()

    def has_backlog(self) -> bool:
        """See `WorkQueue`."""
        return self._high.has_backlog() or self._normal.has_backlog()

    def wants_more(self) -> bool:
        """See `WorkQueue`."""
        return self._high.wants_more() or self._normal.wants_more()

    async def fill(self, now: datetime, *, is_early: bool) -> datetime:
        """See `WorkQueue`."""
        looks_at = await self._high.fill(now, is_early=is_early)
        is_still_early = is_early and not self._high.has_work(may_be_backlog=True)
        return min(looks_at, await self._normal.fill(now, is_early=is_still_early))

    def bring_forward(self, now: datetime) -> None:
        """See `WorkQueue`."""
        self._high.bring_forward(now)
        self._normal.bring_forward(now)

    def leave_kept(self, event_seqs: Collection[int]) -> list[Delivery]:
        """See `WorkQueue`."""
        return self._high.leave_kept(event_seqs) + self._normal.leave_kept(event_seqs)

    def give_back(self) -> list[Delivery]:
        """See `WorkQueue`."""
        return self._high.give_back() + self._normal.give_back()


class PriorityLines(OrderLines):
    """Knows also which lines have a delivery with a high priority in memory: the whole line goes first, in its order."""

    def __init__(self, high_limit: int) -> None:
        """`high_limit` is how many lines with such a delivery leave the room of the others as it is."""
        super().__init__()
        self._high_limit = high_limit
        self._ready_high: deque[tuple[str, OrderLine]] = deque()
        """Lines that are ready and have such a delivery. One that got it while it was ready is among the others too."""

    def start(self, delivery: Delivery) -> bool:
        """See `OrderLines`."""
        if not super().start(delivery):
            return False
        if delivery.is_high:
            self._promote(str(delivery.order_key))
        return True

    def insert(self, key: str, line: OrderLine, work: Work) -> None:
        """See `OrderLines`."""
        super().insert(key, line, work)
        if work.delivery.is_high:
            self._promote(key)

    def make_ready(self, key: str, line: OrderLine) -> None:
        """See `OrderLines`."""
        if any(work.delivery.is_high for work in line.waiting):
            self._ready_high.append((key, line))
        else:
            super().make_ready(key, line)

    def give_back(self) -> list[Delivery]:
        """See `OrderLines`."""
        self._ready_high.clear()
        return super().give_back()

    def take_high(self) -> Work | None:
        """Return the first delivery of the next line that has one with a high priority."""
        return self._take(self._ready_high)

    def has_ready(self, *, may_be_backlog: bool) -> bool:
        """See `OrderLines`."""
        return bool(self._ready_high) or super().has_ready(may_be_backlog=may_be_backlog)

    def has_fresh(self) -> bool:
        """See `OrderLines`."""
        is_fresh = any(self.is_ready(line) and not line.waiting[0].is_backlog for _, line in self._ready_high)
        return is_fresh or super().has_fresh()

    @property
    def ready_backlog(self) -> int:
        """See `OrderLines`. Lines that have one with a high priority have room of their own, and count only beyond that."""
        return max(len(self._ready_high) - self._high_limit, 0) + super().ready_backlog

    @property
    def room_for_high(self) -> int:
        """How many more lines that have one with a high priority there is room for."""
        return max(self._high_limit - len(self._ready_high), 0)

    def _promote(self, key: str) -> None:
        line = self.by_key[key]
        if self.is_ready(line):
            self._ready_high.append((key, line))


class PriorityOrderedQueue(OrderedQueue):
    """Holds lines of which those go first that have a delivery with a high priority. Within a line the order stays."""

    def __init__(self, name: DestinationName, outbox: Outbox, *, order: Order, backlog_limit: int) -> None:
        super().__init__(name, outbox, order=order, backlog_limit=backlog_limit)
        self._lines: PriorityLines = PriorityLines(max(backlog_limit, _LEAST_HIGH))
        self._priority_turns = PriorityTurns()
        self._has_more_high = False
        """When the outbox was asked last, more lines with a high priority were due there than there was room for."""

    def take(self, *, may_be_backlog: bool) -> Work | None:
        """See `WorkQueue`."""
        turns = self._priority_turns
        if turns.is_high_first:
            if (work := self._lines.take_high()) is not None:
                turns.note(is_high=True)
                return work
            may_be_backlog = may_be_backlog and not self._has_more_high
        if (work := super().take(may_be_backlog=may_be_backlog)) is not None:
            turns.note(is_high=False)
            return work
        return self._lines.take_high()

    async def fill(self, now: datetime, *, is_early: bool) -> datetime:
        """See `WorkQueue`. Lines that have a delivery with a high priority in the outbox are claimed first, while they have room."""
        self._has_more_high = False
        if any(line.is_to_be_claimed for line in self._lines.by_key.values()):
            high = set(await self._outbox.high_order_keys(self._name))
            lines = self._lines.by_key
            due = [key for key, line in lines.items() if key in high and line.is_to_be_claimed]
            room = self._lines.room_for_high
            first, last = due[:room], due[room:]
            rest = {key: line for key, line in lines.items() if key not in set(due)}
            self._lines.by_key = {key: lines[key] for key in first} | rest | {key: lines[key] for key in last}
            self._has_more_high = bool(last)
        return await super().fill(now, is_early=is_early)
