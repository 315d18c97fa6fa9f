"""What a lane has in memory, and when it exchanges some of it with the outbox.

Fresh deliveries come straight from ingest. Everything else (retries, what did not fit into memory, what an earlier process left)
is claimed from the outbox.
"""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime

from forwarder.core.delivery import Delivery
from forwarder.core.destinations.destination import Destination
from forwarder.core.dispatch.ordering import Order
from forwarder.core.ports import Clock, Outbox
from forwarder.dispatch.admission import Admission
from forwarder.dispatch.ordered_queue import OrderedQueue
from forwarder.dispatch.priority_queue import PriorityOrderedQueue, PriorityQueue
from forwarder.dispatch.work_queue import LONGEST_WAIT, UnorderedQueue, WorkQueue
from forwarder.dispatch.workers import Workers

_MAX_BACKLOG_IN_MEMORY = 256


def concurrency_of(destination: Destination) -> int:
    """Return how many attempts may be under way at once: one where all deliveries keep one order."""
    return 1 if destination.order is Order.STRICT else destination.concurrency


class LaneQueue:
    """Keeps the work queue of a lane filled, from ingest and from the outbox, and gives it back when the lane pauses or stops."""

    def __init__(
        self,
        destination: Destination,
        outbox: Outbox,
        steady: Clock,
        *,
        admission: Admission,
        workers: Workers,
        follows: bool,
    ) -> None:
        """`follows`: another lane of this name is still ending."""
        self._destination = destination
        self._outbox = outbox
        self._steady = steady
        self._admission = admission
        self._workers = workers
        self.is_accepting = not admission.is_paused
        """The lane is neither paused nor stopping: what comes may have a place in memory."""
        self.is_stopping = False
        self.wants_probe = False
        """The breaker allows a probe, and there is nothing in memory to make it with."""
        name, order = destination.name, destination.order
        backlog_limit = min(4 * concurrency_of(destination), _MAX_BACKLOG_IN_MEMORY)
        self.work: WorkQueue
        if order is Order.NONE:
            kind = PriorityQueue if destination.has_priority else UnorderedQueue
            self.work = kind(name, outbox, backlog_limit=backlog_limit)
        else:
            in_order = PriorityOrderedQueue if destination.has_priority else OrderedQueue
            self.work = in_order(name, outbox, order=order, backlog_limit=backlog_limit)
        self._look = asyncio.Event()
        """Set when the outbox may hold something to claim sooner than expected."""
        self._looks_at: datetime | None = None
        """When the outbox is to be asked next, if nothing sets `_look` before."""
        self._outage_ended = asyncio.Event()
        self._is_out_of_order = not follows
        """What waits in the outbox may not have the keys of this lane's order.

        Where another lane is still ending, this is set when that has ended: until then an order could not be kept.
        """

    # New deliveries

    def reserve(self, delivery: Delivery) -> bool:
        """Reserve a place in memory for a fresh delivery, or return `False`: the outbox is to store it as pending.

        `start` or `cancel` follows where there is a place, and `note_pending` where there is none.
        """
        return self.is_accepting and delivery.waits_until is None and self.work.reserve(delivery)

    def start(self, delivery: Delivery) -> None:
        """Have a worker attempt a delivery that has a place: the outbox has stored it as in flight."""
        if not self.work.start(delivery):  # paused or stopped since it got its place
            self._outbox.release(delivery)
            self.note_pending(delivery)
            return
        # Where all workers are blocked the timer wakes one: to wake one for each event would cost other lanes their time.
        if not self._workers.all_blocked or self._admission.breaker.may_be_one_deliverys:
            self._workers.wake()

    def cancel(self, delivery: Delivery) -> None:
        """Give up the place of a delivery that the outbox did not store."""
        self.work.cancel(delivery)

    def note_pending(self, delivery: Delivery) -> None:
        """Note that the outbox has a delivery as pending: it is claimed when there is room, and when its wait is over."""
        if delivery.waits_until is not None:
            self.look_by(delivery.waits_until)
            return
        if delivery.order_key is not None:
            self.work.expect(delivery.order_key)
        if self.work.wants_more() and not self._admission.is_paused:
            self._look.set()

    # After an attempt

    def keep(self, delivery: Delivery, at: datetime, now: datetime) -> bool:
        """Keep a delivery in memory for its next attempt, or return that the outbox alone has to keep it."""
        self.look_by(at)
        if not self.is_accepting:
            self.work.leave(delivery)
            return False
        return self.work.keep(delivery, at=at, now=now)

    def leave(self, delivery: Delivery) -> None:
        """Leave a delivery to the outbox alone."""
        self.work.leave(delivery)

    def finished(self, delivery: Delivery) -> None:
        """Note that nothing more is to be done with a delivery."""
        if self.work.finished(delivery):
            self._look.set()

    def note_outage_ended(self, now: datetime) -> None:
        """Make what waits for a later attempt due at once: first what is in memory, then, by `bring_forward`, the rest."""
        self.work.bring_forward(now)
        self._outage_ended.set()
        self._look.set()

    # The outbox

    def look(self) -> None:
        """Ask the outbox again: something may have been added."""
        self._look.set()

    def want_probe(self, *, is_wanted: bool) -> None:
        """Have the next look ask for one delivery before its time, or no longer."""
        self.wants_probe = is_wanted

    def look_by(self, at: datetime) -> None:
        """Ask the outbox again at `at` at the latest."""
        if self._looks_at is None or at < self._looks_at:
            self._look.set()

    def look_after_another(self) -> None:
        """Ask the outbox again: the lane that this one replaces has given back what it had."""
        self._is_out_of_order = True
        self._look.set()

    def pause(self) -> None:
        """Accept nothing more, and give everything back."""
        self.is_accepting = False
        self.give_back()

    def resume(self) -> None:
        """Accept deliveries again, unless the lane is stopping."""
        self.is_accepting = not self.is_stopping
        self._look.set()

    def stop(self) -> None:
        """Accept nothing more, for good."""
        self.is_accepting, self.is_stopping = False, True

    def leave_kept(self, event_seqs: Collection[int]) -> None:
        """Leave to the outbox alone what is kept in memory for its next attempt, of these events: a person has them sent now."""
        for delivery in self.work.leave_kept(event_seqs):
            self._outbox.release(delivery)

    def give_back(self) -> None:
        """Give everything that is not under way back to the outbox."""
        for delivery in self.work.give_back():
            self._outbox.release(delivery)

    async def fill(self) -> None:
        """Claim from the outbox what is due, and wake workers for it, until cancelled."""
        while True:
            self._look.clear()
            if self._is_out_of_order:
                self._is_out_of_order = False
                name, order = self._destination.name, self._destination.order
                self.work.begin(await self._outbox.put_in_order(name, order))
            now = self._steady()
            self._looks_at = now + LONGEST_WAIT
            if self.is_accepting:
                wants_probe, self.wants_probe = self.wants_probe, False
                self._looks_at = min(self._looks_at, await self.work.fill(now, is_early=wants_probe))
                if self.is_stopping or self._admission.is_paused:  # since it asked
                    self.give_back()
                elif not wants_probe or self.work.has_work(may_be_backlog=True):  # or it would ask for the same again
                    self._workers.wake()
            with suppress(TimeoutError):
                async with asyncio.timeout(max((self._looks_at - self._steady()).total_seconds(), 0.001)):
                    await self._look.wait()

    async def bring_forward(self) -> None:
        """Whenever an outage has ended, have the outbox bring forward what waits there, until cancelled.

        This is a task of its own, so that nobody else waits for that write.
        """
        while True:
            await self._outage_ended.wait()
            self._outage_ended.clear()
            now = self._steady()
            await self._outbox.expedite(self._destination.name, now=now)
            self.work.bring_forward(now)
            self._look.set()
