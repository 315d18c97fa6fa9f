"""A lane with a real outbox and a real sender, without the rest of the daemon."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.delivery import Attempt, Delivery, DeliveryStatus, DestinationName, new_delivery
from forwarder.core.destinations.destination import Destination
from forwarder.core.dispatch.destination_state import UNKNOWN, DestinationState
from forwarder.core.dispatch.lane_events import LaneEvent
from forwarder.core.dispatch.ordering import order_key
from forwarder.core.dispatch.quota import ServiceQuota
from forwarder.core.dispatch.retry import NAMED_POLICIES, Decision, RetryPolicy
from forwarder.core.dispatch.token_bucket import TokenBucket
from forwarder.core.event import Event, decode_event
from forwarder.core.ledger import LedgerEntry
from forwarder.core.ports import Clock, TemplateWorker
from forwarder.destinations.sender import open_sender
from forwarder.dispatch.lane import Lane, Timing
from forwarder.dispatch.shared_limits import SharedLimits
from forwarder.emulator.receiver import Received, Receiver
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox

BOT = DestinationName("bot")
AT_ONCE = RetryPolicy(delays=(timedelta(),) * 50, jitter=0)
"""For schedules that are not what a test is about."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def event(number: int, *, sid: str = "7", source: str = "x", padding: int = 0) -> Event:
    """Return an event whose text is its number."""
    text = f"{number}{'x' * padding}"
    body = f'{{"mid":"{number}","sid":"{sid}","source":"{source}","timestamp":1,"payload":{{"text":"{text}"}}}}'
    return decode_event(body.encode())


def number(received: Received) -> int:
    """Return the number of the event that a receiver got."""
    return int(json.loads(received.body)["mid"])


def mids(receiver: Receiver) -> list[int]:
    """Return the numbers of the events that a receiver accepted, in the order they came."""
    return [number(request) for request in receiver.requests if request.accepted]


def destination(url: str, **settings: object) -> Destination:
    """Return a destination with these settings over usual ones."""
    usual: dict[str, object] = {
        "name": BOT,
        "url": url,
        "timeout": timedelta(seconds=5),
        "concurrency": 16,
        "retry": NAMED_POLICIES["live"],
    }
    return Destination(**(usual | settings))  # type: ignore[arg-type] # each test names the settings that it needs


@dataclass(slots=True)
class Recorder:
    """The observer of a lane, which keeps what it is notified of."""

    attempts: list[tuple[Delivery, Attempt, Decision]] = field(default_factory=list)
    events: list[LaneEvent] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def attempt_finished(
        self, _destination: Destination, delivery: Delivery, attempt: Attempt, decision: Decision, _now: datetime
    ) -> None:
        self.attempts.append((delivery, attempt, decision))
        self.changed.set()

    def state_changed(self, _destination: Destination, event: LaneEvent) -> None:
        self.events.append(event)
        self.changed.set()


@dataclass(slots=True)
class Scene:
    """A running lane, and what its observer was notified of."""

    outbox: SqliteOutbox
    lane: Lane
    observer: Recorder
    grace: timedelta
    task: "asyncio.Task[None]"
    """The run of the lane."""
    clock: Clock = utc_now
    steady: Clock = utc_now

    @property
    def attempts(self) -> list[tuple[Delivery, Attempt, Decision]]:
        return self.observer.attempts

    @property
    def events(self) -> list[LaneEvent]:
        return self.observer.events

    def bring(
        self,
        events: Sequence[Event],
        *,
        status: DeliveryStatus | None = None,
        edits: int | None = None,
        wait: timedelta | None = None,
    ) -> list[Delivery]:
        """Bring events as ingest does; `status` pending: as if they had come before, and not fitted into memory. With a `wait` they do."""
        found = []
        order = self.lane.destination.order
        for each in events:
            now = self.clock()
            seq, steady = self.outbox.new_seq(), self.steady()
            key = None if wait is not None else order_key(order, source=each.source, sid=each.sid)
            waits_until = None if wait is None else steady + wait
            delivery = new_delivery(
                each,
                BOT,
                ("r",),
                event_seq=seq,
                accepted_at=steady,
                order_key=key,
                edits=edits,
                waits_until=waits_until,
            )
            is_reserved = status is None and wait is None and self.lane.queue.reserve(delivery)
            became = status or (DeliveryStatus.IN_FLIGHT if is_reserved else DeliveryStatus.PENDING)
            self.outbox.enqueue(
                each, seq, {became: [delivery]}, entry=LedgerEntry.MATCHED, now=now, read_at=monotonic()
            )
            if is_reserved:
                self.lane.queue.start(delivery)
            elif status is None:
                self.lane.queue.note_pending(delivery)
            found.append(delivery)
        if status is not None:
            self.lane.queue.look()
        return found

    async def until(self, holds: Callable[[], bool], limit_s: float = 90) -> None:
        """Return once it holds, asked after each attempt and each event of the lane."""
        async with asyncio.timeout(limit_s):
            while not holds():
                self.observer.changed.clear()
                await self.observer.changed.wait()

    def heard(self, kind: type[LaneEvent]) -> int:
        """Return how many events of a kind came."""
        return sum(isinstance(event, kind) for event in self.events)


@asynccontextmanager
async def running(
    path: Path,
    target: Destination,
    *,
    state: DestinationState = UNKNOWN,
    has_backlog: bool = False,
    seed: int = 0,
    grace: timedelta = timedelta(seconds=5),
    quotas: Sequence[ServiceQuota] = (),
    clock: ProcessClock | None = None,
    template_worker: TemplateWorker | None = None,
) -> AsyncIterator[Scene]:
    """Run a lane over the outbox at `path`; with a `clock` that goes on from what the outbox knows of it, as a daemon's does."""
    is_adopted = clock is not None
    clock = clock or ProcessClock()
    async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
        if is_adopted:
            clock.adopt(
                outbox.clock_steps,
                latest=outbox.latest_steady,
                next_seq=outbox.next_seq,
                keep=outbox.note_clock_steps,
            )
        await outbox.recover()

        observer = Recorder()
        lane = Lane(
            target,
            outbox=outbox,
            observer=observer,
            timing=Timing(clock=clock, chance=random.Random(seed).random),  # noqa: S311 - spreads waits
            limits=SharedLimits(
                bucket=None if target.rate_limit is None else TokenBucket(target.rate_limit), quotas=quotas
            ),
            state=state,
            template_worker=template_worker,
        )
        async with open_sender(target.url, transport=target.transport, timeout=target.timeout, clock=utc_now) as sender:
            task = asyncio.create_task(lane.run(sender, has_backlog=has_backlog))
            try:
                yield Scene(outbox, lane, observer, grace, task, clock, clock.steady)
            finally:
                lane.stop(grace)
                await task
