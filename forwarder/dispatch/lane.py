"""One destination's lane: it takes what is to be delivered, sends it, decides by the outcome, and records that.

Fresh deliveries go first. The backlog, which is claimed from the outbox, drains at the same time.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic

import msgspec

from forwarder.core.delivery import Attempt, Delivery, Fault, Outcome, Trigger, Unanswered
from forwarder.core.destinations.content import CannotFormatError, Editable
from forwarder.core.destinations.destination import Destination
from forwarder.core.dispatch.circuit_breaker import BreakerState
from forwarder.core.dispatch.destination_state import UNKNOWN, DestinationState
from forwarder.core.dispatch.lane_events import AddressChanged, ExpiredUnsent, PausedItself
from forwarder.core.dispatch.retry import DONE, Postponed, RetryAt, decide, expired, uncounted
from forwarder.core.monitoring.status import LaneReport
from forwarder.core.ports import Clocks, LaneObserver, Outbox, Sender, TemplateWorker
from forwarder.dispatch.admission import Admission
from forwarder.dispatch.health import LATE_FAILURE_WAIT, NO_CHANGE, Health, HealthChange
from forwarder.dispatch.lane_queue import LaneQueue, concurrency_of
from forwarder.dispatch.message_edits import ASK_AGAIN, WAITS, Edits
from forwarder.dispatch.outage import OutageWatch
from forwarder.dispatch.outcome_recorder import OutcomeRecorder
from forwarder.dispatch.requests import Requests
from forwarder.dispatch.shared_limits import SharedLimits
from forwarder.dispatch.work_queue import Work
from forwarder.dispatch.workers import Workers

_CANARY = Trigger.CANARY
"""Python 3.11 takes a fifth of a microsecond to find a member of an enum, and this is needed for every attempt."""
_LAST_TRY = timedelta(seconds=1)
"""How long after its deadline a delivery may still be tried: its last try is set for the deadline itself, and comes a little late."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a lane gets the time and the spread of its waits from."""

    clock: Clocks
    chance: Callable[[], float]
    """Returns a number in [0, 1)."""


