"""The work queue of a lane whose deliveries keep an order: a line for each order key, of which one delivery at a time is attempted.

If the first delivery of a line fails, those behind it wait; the other lines go on. A line whose first delivery waits for long,
or that grows too long, is given back to the outbox and claimed again when it is due.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from forwarder.core.delivery import Delivery, DestinationName
from forwarder.core.dispatch.ordering import Order
from forwarder.core.ports import Outbox
from forwarder.dispatch.order_lines import OrderLine, OrderLines
from forwarder.dispatch.work_queue import BACKLOG_TURN, LONGEST_WAIT, UnorderedQueue, Work

_CLAIM = 16
"""How many deliveries of a line are claimed at once."""
_NEVER = datetime.max.replace(tzinfo=UTC)


class OrderedQueue:
    """Holds deliveries in a line for each order key, and those without a key, such as replays, in no order.

    A first word that waited for its full text is claimed without a key, and then joins its line before what came after it.
    """

    def __init__(self, name: DestinationName, outbox: Outbox, *, order: Order, backlog_limit: int) -> None:
        self._name = name
        self._outbox = outbox
        self._backlog_limit = backlog_limit
        self._unordered = UnorderedQueue(name, outbox, backlog_limit=backlog_limit, order=order, join=self._join)
        self._lines = OrderLines()
        self._is_begun = False
        """It is known which lines have something in the outbox."""
        self._first_wake = _NEVER
        """No line that waits for a time is due before."""
        self._turns = 0
        self._is_turn_of_unordered = False

    def begin(self, order_keys: Iterable[str]) -> None:
        """See `WorkQueue`."""
        for key in order_keys:
            self.expect(key)
        self._is_begun = True

    def reserve(self, delivery: Delivery) -> bool:
        """See `WorkQueue`. What has to wait behind something in the outbox waits there too."""
        if delivery.order_key is None:
            return False
        line = self._lines.line(delivery.order_key)
        if self._is_begun and not line.is_in_outbox and not line.is_claiming and self._lines.reserve(line, delivery):
            return True
        line.is_in_outbox = True
        return False

    def start(self, delivery: Delivery) -> bool:
        """See `WorkQueue`."""
        return self._lines.start(delivery)

    def cancel(self, delivery: Delivery) -> None:
        """See `WorkQueue`."""
        self._lines.cancel(delivery)

    def expect(self, order_key: str) -> None:
        """See `WorkQueue`."""
        self._lines.line(order_key).is_in_outbox = True

    def has_work(self, *, may_be_backlog: bool) -> bool:
        """See `WorkQueue`."""
        return self._lines.has_ready(may_be_backlog=may_be_backlog) or self._unordered.has_work(
            may_be_backlog=may_be_backlog
        )

    def has_fresh(self) -> bool:
        """See `WorkQueue`."""
        return self._lines.has_fresh()

    def has_backlog(self) -> bool:
        """See `WorkQueue`."""
        return self._lines.ready_backlog > 0 or self._unordered.has_backlog()

    def take(self, *, may_be_backlog: bool) -> Work | None:
        """See `WorkQueue`."""
        self._turns += 1
        if not may_be_backlog:
            return self._lines.take_fresh()
        if not self._turns % BACKLOG_TURN:
            return self._take_backlog() or self._lines.take_fresh()
        return self._lines.take_fresh() or self._take_backlog()

    def _take_backlog(self) -> Work | None:
        """Return the next delivery of the lines, or of what has no order, in turn."""
        self._is_turn_of_unordered = not self._is_turn_of_unordered
        if self._is_turn_of_unordered:
            return self._unordered.take(may_be_backlog=True) or self._lines.take_backlog()
        return self._lines.take_backlog() or self._unordered.take(may_be_backlog=True)

    def take_early(self) -> Work | None:
        """See `WorkQueue`."""
        asleep = [
            line
            for line in self._lines.by_key.values()
            if line.waiting and not line.is_busy and line.wakes_at is not None
        ]
        if not asleep:
            return self._unordered.take_early()
        line = min(asleep, key=lambda line: (line.wakes_at is None, line.wakes_at))
        due, line.wakes_at, line.is_busy = line.wakes_at, None, True
        return Work(line.waiting[0].delivery, is_backlog=True, due=due)

    def keep(self, delivery: Delivery, *, at: datetime, now: datetime) -> bool:
        """See `WorkQueue`."""
        line = self._lines.first_in(delivery)
        if line is None:
            return self._unordered.keep(delivery, at=at, now=now)
        line.is_busy = False
        self._have_sleep(line, until=at)
        if at - now > LONGEST_WAIT or self._lines.is_crowded:
            self._send_to_outbox(line)
            return False
        line.waiting[0] = Work(delivery, is_backlog=True)
        if len(line.waiting) > 1 and line.waiting[1].delivery.event_seq < delivery.event_seq:  # it joined meanwhile
            line.waiting[0], line.waiting[1] = line.waiting[1], line.waiting[0]
            line.wakes_at = None
            self._lines.make_ready(str(delivery.order_key), line)
        return True

    def leave(self, delivery: Delivery) -> None:
        """See `WorkQueue`."""
        if (line := self._lines.first_in(delivery)) is not None:
            line.is_busy = False
            self._send_to_outbox(line)

    def finished(self, delivery: Delivery) -> bool:
        """See `WorkQueue`."""
        line = self._lines.first_in(delivery)
        if line is None:
            return self._unordered.finished(delivery)
        self._lines.pop(line)
        line.is_busy = False
        self._lines.go_on(str(delivery.order_key), line)
        return line.is_to_be_claimed

    def wants_more(self) -> bool:
        """See `WorkQueue`."""
        return self._unordered.wants_more() or any(line.is_to_be_claimed for line in self._lines.by_key.values())

    async def fill(self, now: datetime, *, is_early: bool) -> datetime:
        """See `WorkQueue`."""
        if not self._is_begun:
            return now + LONGEST_WAIT
        looks_at = await self._unordered.fill(now, is_early=False)
        if self._lines.ready_backlog >= self._backlog_limit and now < self._first_wake:
            return min(looks_at, self._first_wake)  # thousands of lines need no look at each event that comes
        self._first_wake = _NEVER
        for key, line in list(self._lines.by_key.items()):
            if line.wakes_at is not None:
                if line.wakes_at > now:
                    self._first_wake = min(self._first_wake, line.wakes_at)
                    continue
                line.wakes_at = None
                if self._lines.is_ready(line):
                    self._lines.make_ready(key, line)
            if line.is_to_be_claimed and self._lines.ready_backlog < self._backlog_limit:
                await self._claim(key, line, now)
        if is_early and not self.has_work(may_be_backlog=True):
            lines = self._lines.by_key
            asleep = [(line.wakes_at, key) for key, line in lines.items() if line.wakes_at and not line.is_busy]
            if asleep and not lines[(first := min(asleep))[1]].waiting:
                await self._claim(first[1], lines[first[1]], now, is_early=True)
        return min(looks_at, self._first_wake)

    async def _claim(self, key: str, line: OrderLine, now: datetime, *, is_early: bool = False) -> None:
        """Claim the next deliveries of a line from the outbox, or have it wait until some are due."""
        due, line.wakes_at = line.wakes_at, None
        line.is_claiming, line.is_in_outbox = True, False
        limit = 1 if is_early else _CLAIM
        claim = await self._outbox.claim_in_order(self._name, key, now=now, limit=limit, is_early=is_early)
        line.is_claiming = False
        goes_on_there = _is_in_outbox(line)  # something was stored meanwhile
        for delivery in claim.deliveries:
            self._lines.append(line, Work(delivery, is_backlog=True, due=due if is_early else None))
        if claim.deliveries:
            line.is_in_outbox = goes_on_there or claim.next_due is not None
            self._lines.make_ready(key, line)
        elif claim.next_due is not None:
            line.is_in_outbox = True
            self._have_sleep(line, until=claim.next_due)
        elif not goes_on_there:
            del self._lines.by_key[key]

    def bring_forward(self, now: datetime) -> None:
        """See `WorkQueue`."""
        self._unordered.bring_forward(now)
        for key, line in self._lines.by_key.items():
            if line.wakes_at is None or line.is_busy:
                continue
            if not line.waiting:
                self._have_sleep(line, until=now)  # it is claimed again from what the outbox has brought forward
            elif self._outbox.expedite_held(line.waiting[0].delivery):
                line.wakes_at = None
                self._lines.make_ready(key, line)

    def leave_kept(self, event_seqs: Collection[int]) -> list[Delivery]:
        """See `WorkQueue`."""
        return self._unordered.leave_kept(event_seqs)

    def give_back(self) -> list[Delivery]:
        """See `WorkQueue`."""
        return self._unordered.give_back() + self._lines.give_back()

    def _join(self, delivery: Delivery) -> None:
        """Put a delivery whose wait is over in its place in its line, which is by the numbers of the events."""
        key = str(delivery.order_key)
        line = self._lines.line(key)
        is_last = not line.waiting or line.waiting[-1].delivery.event_seq < delivery.event_seq
        if is_last and line.is_in_outbox:  # or among those there, of which it may be the first
            self._outbox.release(delivery)
            if not line.waiting:
                line.wakes_at = None
            return
        self._lines.insert(key, line, Work(delivery, is_backlog=True))
        # Where there is no room the last one goes back to the outbox. The first one may wait for those that joined.
        if self._lines.is_crowded and line.waiting[-1].delivery.event_seq > line.waiting[0].delivery.event_seq:
            self._release(self._lines.pop(line, is_last=True))
            line.is_in_outbox = True

    def _have_sleep(self, line: OrderLine, *, until: datetime) -> None:
        line.wakes_at = until
        self._first_wake = min(self._first_wake, until)

    def _send_to_outbox(self, line: OrderLine) -> None:
        """Have a line wait in the outbox: its first delivery is recorded there by the caller, the others are given back here."""
        self._lines.pop(line)
        while line.waiting:
            self._release(self._lines.pop(line))
        line.is_in_outbox = True

    def _release(self, delivery: Delivery) -> None:
        """Give a delivery back to the outbox, or take its place away where the outbox does not have it yet."""
        if not self._lines.lose_place(delivery):
            self._outbox.release(delivery)


def _is_in_outbox(line: OrderLine) -> bool:
    """Return what may have changed during an await."""
    return line.is_in_outbox
