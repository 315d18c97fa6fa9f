"""The stock of a lane whose deliveries keep an order: a line for each order key, of which one delivery at a time is attempted.

Whatever happens to the first of a line, those behind it wait; the other lines go on. A line whose first one waits for long,
or that grows too long, is given back to the outbox and claimed again when its time comes.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

from forwarder.core.delivery import Delivery, DestinationName
from forwarder.core.order import Order
from forwarder.core.ports import Outbox
from forwarder.dispatch.stock import BACKLOG_TURN, LONGEST_WAIT, MAX_FRESH, MAX_FRESH_BYTES, LooseStock, Taken

_CLAIM = 16
"""How many of a line are claimed at once."""
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class _Line:
    waiting: deque[Taken] = field(default_factory=deque)
    """In order; the first of it is the one under way, if one is."""
    is_busy: bool = False
    """Its first one is being attempted."""
    is_claiming: bool = False
    is_in_outbox: bool = False
    """More of it, behind what is here, waits in the outbox alone."""
    wakes_at: datetime | None = None
    """When its first one is due."""

    @property
    def has_more(self) -> bool:
        return self.is_in_outbox

    @property
    def is_ready(self) -> bool:
        return bool(self.waiting) and not self.is_busy and self.wakes_at is None


class OrderedStock:
    """Lines by their key, and beside them, without order, what a person had tried again.

    A first word that waited for its full text comes from there into its line, before what came after it.
    """

    def __init__(self, name: DestinationName, outbox: Outbox, *, order: Order, backlog_limit: int) -> None:
        self._name = name
        self._outbox = outbox
        self._backlog_limit = backlog_limit
        self._loose = LooseStock(name, outbox, backlog_limit=backlog_limit, order=order, join=self._join)
        self._lines: dict[str, _Line] = {}
        self._ready: deque[tuple[str, _Line]] = deque()
        """Lines whose first delivery is fresh."""
        self._ready_backlog: deque[tuple[str, _Line]] = deque()
        self._first_wake = _NEVER
        """No line that sleeps wakes before."""
        self._turns = 0
        self._is_turn_of_loose = False
        self._count = 0
        self._bytes = 0

    def offer(self, delivery: Delivery) -> bool:
        """See `Stock`. What has to wait behind something in the outbox waits there too."""
        key = delivery.order_key
        if key is None:
            return False
        line = self._lines.setdefault(key, _Line())
        if (
            line.is_in_outbox
            or line.is_claiming
            or self._count >= MAX_FRESH
            or (self._count and self._bytes + len(delivery.body) > MAX_FRESH_BYTES)
        ):
            line.is_in_outbox = True
            return False
        was_ready = line.is_ready
        self._append(line, Taken(delivery, is_backlog=False))
        if line.is_ready and not was_ready:
            self._make_ready(key, line)
        return True

    def expect(self, order_key: str) -> None:
        """See `Stock`."""
        self._lines.setdefault(order_key, _Line()).is_in_outbox = True

    def has_work(self, *, may_be_backlog: bool) -> bool:
        """See `Stock`."""
        return bool(self._ready or (may_be_backlog and self._ready_backlog)) or self._loose.has_work(
            may_be_backlog=may_be_backlog
        )

    def has_fresh(self) -> bool:
        """See `Stock`."""
        return any(line.is_ready for _, line in self._ready)

    def take(self, *, may_be_backlog: bool) -> Taken | None:
        """See `Stock`."""
        self._turns += 1
        if not may_be_backlog:
            return _take_of(self._ready)
        if not self._turns % BACKLOG_TURN:
            return self._take_backlog() or _take_of(self._ready)
        return _take_of(self._ready) or self._take_backlog()

    def _take_backlog(self) -> Taken | None:
        """Return the next of the lines, or of what a person asked for, in turn."""
        self._is_turn_of_loose = not self._is_turn_of_loose
        if self._is_turn_of_loose:
            return self._loose.take(may_be_backlog=True) or _take_of(self._ready_backlog)
        return _take_of(self._ready_backlog) or self._loose.take(may_be_backlog=True)

    def take_early(self) -> Taken | None:
        """See `Stock`."""
        asleep = [
            line for line in self._lines.values() if line.waiting and not line.is_busy and line.wakes_at is not None
        ]
        if not asleep:
            return self._loose.take_early()
        line = min(asleep, key=lambda line: (line.wakes_at is None, line.wakes_at))
        due, line.wakes_at, line.is_busy = line.wakes_at, None, True
        return line.waiting[0]._replace(is_backlog=True, due=due)

    def keep(self, delivery: Delivery, *, at: datetime, now: datetime) -> bool:
        """See `Stock`."""
        line = self._line_of(delivery)
        if line is None:
            return self._loose.keep(delivery, at=at, now=now)
        line.is_busy = False
        self._have_sleep(line, until=at)
        is_crowded = self._count > MAX_FRESH or self._bytes > MAX_FRESH_BYTES  # by lines that were claimed
        if at - now > LONGEST_WAIT or is_crowded:
            self._send_to_outbox(line)
            return False
        line.waiting[0] = Taken(delivery, is_backlog=True)
        if len(line.waiting) > 1 and line.waiting[1].delivery.event_seq < delivery.event_seq:  # it joined meanwhile
            line.waiting[0], line.waiting[1] = line.waiting[1], line.waiting[0]
            line.wakes_at = None
            self._make_ready(str(delivery.order_key), line)
        return True

    def leave(self, delivery: Delivery) -> None:
        """See `Stock`."""
        if (line := self._line_of(delivery)) is not None:
            line.is_busy = False
            self._send_to_outbox(line)

    def let_go(self, delivery: Delivery) -> bool:
        """See `Stock`."""
        line = self._line_of(delivery)
        if line is None:
            return self._loose.let_go(delivery)
        key = str(delivery.order_key)
        self._pop(line)
        line.is_busy = False
        if line.waiting:
            self._make_ready(key, line)
        elif not line.is_in_outbox and not line.is_claiming:
            del self._lines[key]
        return _is_to_be_claimed(line)

    def wants_more(self) -> bool:
        """See `Stock`."""
        return self._loose.wants_more() or any(map(_is_to_be_claimed, self._lines.values()))

    async def fill(self, now: datetime, *, is_early: bool) -> datetime:
        """See `Stock`."""
        looks_at = await self._loose.fill(now, is_early=False)
        if len(self._ready_backlog) >= self._backlog_limit and now < self._first_wake:
            return min(looks_at, self._first_wake)  # thousands of lines need no look at each event that comes
        self._first_wake = _NEVER
        for key, line in list(self._lines.items()):
            if line.wakes_at is not None:
                if line.wakes_at > now:
                    self._first_wake = min(self._first_wake, line.wakes_at)
                    continue
                line.wakes_at = None
                if line.is_ready:
                    self._make_ready(key, line)
            if _is_to_be_claimed(line) and len(self._ready_backlog) < self._backlog_limit:
                await self._claim(key, line, now)
        if is_early and not self.has_work(may_be_backlog=True):
            asleep = [(line.wakes_at, key) for key, line in self._lines.items() if line.wakes_at and not line.is_busy]
            if asleep and not self._lines[(first := min(asleep))[1]].waiting:
                await self._claim(first[1], self._lines[first[1]], now, is_early=True)
        return min(looks_at, self._first_wake)

    async def _claim(self, key: str, line: _Line, now: datetime, *, is_early: bool = False) -> None:
        """Take the next of a line out of the outbox, or have it sleep until there will be some."""
        due, line.wakes_at = line.wakes_at, None
        line.is_claiming, line.is_in_outbox = True, False
        limit = 1 if is_early else _CLAIM
        claim = await self._outbox.claim_in_order(self._name, key, now=now, limit=limit, is_early=is_early)
        line.is_claiming = False
        goes_on_there = line.has_more  # something was offered meanwhile
        for delivery in claim.deliveries:
            self._append(line, Taken(delivery, is_backlog=True, due=due if is_early else None))
        if claim.deliveries:
            line.is_in_outbox = goes_on_there or claim.next_due is not None
            self._make_ready(key, line)
        elif claim.next_due is not None:
            line.is_in_outbox = True
            self._have_sleep(line, until=claim.next_due)
        elif not goes_on_there:
            del self._lines[key]

    def bring_forward(self, now: datetime) -> None:
        """See `Stock`."""
        self._loose.bring_forward(now)
        for key, line in self._lines.items():
            if line.wakes_at is None or line.is_busy:
                continue
            if not line.waiting:
                self._have_sleep(line, until=now)  # of what the outbox has brought forward it is claimed again
            elif self._outbox.expedite_held(line.waiting[0].delivery):
                line.wakes_at = None
                self._make_ready(key, line)

    def give_back(self) -> list[Delivery]:
        """See `Stock`."""
        everything = self._loose.give_back()
        for line in self._lines.values():
            under_way = line.waiting.popleft() if line.is_busy else None
            everything += [taken.delivery for taken in line.waiting]
            line.is_in_outbox = line.is_in_outbox or bool(line.waiting)
            line.waiting.clear()
            line.wakes_at = None
            if under_way is not None:
                line.waiting.append(under_way)
        self._count = sum(len(line.waiting) for line in self._lines.values())
        self._bytes = sum(len(taken.delivery.body) for line in self._lines.values() for taken in line.waiting)
        self._ready.clear()
        self._ready_backlog.clear()
        return everything

    def _join(self, delivery: Delivery) -> None:
        """Have one whose wait is over take its place in its line, which is by the numbers of the events."""
        key = str(delivery.order_key)
        line = self._lines.setdefault(key, _Line())
        begin = int(line.is_busy)
        place = len(line.waiting)
        while place > begin and line.waiting[place - 1].delivery.event_seq > delivery.event_seq:
            place -= 1
        is_last = not line.waiting or line.waiting[-1].delivery.event_seq < delivery.event_seq
        if is_last and line.is_in_outbox:  # or among those there, of which it may be the first
            self._outbox.release(delivery)
            if not line.waiting:
                line.wakes_at = None
            return
        was_ready = line.is_ready
        line.waiting.insert(place, Taken(delivery, is_backlog=True))
        self._count += 1
        self._bytes += len(delivery.body)
        if place == 0:
            line.wakes_at = None
        if line.is_ready and not was_ready:
            self._make_ready(key, line)
        self._give_back_last(line)

    def _give_back_last(self, line: _Line) -> None:
        """Have the last one of a line wait in the outbox, if there is no room for it. Its first one may wait for those that joined."""
        is_crowded = self._count > MAX_FRESH or self._bytes > MAX_FRESH_BYTES
        if is_crowded and line.waiting[-1].delivery.event_seq > line.waiting[0].delivery.event_seq:
            delivery = line.waiting.pop().delivery
            self._count -= 1
            self._bytes -= len(delivery.body)
            self._outbox.release(delivery)
            line.is_in_outbox = True

    def _line_of(self, delivery: Delivery) -> _Line | None:
        """Return the line that this delivery is the first of."""
        line = None if delivery.order_key is None else self._lines.get(delivery.order_key)
        if line is not None and line.waiting and line.waiting[0].delivery.event_seq == delivery.event_seq:
            return line
        return None

    def _make_ready(self, key: str, line: _Line) -> None:
        ready = self._ready_backlog if line.waiting[0].is_backlog else self._ready
        ready.append((key, line))

    def _have_sleep(self, line: _Line, *, until: datetime) -> None:
        line.wakes_at = until
        self._first_wake = min(self._first_wake, until)

    def _append(self, line: _Line, taken: Taken) -> None:
        line.waiting.append(taken)
        self._count += 1
        self._bytes += len(taken.delivery.body)

    def _pop(self, line: _Line) -> Delivery:
        delivery = line.waiting.popleft().delivery
        self._count -= 1
        self._bytes -= len(delivery.body)
        return delivery

    def _send_to_outbox(self, line: _Line) -> None:
        """Have the line wait there: its first one is noted as pending by whoever asked, the others are given back here."""
        self._pop(line)
        while line.waiting:
            self._outbox.release(self._pop(line))
        line.is_in_outbox = True


def _take_of(ready: deque[tuple[str, _Line]]) -> Taken | None:
    while ready:
        _, line = ready.popleft()
        if line.is_ready:
            line.is_busy = True
            return line.waiting[0]
    return None


def _is_to_be_claimed(line: _Line) -> bool:
    return line.is_in_outbox and not line.waiting and not line.is_claiming and line.wakes_at is None