class Lane:
    """Delivers to one destination; its failures do not affect other lanes."""

    def __init__(
        self,
        destination: Destination,
        *,
        outbox: Outbox,
        observer: LaneObserver,
        timing: Timing,
        limits: SharedLimits | None = None,
        state: DestinationState = UNKNOWN,
        follows: bool = False,
        template_worker: TemplateWorker | None = None,
    ) -> None:
        """`limits` `None`: nothing is shared. `follows`: another lane of this name is still ending.

        `template_worker` `None`: what costs too much for the event loop cannot be rendered.
        """
        limits = SharedLimits() if limits is None else limits
        format_ = destination.format_
        self.destination = destination
        self._outbox = outbox
        self._observer = observer
        self._clock = timing.clock
        self._chance = timing.chance
        self._throttle = limits.throttle
        self._requests = Requests(
            destination,
            on_again=self._count_request,
            on_new_address=self._report_new_address,
            template_worker=template_worker,
        )
        self._edits = Edits(destination.name, format_, outbox) if isinstance(format_, Editable) else None
        self._may_expire = destination.retry.max_age is not None
        self._concurrency = concurrency_of(destination)
        self._backlog_share = min(destination.backlog_concurrency or max(1, self._concurrency // 4), self._concurrency)
        self._backlog_active = 0
        self._health = Health(state, pause_after=destination.pause_after)
        is_batched = destination.batch is not None
        self.request_bucket = limits.bucket if is_batched else None
        """The rate limit whose requests the sender counts, because one has several deliveries."""
        self.admission = Admission(
            concurrency=self._concurrency,
            bucket=limits.bucket,
            counts_rate=not is_batched,
            quotas=limits.quotas,
            breaker=destination.breaker,
        )
        if state.pause is not None:
            self.admission.pause()
        self._workers = Workers()
        self.queue = LaneQueue(
            destination,
            outbox,
            timing.clock.steady,
            admission=self.admission,
            workers=self._workers,
            follows=follows,
        )
        self._outage = OutageWatch(
            destination, admission=self.admission, queue=self.queue, workers=self._workers, observer=observer
        )
        self._recorder = OutcomeRecorder(outbox, self.queue, edits=self._edits, wall=timing.clock)
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._grace = timedelta()

    # What others call

    def pause(self) -> None:
        """Send nothing more until `resume`; what is under way ends, what comes waits in the outbox."""
        self.admission.pause()
        self.queue.pause()

    def resume(self) -> None:
        """Go on, with a probe first. Days of failures are forgotten: otherwise the next failure would pause it again."""
        self._health.note_resumed()
        self.admission.resume(asyncio.get_running_loop().time())
        self.queue.resume()
        self._workers.wake()

    def status(self) -> LaneReport:
        """Return what the lane does and waits for."""
        admission = self.admission
        now = asyncio.get_running_loop().time()
        wait_s = max(admission.held_until - now, 0.0)
        state = admission.state
        return LaneReport(
            breaker=str(state),
            next_probe_in_s=None
            if state is BreakerState.CLOSED
            else round(max(admission.breaker.probe_at - now, 0.0), 1),
            held_for_s=round(wait_s, 1) or None,
            limited_for_s=round(max(admission.limited_until() - now, 0.0), 1) or None,
            ours=admission.local_fault,
            under_way=admission.active,
            may_be_under_way=0 if admission.is_paused else admission.slow_start.limit,
        )

    def stop(self, grace: timedelta) -> None:
        """Begin no more attempts; those under way have `grace` to end. Calling it again ends them at once."""
        if self._stopping.is_set():
            self._hurry.set()
            return
        self._grace = grace
        self._stopping.set()
        self.queue.stop()

    async def run(self, sender: Sender, *, has_backlog: bool) -> None:
        """Deliver until `stop`; what is not delivered then is given back to the outbox, uncounted."""
        if has_backlog and not self.admission.is_paused:
            # A delivery whose next attempt is hours away is probed with at once: if it is delivered, all others follow.
            self.admission.probe_first(asyncio.get_running_loop().time())
        async with asyncio.TaskGroup() as group:
            filling = group.create_task(self.queue.fill())
            workers = [group.create_task(self._work(sender)) for _ in range(self._concurrency)]
            bringing = group.create_task(self.queue.bring_forward())
            watching = group.create_task(self._outage.run(sender))
            await self._stopping.wait()
            self.queue.give_back()
            self._workers.wake(len(workers))
            hurry = group.create_task(self._hurry.wait())
            finished = group.create_task(_all_done(workers))
            await asyncio.wait(
                {hurry, finished}, timeout=self._grace.total_seconds(), return_when=asyncio.FIRST_COMPLETED
            )
            self.queue.give_back()
            # A claim that is cut off takes nothing; one on a disk that does not answer would never end.
            for task in (*workers, hurry, bringing, watching, filling):
                task.cancel()
            self._workers.cancel_timer()
            self._outage.stop()

    # What goes out

    async def _work(self, sender: Sender) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            now = loop.time()
            work = self._next(now)
            if work is not None:
                await self._attempt(sender, work, now)
            else:
                await self._workers.wait_for_work()

    def _next(self, now: float) -> Work | None:
        """Return the next delivery, if there is one and it may be attempted; else see that a worker wakes when it may."""
        queue, workers = self.queue.work, self._workers
        is_closed = self.admission.breaker.is_closed
        may_be_backlog = queue.has_backlog() and (self._backlog_active < self._backlog_share or not is_closed)
        if is_closed and may_be_backlog and (throttled_until := self._throttle.allowed_at(now)):
            workers.wake_at(throttled_until, all_blocked=False)
            may_be_backlog = False
        if allowed_at := self.admission.allowed_at(now, queue.has_fresh):
            if not is_closed or queue.has_work(may_be_backlog=True):
                workers.wake_at(allowed_at, all_blocked=True)
            return None
        work = queue.take(may_be_backlog=may_be_backlog)
        if work is None and not is_closed:
            work = queue.take_early()
            self.queue.want_probe(is_wanted=work is None)
        if self.queue.wants_probe or (work is not None and work.is_backlog and queue.wants_more()):
            self.queue.look()
        if work is not None:
            if work.is_backlog:
                self._throttle.take(now)
            else:
                self._throttle.note_fresh(now)
            if workers.may_wake_another and queue.has_work(may_be_backlog=may_be_backlog):
                workers.wake()
        return work

    async def _attempt(self, sender: Sender, work: Work, now_s: float) -> None:
        """Attempt a delivery; `now_s` is now by the loop's clock."""
        delivery, is_backlog = work.delivery, work.is_backlog
        (started_at, began), started = self._clock.both(), monotonic()
        if (self._may_expire or delivery.trigger is _CANARY) and self._is_too_old(delivery, began):
            await asyncio.sleep(0)
            return
        receipt = None
        if self._edits is not None and delivery.edits is not None:
            if await self._has_to_wait(self._edits, work, began):
                return
            receipt = self._edits.receipt_for(delivery)
        is_probe = self.admission.begin(now_s)
        if is_probe:
            self._workers.wake_at(self.admission.breaker.probe_at, all_blocked=True)
            is_backlog = False  # a probe may still hang when the receiver is back
        self._backlog_active += is_backlog
        try:
            outcome: Outcome = await self._requests.make(sender, delivery, now=started_at, receipt=receipt)
        except CannotFormatError as error:
            outcome = Unanswered(fault=Fault.FORMAT, detail=str(error))
        except asyncio.CancelledError:  # our own stop is not the receiver's fault: uncounted
            self.admission.cut_short(asyncio.get_running_loop().time(), is_probe=is_probe)
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
        self._conclude(work, attempt, began, receipt, is_probe=is_probe)
        if isinstance(outcome, Unanswered) and outcome.fault is Fault.FORMAT:
            await asyncio.sleep(0)  # nothing was awaited, and a thousand of them in a row would hold up the others

    def _conclude(self, work: Work, attempt: Attempt, began: datetime, receipt: str | None, *, is_probe: bool) -> None:
        """Decide what follows from an attempt that began at `began`, record it, and act on what it shows of the destination."""
        delivery, outcome, now = work.delivery, attempt.outcome, self._clock.steady()
        decision = decide(self.destination.retry, delivery, outcome, now=now, chance=self._chance)
        if self._edits is not None and receipt is not None and self._edits.is_settled(outcome):
            decision = DONE
        if isinstance(decision, RetryAt):
            decision = self._health.no_later_than_needed(decision, attempt, began=began, now=now)
        early_due = work.due
        if early_due is not None:
            decision = uncounted(decision, outcome)
            if isinstance(decision, Postponed) and self._health.is_late(attempt, began):
                early_due = min(early_due, now + LATE_FAILURE_WAIT)
                decision = Postponed(at=early_due, reason=decision.reason)
        now_s = asyncio.get_running_loop().time()
        events = self.admission.end(delivery, attempt, decision, now=now_s, is_probe=is_probe)
        self._recorder.record(delivery, attempt, decision, now, early_due)
        self._observer.attempt_finished(self.destination, delivery, attempt, decision, now)
        if decision is DONE and not events and self._health.is_well and self.admission.breaker.is_closed:
            return
        change = self._health.note(attempt, decision, events, began=began, now=now, wall=self._clock())
        self._follow(change, now)

    def _count_request(self) -> None:
        self.admission.count_request(asyncio.get_running_loop().time())

    def _report_new_address(self, address: str) -> None:
        self._observer.state_changed(self.destination, AddressChanged(address=address))

    async def _has_to_wait(self, edits: Edits, work: Work, now: datetime) -> bool:
        """Return whether the message that a delivery changes is not there yet, or had to be looked up; then put the delivery back."""
        delivery, early_due = work.delivery, work.due
        try:
            until = await edits.waits_until(delivery, now)
        except asyncio.CancelledError:
            self._outbox.release(delivery)
            raise
        if until is None:
            return False
        if early_due is not None:
            self.queue.leave(delivery)
            self._outbox.postpone(delivery, at=max(until, early_due), reason=WAITS, keep=False)
            await asyncio.sleep(ASK_AGAIN.total_seconds())  # or it would be the next probe at once, again and again
            return True
        if not self.queue.keep(delivery, until, now):
            self._outbox.postpone(delivery, at=until, reason=WAITS, keep=False)
        await asyncio.sleep(0)  # a thousand of them in a row must not hold up the others
        return True

    def _is_too_old(self, delivery: Delivery, now: datetime) -> bool:
        """Return whether a delivery is too old to be attempted; then record that it expired."""
        deadline = self.destination.retry.deadline(delivery)
        if deadline is None or now <= deadline + _LAST_TRY:
            return False
        reason = expired(delivery, now=now).reason
        self._recorder.expire(delivery, None, reason=reason)
        self._observer.state_changed(self.destination, ExpiredUnsent(delivery=delivery, reason=reason))
        return True

    def _follow(self, change: HealthChange, now: datetime) -> None:
        """Report what an attempt changed for the destination, and act on it."""
        if change is NO_CHANGE and self.admission.breaker.is_closed:
            return
        self._outage.note_failing()
        for event in change.events:
            self._observer.state_changed(self.destination, event)
        if change.is_outage_over:
            self.queue.note_outage_ended(now)
        if change.pause is not None and self.queue.is_accepting:
            self.pause()  # but not where the lane ends: it may have an old URL
            self._observer.state_changed(self.destination, PausedItself(pause=change.pause))
        if not self.admission.breaker.is_closed:
            self._outage.note_breaker_open()


async def _all_done(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)
