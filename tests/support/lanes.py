"""A lane with a real outbox and a real sender, without the rest of the daemon."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from forwarder.clock import ProcessClock
from forwarder.core.books import Entry
from forwarder.core.budget import Budget
from forwarder.core.delivery import Attempt, Delivery, DeliveryStatus, DestinationName, new_delivery
from forwarder.core.destination import Destination
from forwarder.core.event import Event, decode_event
from forwarder.core.news import News
from forwarder.core.order import order_key
from forwarder.core.ports import Clock
from forwarder.core.rate import Bucket
from forwarder.core.retry import NAMED_POLICIES, Decision, RetryPolicy
from forwarder.core.standing import NOTHING_KNOWN, Standing
from forwarder.destinations.http import open_sender
from forwarder.dispatch import Lane
from forwarder.outbox.connection import FileSettings
from forwarder.outbox.sqlite import SqliteOutbox, open_outbox

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
class Scene:
    """A running lane, and what was heard of it."""

    outbox: SqliteOutbox
    lane: Lane
    clock: Clock = utc_now
    steady: Clock = utc_now
    attempts: list[tuple[Delivery, Attempt, Decision]] = field(default_factory=list)
    news: list[News] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

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
            if waits_until is not None:
                self.lane.look_by(waits_until)
            is_taken = status is None and wait is None and self.lane.offer(delivery)
            became = status or (DeliveryStatus.IN_FLIGHT if is_taken else DeliveryStatus.PENDING)
            self.outbox.enqueue(each, seq, {became: [delivery]}, entry=Entry.MATCHED, now=now, read_at=monotonic())
            found.append(delivery)
        if status is not None:
            self.lane.look()
        return found

    async def until(self, holds: Callable[[], bool], limit_s: float = 90) -> None:
        """Return once it holds, asked after each attempt and each news."""
        async with asyncio.timeout(limit_s):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    def heard(self, kind: type[News]) -> int:
        """Return how many news of a kind came."""
        return sum(isinstance(news, kind) for news in self.news)


@asynccontextmanager
async def running(
    path: Path,
    target: Destination,
    *,
    standing: Standing = NOTHING_KNOWN,
    has_backlog: bool = False,
    seed: int = 0,
    grace: timedelta = timedelta(seconds=5),
    budgets: Sequence[Budget] = (),
    clock: ProcessClock | None = None,
) -> AsyncIterator[Scene]:
    """Run a lane over the outbox at `path`; with a `clock` that goes on from what the outbox knows of it, as a daemon's does."""
    wall, steady = (utc_now, utc_now) if clock is None else (clock, clock.steady)
    async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
        if clock is not None:
            clock.adopt(
                outbox.clock_steps,
                latest=outbox.latest_steady,
                next_seq=outbox.next_seq,
                keep=outbox.note_clock_steps,
            )
        await outbox.recover()

        def note(delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
            scene.attempts.append((delivery, attempt, decision))
            scene.changed.set()

        def tell(_destination: Destination, news: News) -> None:
            scene.news.append(news)
            scene.changed.set()

        lane = Lane(
            target,
            outbox=outbox,
            clock=wall,
            steady=steady,
            chance=random.Random(seed).random,  # noqa: S311 - spreads waits
            observe=note,
            tell=tell,
            standing=standing,
            bucket=None if target.rate_limit is None else Bucket(target.rate_limit),
            budgets=budgets,
        )
        scene = Scene(outbox, lane, wall, steady)
        async with open_sender(target.url, transport=target.transport, timeout=target.timeout, clock=utc_now) as sender:
            task = asyncio.create_task(lane.run(sender, has_backlog=has_backlog))
            try:
                yield scene
            finally:
                lane.stop(grace)
                await task
