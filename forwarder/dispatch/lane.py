"""One destination's own line: it takes what is to be delivered, sends it, asks what the outcome means, and records it.

Fresh deliveries come straight from ingest and go first. Everything else (retries, what did not fit into memory, what an
earlier process left) is claimed from the outbox and drains beside them.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic
from typing import assert_never

from forwarder.core.breaker import STREAK_S
from forwarder.core.budget import Budget
from forwarder.core.content import CannotFormatError, Editable
from forwarder.core.delivery import Answered, Attempt, Delivery, Fault, Outcome, Trigger, Unanswered
from forwarder.core.destination import Destination
from forwarder.core.news import News, PausedItself, TooOld
from forwarder.core.order import Order
from forwarder.core.ports import Clock, Outbox, Sender
from forwarder.core.rate import Bucket
from forwarder.core.retry import Dead, Decision, Done, Expired, Postponed, RetryAt, decide, expired
from forwarder.core.standing import NOTHING_KNOWN, Standing
from forwarder.core.webhook import Renderer
from forwarder.dispatch.courtesy import Courtesy
from forwarder.dispatch.crew import Crew
from forwarder.dispatch.edits import ASK_AGAIN, WAITS, Edits
from forwarder.dispatch.gate import Gate
from forwarder.dispatch.health import LATE_FAILURE_WAIT, NOTHING, Course, Health
from forwarder.dispatch.lines import OrderedStock
from forwarder.dispatch.stock import LONGEST_WAIT, LooseStock, Stock, Taken, tried

_LAST_TRY = timedelta(seconds=1)
"""So much past its deadline a delivery may still be tried: its last try is set for the deadline itself, and comes a little late."""
_MAX_BACKLOG_IN_MEMORY = 256

Observe = Callable[[Delivery, Attempt, Decision], None]
"""Hears of every attempt and what follows from it: the log, the counters, the demo."""
Tell = Callable[[Destination, News], None]
"""Hears of the rest."""


class Lane:
    """Nobody else's trouble is felt here, and its trouble nowhere else."""

    def __init__(
        self,
        destination: Destination,
        *,
        outbox: Outbox,
        clock: Clock,
        steady: Clock | None = None,
        chance: Callable[[], float],
        observe: Observe,
        tell: Tell,
        standing: Standing = NOTHING_KNOWN,
        bucket: Bucket | None = None,
        budgets: Sequence[Budget] = (),
        courtesy: Courtesy | None = None,
        follows: bool = False,
    ) -> None:
        """`clock` is the wall clock; `steady` is the time that everything waits and grows old by, the same where it is left out.

        `bucket` is that of the destination's own rate; `budgets` are shared with other destinations, `courtesy` with all lanes.
        `follows`: another lane of this name is still ending.
        """
        self.destination = destination
        self._outbox = outbox
        self._clock = clock
        self._steady = clock if steady is None else steady
        self._chance = chance
        self._observe = observe
        self._tell = tell
        self._renderer = Renderer(
            headers=destination.headers,
            signing=destination.signing,
            policy=destination.retry,
            format_=destination.format_,
        )
        format_ = destination.format_
        self._edits = Edits(destination.name, format_, outbox) if isinstance(format_, Editable) else None
        self._concurrency = 1 if destination.order is Order.STRICT else destination.concurrency
        self._backlog_share = min(destination.backlog_concurrency or max(1, self._concurrency // 4), self._concurrency)
        self.gate = Gate(
            concurrency=self._concurrency,
            bucket=bucket,
            budgets=budgets,
            breaker=destination.breaker,
        )
        self._health = Health(standing, pause_after=destination.pause_after)
        self._may_expire = destination.retry.max_age is not None
        if standing.pause is not None:
            self.gate.pause()
        self._backlog_limit = min(4 * self._concurrency, _MAX_BACKLOG_IN_MEMORY)
        self._stock: Stock | None = None
        """`None` until it is known what waits, where that has to go first."""
        if destination.order is Order.NONE:
            self._stock = LooseStock(destination.name, outbox, backlog_limit=self._backlog_limit)
        self._courtesy = Courtesy() if courtesy is None else courtesy
        self._missed: set[str] = set()
        """Order keys of what came before there was a stock."""
        self._backlog_active = 0
        self._crew = Crew()
        self._wants_probe = False
        """The breaker lets a probe through, and there is nothing in memory to make it with."""
        self._look = asyncio.Event()
        """Set when the outbox may hold something to claim sooner than expected."""
        self._looks_at: datetime | None = None
        """When the outbox is to be asked next, if nothing sets `_look` before."""
        self._is_over = asyncio.Event()
        """Set when an outage has ended."""
        self._is_shut = asyncio.Event()
        """Set when the breaker has opened."""
        self._opening: asyncio.TimerHandle | None = None
        """Has the breaker open where nothing but failures came for too long."""
        self._is_out_of_order = not follows
        """What waits in the outbox may not have the keys of this lane's order. Where another lane is still ending it will be
        looked at when that has ended: until then an order could not be kept."""
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._grace = timedelta()

    # What others call

    def offer(self, delivery: Delivery) -> bool:
        """Take a fresh delivery into memory, or return `False`: it must then be kept as pending and is claimed later."""
        stock = self._stock
        if stock is None or self._stopping.is_set() or self.gate.is_paused or not stock.offer(delivery):
            if delivery.order_key is not None:
                (self._missed.add if stock is None else stock.expect)(delivery.order_key)
            if stock is None or (stock.wants_more() and not self.gate.is_paused):
                self._look.set()
            return False
        self._courtesy.note_fresh(asyncio.get_running_loop().time())
        # Where the gate is shut somebody looks when it opens: to wake a worker for each event would cost other lanes their time.
        is_shut = self._crew.is_shut and not self.gate.breaker.may_be_one_deliverys
        if self._crew.has_idle and not is_shut:
            self._crew.wake()
        return True

    def look(self) -> None:
        """Ask the outbox again: somebody else may have brought something."""
        self._look.set()

    def look_by(self, at: datetime) -> None:
        """Ask the outbox again at `at` at the latest."""
        if self._looks_at is None or at < self._looks_at:
            self._look.set()

    def look_after_another(self) -> None:
        """Ask the outbox again: the lane that this one replaces has let go of what it had."""
        self._is_out_of_order = True
        self._look.set()

    def pause(self) -> None:
        """Send nothing more until `resume`; what is under way ends, what comes waits in the outbox."""
        self.gate.pause()
        self._give_back()

    def resume(self) -> None:
        """Go on, with a probe first. Days of failures are forgotten: the next one would pause it again."""
        self._health.note_resumed()
        self.gate.resume(asyncio.get_running_loop().time())
        self._look.set()
        self._crew.wake()

    def status(self) -> dict[str, object]:
        """Return how it goes."""
        gate = self.gate
        now = asyncio.get_running_loop().time()
        wait_s = max(gate.held_until - now, 0.0)
        return {
            "breaker": str(gate.breaker.state),
            "next_probe_in_s": None if gate.breaker.is_closed else round(max(gate.breaker.probe_at - now, 0.0), 1),
            "held_for_s": round(wait_s, 1) or None,
            "limited_for_s": round(max(gate.limited_until() - now, 0.0), 1) or None,
            "ours": gate.ours,
            "under_way": gate.active,
            "may_be_under_way": 0 if gate.is_paused else gate.ramp.limit,
        }

    def stop(self, grace: timedelta) -> None:
        """Begin no more attempts; those under way have `grace` to end. Calling it again with zero ends them at once."""
        if self._stopping.is_set():
            self._hurry.set()
            return
        self._grace = grace
        self._stopping.set()
        self._look.set()

    async def run(self, sender: Sender, *, has_backlog: bool) -> None:
        """Deliver until `stop`; what is not delivered then is given back to the outbox, uncounted."""
        if has_backlog and not self.gate.is_paused:
            # Whoever waits for a step of hours need not: one is tried now, and if it gets through all follow.
            self.gate.be_careful(asyncio.get_running_loop().time())
        async with asyncio.TaskGroup() as group:
            filling = group.create_task(self._fill())
            workers = [group.create_task(self._work(sender)) for _ in range(self._concurrency)]
            bringing = group.create_task(self._bring_forward())
            knocking = group.create_task(self._knock(sender))
            await self._stopping.wait()
            self._give_back()
            self._crew.wake(len(workers))
            hurry = group.create_task(self._hurry.wait())
            finished = group.create_task(_all_done(workers))
            await asyncio.wait(
                {hurry, finished}, timeout=self._grace.total_seconds(), return_when=asyncio.FIRST_COMPLETED
            )
            self._give_back()
            # A claim that is cut off takes nothing; one on a disk that does not answer would never end.
            for task in (*workers, hurry, bringing, knocking, filling):
                task.cancel()
            self._crew.forget()
            if self._opening is not None:
                self._opening.cancel()

    # What comes in from the outbox

    async def _fill(self) -> None:
        """Take what is due of the retries in memory and out of the outbox, whenever there may be something."""
        while not self._stopping.is_set():
            self._look.clear()
            if self._is_out_of_order:
                self._is_out_of_order = False
                await self._put_in_order()
            stock = self._stock
            now = self._steady()
            self._looks_at = now + LONGEST_WAIT
            if stock is not None and not self.gate.is_paused:
                wants_probe, self._wants_probe = self._wants_probe, False
                self._looks_at = min(self._looks_at, await stock.fill(now, is_early=wants_probe))
                if self._stopping.is_set() or self.gate.is_paused:
                    self._give_back()
                elif not wants_probe or stock.has_work(may_be_backlog=True):  # or it would ask for the same again
                    self._crew.wake()
            with suppress(TimeoutError):
                async with asyncio.timeout(max((self._looks_at - self._steady()).total_seconds(), 0.001)):
                    await self._look.wait()

    async def _put_in_order(self) -> None:
        """Give what waits the keys of this lane's order, and make the stock if there is none yet."""
        name, order = self.destination.name, self.destination.order
        keys = await self._outbox.put_in_order(name, order)
        if self._stock is None:
            self._stock = OrderedStock(name, self._outbox, order=order, backlog_limit=self._backlog_limit)
        for key in {*keys, *self._missed}:
            self._stock.expect(key)
        self._missed.clear()

    def _give_back(self) -> None:
        if self._stock is not None:
            for delivery in self._stock.give_back():
                self._outbox.release(delivery)

    async def _bring_forward(self) -> None:
        """Whenever an outage is over, have the outbox bring forward what waits there. Nobody else waits for its disk."""
        while True:
            await self._is_over.wait()
            self._is_over.clear()
            now = self._steady()
            await self._outbox.expedite(self.destination.name, now=now)
            if self._stock is not None:
                self._stock.bring_forward(now)
            self._look.set()

    # While the receiver is down

    async def _knock(self, sender: Sender) -> None:
        """While nobody listens at the receiver, ask several times a second whether somebody does again: then the next probe goes at once."""
        loop = asyncio.get_running_loop()
        while True:
            await self._is_shut.wait()
            await asyncio.sleep(self.gate.breaker.knock_wait_s(loop.time()))
            if self.gate.breaker.is_closed:
                self._is_shut.clear()
            elif self._crew.is_shut and self.gate.may_knock(loop.time()) and await sender.knock():
                self.gate.note_answer_to_knock(loop.time())
                self._crew.wake()

    def _open_in_time(self) -> None:
        """See that the breaker opens where nothing but failures came for too long, though nothing more is due that could fail."""
        opens_at = self.gate.breaker.opens_at
        if self._opening is None and opens_at is not None:
            self._opening = asyncio.get_running_loop().call_at(opens_at, self._open_if_failing)

    def _open_if_failing(self) -> None:
        self._opening = None
        loop = asyncio.get_running_loop()
        if self._stopping.is_set() or self.gate.is_paused:
            return
        for told in self.gate.open_if_failing(loop.time()):
            self._tell(self.destination, told)
        if not self.gate.breaker.is_closed:
            self._is_shut.set()
            self._crew.wake()
        elif (opens_at := self.gate.breaker.opens_at) is not None:  # something is under way
            at = opens_at if opens_at > loop.time() else loop.time() + STREAK_S
            self._opening = loop.call_at(at, self._open_if_failing)

    # What goes out

    async def _work(self, sender: Sender) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            taken = self._next(loop.time())
            if taken is not None:
                await self._attempt(sender, taken)
            else:
                await self._crew.rest()

    def _next(self, now: float) -> Taken | None:
        """Return the next delivery, if there is one and it may go; else see that somebody looks when it may."""
        stock = self._stock
        if stock is None:
            return None
        is_closed = self.gate.breaker.is_closed
        may_be_backlog = self._backlog_active < self._backlog_share or not is_closed
        if is_closed and may_be_backlog and (waits_until := self._courtesy.opens_at(now)):
            if stock.has_work(may_be_backlog=True):
                self._crew.look_at(waits_until, is_shut=False)
            may_be_backlog = False
        if opens_at := self.gate.opens_at(now, stock.has_fresh):
            if not is_closed or stock.has_work(may_be_backlog=True):
                self._crew.look_at(opens_at, is_shut=True)
            return None
        taken = stock.take(may_be_backlog=may_be_backlog)
        if taken is None and not is_closed:
            taken = stock.take_early()
            self._wants_probe = taken is None
        if self._wants_probe or (taken is not None and taken.is_backlog and stock.wants_more()):
            self._look.set()
        if taken is not None and taken.is_backlog:
            self._courtesy.take(now)
        if taken is not None and self._crew.has_idle and stock.has_work(may_be_backlog=may_be_backlog):
            self._crew.wake()
        return taken

    async def _attempt(self, sender: Sender, taken: Taken) -> None:
        delivery, is_backlog, early_due = taken
        loop = asyncio.get_running_loop()
        started_at, began, started = self._clock(), self._steady(), monotonic()
        if (self._may_expire or delivery.trigger is Trigger.CANARY) and self._is_too_old(delivery, began):
            await asyncio.sleep(0)
            return
        receipt = None
        if self._edits is not None and delivery.edits is not None:
            if await self._has_to_wait(self._edits, taken, began):
                return
            receipt = self._edits.receipt_for(delivery)
        is_probe = self.gate.begin(loop.time())
        if is_probe:
            self._crew.look_at(self.gate.breaker.probe_at, is_shut=True)
            is_backlog = False  # it may hang on when the receiver is back
        self._backlog_active += is_backlog
        try:
            outcome: Outcome = await sender.send(self._renderer.render(delivery, now=started_at, receipt=receipt))
        except CannotFormatError as error:
            outcome = Unanswered(fault=Fault.FORMAT, detail=str(error))
        except asyncio.CancelledError:  # our own stop is not the receiver's fault: uncounted
            self.gate.cut_short(loop.time(), is_probe=is_probe)
            self._outbox.release(delivery)
            raise
        finally:
            self._backlog_active -= is_backlog
        attempt = Attempt(
            number=delivery.attempts + 1,
            started_at=started_at,
            duration=timedelta(seconds=monotonic() - started),
            outcome=outcome,
        )
        now = self._steady()
        decision = decide(self.destination.retry, delivery, outcome, now=now, chance=self._chance)
        if self._edits is not None and receipt is not None and self._edits.is_settled(outcome):
            decision = Done()
        if isinstance(decision, RetryAt):
            decision = self._health.no_later_than_needed(decision, attempt, began=began, now=now)
        if early_due is not None:
            decision = _uncounted(decision, attempt)
            if isinstance(decision, Postponed) and self._health.is_late(attempt, began):
                early_due = min(early_due, now + LATE_FAILURE_WAIT)
                decision = Postponed(at=early_due, reason=decision.reason)
        news = self.gate.end(delivery, attempt, decision, now=loop.time(), is_probe=is_probe)
        self._record(delivery, attempt, decision, now, early_due)
        self._observe(delivery, attempt, decision)
        course = self._health.note(attempt, decision, news, began=began, now=now, wall=self._clock())
        self._follow(course, now)
        if isinstance(outcome, Unanswered) and outcome.fault is Fault.FORMAT:
            await asyncio.sleep(0)  # nothing was awaited, and a thousand of them in a row would hold up the others

    async def _has_to_wait(self, edits: Edits, taken: Taken, now: datetime) -> bool:
        """Put a delivery back whose message is not there yet, or of which that had to be asked; return whether it was."""
        delivery, _, early_due = taken
        try:
            until = await edits.waits_until(delivery, now)
        except asyncio.CancelledError:
            self._outbox.release(delivery)
            raise
        if until is None:
            return False
        if early_due is not None:
            if self._stock is not None:
                self._stock.leave(delivery)
            self._outbox.postpone(delivery, at=max(until, early_due), reason=WAITS, keep=False)
            await asyncio.sleep(ASK_AGAIN.total_seconds())  # or it would be the next probe at once, again and again
            return True
        if not self._keep(delivery, until, now):
            self._outbox.postpone(delivery, at=until, reason=WAITS, keep=False)
        await asyncio.sleep(0)  # a thousand of them in a row must not hold up the others
        return True

    def _is_too_old(self, delivery: Delivery, now: datetime) -> bool:
        """Give a delivery up before its attempt, where it is of no use any more."""
        deadline = self.destination.retry.deadline(delivery)
        if deadline is None or now <= deadline + _LAST_TRY:
            return False
        reason = expired(delivery, now=now).reason
        self._outbox.expire(delivery, None, reason=reason, now=self._clock())
        self._let_go(delivery)
        self._tell(self.destination, TooOld(delivery=delivery, reason=reason))
        return True

    def _record(
        self, delivery: Delivery, attempt: Attempt, decision: Decision, now: datetime, early_due: datetime | None
    ) -> None:
        match decision:
            case Done():
                receipt = None if self._edits is None else self._edits.receipt_of(delivery, attempt.outcome)
                self._outbox.complete(delivery, attempt, receipt=receipt)
                self._let_go(delivery)
            case RetryAt(at=at, is_refusal=is_refusal):
                again = tried(delivery, attempt.number, is_refusal=is_refusal)
                is_kept = self._keep(again, at, now)
                self._outbox.reschedule(delivery, attempt, at=at, keep=is_kept, is_refusal=is_refusal)
            case Postponed(at=at, reason=reason):
                is_kept = self._keep(delivery, early_due or at or now, now)
                self._outbox.postpone(delivery, at=at, reason=reason, keep=is_kept)
            case Dead(reason=reason):
                self._outbox.bury(delivery, attempt, reason=reason)
                self._let_go(delivery)
            case Expired(reason=reason):
                self._outbox.expire(delivery, attempt, reason=reason, now=self._clock())
                self._let_go(delivery)
            case _:
                assert_never(decision)

    def _let_go(self, delivery: Delivery) -> None:
        if self._stock is not None and self._stock.let_go(delivery):
            self._look.set()

    def _keep(self, delivery: Delivery, at: datetime, now: datetime) -> bool:
        """Keep a delivery in memory for its next attempt, or return that the outbox alone has to."""
        self.look_by(at)
        stock = self._stock
        if stock is None:
            return False
        if self._stopping.is_set() or self.gate.is_paused:
            stock.leave(delivery)
            return False
        return stock.keep(delivery, at=at, now=now)

    # What follows from it

    def _follow(self, course: Course, now: datetime) -> None:
        if course is NOTHING and self.gate.breaker.is_closed:
            return
        self._open_in_time()
        for told in course.news:
            self._tell(self.destination, told)
        if course.is_outage_over:
            # Oldest first: here what is in memory, in `_bring_forward` the rest.
            if self._stock is not None:
                self._stock.bring_forward(now)
            self._is_over.set()
            self._look.set()
        if course.pause is not None and not self.gate.is_paused and not self._stopping.is_set():
            self.pause()  # but not where the lane ends: it may have an old URL
            self._tell(self.destination, PausedItself(pause=course.pause))
        if not self.gate.breaker.is_closed:
            self._is_shut.set()
            self._crew.wake()  # it finds the gate closed, and sees that somebody looks when it opens


def _uncounted(decision: Decision, attempt: Attempt) -> Decision:
    """Return what becomes of a delivery that was tried before its time: a failure leaves it due as it was."""
    outcome = attempt.outcome
    is_final = outcome.status < 500 if isinstance(outcome, Answered) else outcome.fault is Fault.FORMAT
    if isinstance(decision, Postponed) or (isinstance(decision, RetryAt) and not decision.pauses):
        return Postponed(at=None, reason=decision.reason)
    if isinstance(decision, Dead | Expired) and not is_final:
        return Postponed(at=None, reason=attempt.outcome.reason)
    return decision


async def _all_done(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)
