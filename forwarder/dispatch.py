"""The delivery side: a lane for each destination that sends, asks what the outcome means, and records it.

Fresh deliveries come straight from ingest and go first. Everything else (retries, what did not fit into memory, what an
earlier process left) is claimed from the outbox and drains beside them.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic
from typing import assert_never

from msgspec import structs

from forwarder.core.delivery import Attempt, Delivery, DestinationName, Unanswered
from forwarder.core.destination import Destination
from forwarder.core.ports import Clock, Outbox, Sender
from forwarder.core.retry import Dead, Decision, Done, RetryAt, decide
from forwarder.core.webhook import Renderer

MAX_FRESH = 1_000
MAX_FRESH_BYTES = 4 * 1024 * 1024
"""What one lane keeps in memory of fresh deliveries; the rest waits in the outbox until there is room."""
MAX_RETRIES = 256
MAX_RETRIES_BYTES = 1024 * 1024
"""What one lane keeps in memory of deliveries that wait for a retry; more of them wait in the outbox alone."""
_OUTAGE = timedelta(seconds=1)
"""Failures without a success in between, for so long, are an outage: its end makes what waited due at once.

Shorter ones are left to the schedule, so that one bad event amid successes does not come back each time.
"""
_LATE_FAILURE_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(minutes=1)
"""The outbox is asked at least so often, whatever a jump of the clock did to the due times."""

Observe = Callable[[Delivery, Attempt, Decision], None]
"""Hears of every attempt and what follows from it: the log, the counters, the demo."""


class Lane:
    """One destination's own line: nobody else's trouble is felt here, and its trouble nowhere else."""

    def __init__(
        self,
        destination: Destination,
        *,
        outbox: Outbox,
        clock: Clock,
        chance: Callable[[], float],
        observe: Observe,
    ) -> None:
        self.destination = destination
        self._outbox = outbox
        self._clock = clock
        self._chance = chance
        self._observe = observe
        self._renderer = Renderer(
            headers=destination.headers,
            signing=destination.signing,
            policy=destination.retry,
            format_=destination.format_,
        )
        self._fresh: deque[Delivery] = deque()
        self._fresh_bytes = 0
        self._backlog: deque[Delivery] = deque()
        self._retries: list[tuple[datetime, int, Delivery]] = []
        """A heap by when they are due, then by the number of their event, which a lane has but once."""
        self._retries_bytes = 0
        self._backlog_limit = min(4 * destination.concurrency, 256)
        self._turns = 0
        self._idle: deque[asyncio.Future[None]] = deque()
        """What each worker without work waits for."""
        self._look = asyncio.Event()
        """Set when the outbox may hold something to claim sooner than expected."""
        self._looks_at: datetime | None = None
        """When the outbox is to be asked next, if nothing sets `_look` before."""
        self._is_over = asyncio.Event()
        """Set when an outage has ended."""
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._grace = timedelta()
        self._failing_since: datetime | None = None
        self._recovered_at: datetime | None = None

    def offer(self, delivery: Delivery) -> bool:
        """Take a fresh delivery into memory, or return `False`: it must then be kept as pending and is claimed later."""
        if (
            self._stopping.is_set()
            or len(self._fresh) >= MAX_FRESH
            or (self._fresh and self._fresh_bytes + len(delivery.body) > MAX_FRESH_BYTES)
        ):
            self._look.set()
            return False
        self._fresh.append(delivery)
        self._fresh_bytes += len(delivery.body)
        self._wake(1)
        return True

    def look(self) -> None:
        """Ask the outbox again: somebody else may have brought something."""
        self._look.set()

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
        if has_backlog:
            self._failing_since = self._clock() - _OUTAGE
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._work(sender)) for _ in range(self.destination.concurrency)]
            group.create_task(self._page_in())
            bringing = group.create_task(self._bring_forward(has_backlog=has_backlog))
            await self._stopping.wait()
            self._give_back()
            self._wake(len(workers))
            hurry = group.create_task(self._hurry.wait())
            finished = group.create_task(_all_done(workers))
            await asyncio.wait(
                {hurry, finished}, timeout=self._grace.total_seconds(), return_when=asyncio.FIRST_COMPLETED
            )
            for task in (*workers, hurry, bringing):
                task.cancel()

    def _give_back(self) -> None:
        for delivery in (*self._fresh, *self._backlog, *(entry[-1] for entry in self._retries)):
            self._outbox.release(delivery)
        self._fresh.clear()
        self._backlog.clear()
        self._retries.clear()

    async def _page_in(self) -> None:
        """Take what is due of the retries in memory and out of the outbox, whenever there may be something."""
        while not self._stopping.is_set():
            self._look.clear()
            now = self._clock()
            self._looks_at = now + _LONGEST_WAIT
            self._take_due_retries(now)
            if (room := self._backlog_limit - len(self._backlog)) > 0:
                claim = await self._outbox.claim(self.destination.name, now=now, limit=room)
                self._backlog.extend(claim.deliveries)
                if self._stopping.is_set():
                    self._give_back()
                    return
                self._wake(len(claim.deliveries))
                if claim.next_due is not None and len(claim.deliveries) < room:
                    self._looks_at = min(self._looks_at, claim.next_due)
            if self._retries:
                self._looks_at = min(self._looks_at, self._retries[0][0])
            with suppress(TimeoutError):
                async with asyncio.timeout(max((self._looks_at - self._clock()).total_seconds(), 0.001)):
                    await self._look.wait()

    def _take_due_retries(self, now: datetime) -> None:
        while self._retries and self._retries[0][0] <= now:
            delivery = heapq.heappop(self._retries)[-1]
            self._retries_bytes -= len(delivery.body)
            self._backlog.append(delivery)
            self._wake(1)

    def _keep(self, delivery: Delivery, attempt: Attempt, at: datetime) -> bool:
        """Keep a delivery in memory for its retry, or return that the outbox alone has to."""
        size = len(delivery.body)
        if (
            self._stopping.is_set()
            or len(self._retries) >= MAX_RETRIES
            or (self._retries and self._retries_bytes + size > MAX_RETRIES_BYTES)
            or at - self._clock() > _LONGEST_WAIT
        ):
            return False
        heapq.heappush(self._retries, (at, delivery.event_seq, structs.replace(delivery, attempts=attempt.number)))
        self._retries_bytes += size
        return True

    def _end_outage(self, now: datetime) -> None:
        """Make due at once what waited for it, oldest first: here what is in memory, in `_bring_forward` the rest."""
        held, self._retries = self._retries, []
        for entry in held:
            at, event_seq, delivery = entry
            is_brought = at > now and self._outbox.expedite_held(delivery)
            heapq.heappush(self._retries, (now, event_seq, delivery) if is_brought else entry)
        self._is_over.set()
        self._look.set()

    async def _bring_forward(self, *, has_backlog: bool) -> None:
        """Whenever an outage is over, have the outbox bring forward what waits there. Nobody else waits for its disk."""
        name = self.destination.name
        if has_backlog:
            # Whoever waits for a step of hours need not: a few are tried now, and if one gets through all follow.
            await self._outbox.expedite(name, now=self._clock(), limit=self.destination.concurrency)
            self._look.set()
        while True:
            await self._is_over.wait()
            self._is_over.clear()
            await self._outbox.expedite(name, now=self._clock())
            self._look.set()

    def _wake(self, count: int) -> None:
        """Wake as many workers as there is new work, where so many are idle."""
        while count and self._idle:
            idle = self._idle.popleft()
            if not idle.done():
                idle.set_result(None)
                count -= 1

    async def _work(self, sender: Sender) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            delivery = self._next()
            if delivery is not None:
                await self._attempt(sender, delivery)
            else:
                idle = loop.create_future()
                self._idle.append(idle)
                await idle

    def _next(self) -> Delivery | None:
        """Return the next delivery: fresh ones first, every fourth turn one of the backlog."""
        self._turns += 1
        if self._fresh and (not self._backlog or self._turns % 4):
            delivery = self._fresh.popleft()
            self._fresh_bytes -= len(delivery.body)
            return delivery
        if not self._backlog:
            return None
        if len(self._backlog) <= self._backlog_limit // 2:
            self._look.set()
        return self._backlog.popleft()

    async def _attempt(self, sender: Sender, delivery: Delivery) -> None:
        destination = self.destination
        started_at, started = self._clock(), monotonic()
        request = self._renderer.render(delivery, now=started_at)
        try:
            outcome = await sender.send(request)
        except asyncio.CancelledError:  # our own stop is not the receiver's fault: uncounted
            self._outbox.release(delivery)
            raise
        attempt = Attempt(
            number=delivery.attempts + 1,
            started_at=started_at,
            duration=timedelta(seconds=monotonic() - started),
            outcome=outcome,
        )
        now = self._clock()
        decision = decide(destination.retry, outcome, attempt=attempt.number, now=now, chance=self._chance)
        match decision:
            case Done():
                self._outbox.complete(delivery, attempt)
            case RetryAt():
                decision = self._no_later_than_needed(decision, attempt, now)
                is_kept = self._keep(delivery, attempt, decision.at)
                self._outbox.reschedule(delivery, attempt, at=decision.at, keep=is_kept)
                if self._looks_at is None or decision.at < self._looks_at:
                    self._look.set()
            case Dead(reason=reason):
                self._outbox.bury(delivery, attempt, reason=reason)
            case _:
                assert_never(decision)
        self._observe(delivery, attempt, decision)
        self._note_health(decision, now)

    def _no_later_than_needed(self, decision: RetryAt, attempt: Attempt, now: datetime) -> RetryAt:
        """Return an earlier retry for an attempt of the outage that ended meanwhile: it need not wait out a long step."""
        is_of_the_past = self._recovered_at is not None and attempt.started_at <= self._recovered_at
        if is_of_the_past and isinstance(attempt.outcome, Unanswered):
            return RetryAt(at=min(decision.at, now + _LATE_FAILURE_WAIT), reason=decision.reason)
        return decision

    def _note_health(self, decision: Decision, now: datetime) -> None:
        """Notice the end of an outage, and make everything that waited for it due at once."""
        match decision:
            case RetryAt():
                self._failing_since = self._failing_since or now
            case Done() if self._failing_since is not None:
                lasted = now - self._failing_since
                self._failing_since = None
                self._recovered_at = now
                if lasted >= _OUTAGE:
                    self._end_outage(now)
            case _:
                pass


class Dispatcher:
    """The lanes by the name of their destination; a reload replaces single ones."""

    def __init__(self) -> None:
        self.lanes: dict[DestinationName, Lane] = {}

    def offer(self, delivery: Delivery) -> bool:
        """Hand a fresh delivery to its lane; see `Lane.offer`."""
        lane = self.lanes.get(delivery.destination)
        return lane is not None and lane.offer(delivery)

    def look(self, destination: DestinationName) -> None:
        """Have the lane of that name, where there is one, ask the outbox again: the lane before it has let go."""
        if (lane := self.lanes.get(destination)) is not None:
            lane.look()


async def _all_done(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)
