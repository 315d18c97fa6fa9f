"""The deliveries of an ordered queue that are in memory: a line for each order key, and which lines may go on."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from forwarder.core.delivery import Delivery
from forwarder.dispatch.work_queue import MAX_FRESH, MAX_FRESH_BYTES, Work


@dataclass(slots=True)
class OrderLine:
    """Holds the deliveries with one order key, in their order, and what is known of those in the outbox."""

    waiting: deque[Work] = field(default_factory=deque)
    """Those in memory, in order; the first of them is the one under way, if there is one."""
    is_busy: bool = False
    """Its first delivery is being attempted."""
    is_claiming: bool = False
    """More of it is being claimed from the outbox."""
    is_in_outbox: bool = False
    """More of it, behind what is in memory, waits in the outbox alone."""
    wakes_at: datetime | None = None
    """When its first delivery is due; `None`: it is due."""

    @property
    def is_to_be_claimed(self) -> bool:
        """Whether the next of it is due in the outbox."""
        return self.is_in_outbox and not self.waiting and not self.is_claiming and self.wakes_at is None


class OrderLines:
    """Holds the lines by their key, and knows which of them have a delivery that may be attempted, and whether there is room."""

    def __init__(self) -> None:
        self.by_key: dict[str, OrderLine] = {}
        self._reserved: set[int] = set()
        """The event numbers of those that have their place in a line, but may not be attempted yet."""
        self._ready: deque[tuple[str, OrderLine]] = deque()
        """Lines whose first delivery is fresh."""
        self._ready_backlog: deque[tuple[str, OrderLine]] = deque()
        """Lines whose first delivery is not fresh."""
        self._count = 0
        self._bytes = 0

    def line(self, key: str) -> OrderLine:
        """Return the line of a key, which is made if there is none."""
        line = self.by_key.get(key)
        if line is None:
            line = self.by_key[key] = OrderLine()
        return line

    def first_in(self, delivery: Delivery) -> OrderLine | None:
        """Return the line that this delivery is the first of."""
        line = None if delivery.order_key is None else self.by_key.get(delivery.order_key)
        if line is not None and line.waiting and line.waiting[0].delivery.event_seq == delivery.event_seq:
            return line
        return None

    @property
    def is_crowded(self) -> bool:
        """Whether there is more in memory than there is room for: what is claimed or joins a line is added even where there is none."""
        return self._count > MAX_FRESH or self._bytes > MAX_FRESH_BYTES

    # New deliveries

    def reserve(self, line: OrderLine, delivery: Delivery) -> bool:
        """Reserve a place at the end of a line, if there is room."""
        size = self._bytes + len(delivery.body)
        if self._count >= MAX_FRESH or (self._count and size > MAX_FRESH_BYTES):
            return False
        self._reserved.add(delivery.event_seq)
        line.waiting.append(Work(delivery, is_backlog=False))
        self._count += 1
        self._bytes = size
        return True

    def start(self, delivery: Delivery) -> bool:
        """Let a delivery be attempted when it is the first of its line; return whether its place is still there."""
        if not self.lose_place(delivery):
            return False
        key = str(delivery.order_key)
        line = self.by_key[key]
        if line.waiting[0].delivery.event_seq == delivery.event_seq and self.is_ready(line):
            self._ready.append((key, line))
        return True

    def cancel(self, delivery: Delivery) -> None:
        """Give up the place of a delivery, if it is still there."""
        if not self.lose_place(delivery):
            return
        key = str(delivery.order_key)
        line = self.by_key[key]
        event_seq = delivery.event_seq
        place = next(place for place, work in enumerate(line.waiting) if work.delivery.event_seq == event_seq)
        del line.waiting[place]
        self._count -= 1
        self._bytes -= len(delivery.body)
        if place == 0:
            self.go_on(key, line)

    def lose_place(self, delivery: Delivery) -> bool:
        """Forget that a delivery has only a place; return whether it had."""
        try:
            self._reserved.remove(delivery.event_seq)
        except KeyError:
            return False
        return True

    # What the lines hold

    def append(self, line: OrderLine, work: Work) -> None:
        """Put a delivery at the end of a line."""
        line.waiting.append(work)
        self._count += 1
        self._bytes += len(work.delivery.body)

    def insert(self, key: str, line: OrderLine, work: Work) -> None:
        """Put a delivery in its place by the numbers of the events, behind one that is under way."""
        was_ready = self.is_ready(line)
        begin, place = int(line.is_busy), len(line.waiting)
        while place > begin and line.waiting[place - 1].delivery.event_seq > work.delivery.event_seq:
            place -= 1
        line.waiting.insert(place, work)
        self._count += 1
        self._bytes += len(work.delivery.body)
        if place == 0:
            line.wakes_at = None
        if self.is_ready(line) and not was_ready:
            self.make_ready(key, line)

    def pop(self, line: OrderLine, *, is_last: bool = False) -> Delivery:
        """Remove the first delivery of a line, or the last one, and return it."""
        delivery = (line.waiting.pop() if is_last else line.waiting.popleft()).delivery
        self._count -= 1
        self._bytes -= len(delivery.body)
        return delivery

    def give_back(self) -> list[Delivery]:
        """Remove and return all that is not under way. What has only a place loses it, and is not returned."""
        everything: list[Delivery] = []
        self._count = self._bytes = 0
        for line in self.by_key.values():
            under_way = line.waiting.popleft() if line.is_busy else None
            everything += [work.delivery for work in line.waiting if work.delivery.event_seq not in self._reserved]
            line.is_in_outbox = line.is_in_outbox or bool(line.waiting)
            line.waiting.clear()
            line.wakes_at = None
            if under_way is not None:
                self.append(line, under_way)
        self._reserved.clear()
        self._ready.clear()
        self._ready_backlog.clear()
        return everything

    # What may be attempted

    def is_ready(self, line: OrderLine) -> bool:
        """Whether the first delivery of a line may be attempted now."""
        return (
            bool(line.waiting)
            and not line.is_busy
            and line.wakes_at is None
            and line.waiting[0].delivery.event_seq not in self._reserved
        )

    def make_ready(self, key: str, line: OrderLine) -> None:
        """Have a line that is ready wait for its turn."""
        (self._ready_backlog if line.waiting[0].is_backlog else self._ready).append((key, line))

    def go_on(self, key: str, line: OrderLine) -> None:
        """Have the next delivery of a line wait for its turn, now that the first one is gone; forget a line without any."""
        if self.is_ready(line):
            self.make_ready(key, line)
        elif not line.waiting and not line.is_in_outbox and not line.is_claiming:
            del self.by_key[key]

    def take_fresh(self) -> Work | None:
        """Return the first delivery of the next line whose first one is fresh."""
        return self._take(self._ready)

    def take_backlog(self) -> Work | None:
        """Return the first delivery of the next line whose first one is not fresh."""
        return self._take(self._ready_backlog)

    def _take(self, ready: deque[tuple[str, OrderLine]]) -> Work | None:
        while ready:
            _, line = ready.popleft()
            if self.is_ready(line):
                line.is_busy = True
                return line.waiting[0]
        return None

    def has_ready(self, *, may_be_backlog: bool) -> bool:
        """Whether a line waits for its turn."""
        return bool(self._ready or (may_be_backlog and self._ready_backlog))

    def has_fresh(self) -> bool:
        """Whether a fresh delivery may be attempted."""
        return any(self.is_ready(line) for _, line in self._ready)

    @property
    def ready_backlog(self) -> int:
        """How many lines wait for their turn whose first delivery is not fresh."""
        return len(self._ready_backlog)
