"""Hands each event and each attempt, as it passes, to those who watch. While nobody watches, it costs one check for each.

A reader that is slower than the events loses the oldest ones and is told how many. It never holds up the daemon.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol, Self

import msgspec

from forwarder.core.commands import Watch
from forwarder.core.delivery import Attempt, Delivery, DestinationName
from forwarder.core.dispatch.retry import Decision, Expired
from forwarder.core.event import Event
from forwarder.core.monitoring.live import (
    EVERYTHING_PASSING,
    Glimpse,
    LiveFilter,
    Passing,
    glimpse,
    passing_attempt,
    passing_event,
    with_body,
)
from forwarder.core.ports import Clocks
from forwarder.core.routing.router import Selection

_MOST_GLIMPSES = 2_000
"""How many events are remembered, so that their attempts need not read the post again."""

_MOST_LINES = 1_000
"""How many lines wait for a command that does not read them."""
_MOST_BODIES = 8 * 1024 * 1024

OnEvent = Callable[[Event, Mapping[DestinationName, tuple[str, ...]] | None], None]
"""Is notified of every event with the destinations chosen for it and by which routes; `None` stands for a duplicate."""
OnAttempt = Callable[[Delivery, Attempt, Decision], None]
"""Is notified of every attempt, after everything else."""


class Listeners(msgspec.Struct, frozen=True, kw_only=True):
    """Who is notified of all events and attempts for as long as the daemon runs: the demo."""

    on_event: OnEvent | None = None
    on_attempt: OnAttempt | None = None


NOBODY = Listeners()


class PassageTracer(Protocol):
    """Makes the traces of events of what passes."""

    def note_event(self, event: Event, stream: str, selection: Selection | None, at: datetime) -> None:
        """Take note of an event that came at that time and was routed; a duplicate has no selection."""
        ...

    def note_attempt(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        """Take note of an attempt that ended now."""
        ...

    def note_expired(self, delivery: Delivery, reason: str) -> None:
        """Take note of a delivery that expired before its next attempt."""
        ...


class LiveFeed:
    """Hands what passes to the listeners, to the traces, and to every subscription."""

    def __init__(self, clock: Clocks, listeners: Listeners = NOBODY, *, tracer: PassageTracer | None = None) -> None:
        self._clock = clock
        self._listeners = listeners
        self._tracer = tracer
        self._has_listeners = listeners != NOBODY or tracer is not None
        self._subscriptions: list[Subscription] = []
        self._glimpses: dict[str, Glimpse] = {}
        """By the id of the event, the oldest first."""
        self._is_closed = False
        self.is_watched = self._has_listeners
        """Whether anybody wants to be notified. Without that, the verbs below need not be called."""

    def subscribe(
        self, *, most: int, wanted: LiveFilter = EVERYTHING_PASSING, with_body: bool = False
    ) -> "Subscription":
        """Return what receives everything that is wanted and passes from the beginning of its block to the end; it holds at most so many.

        `with_body`: also the events as they came. It holds at most 8 MiB of them.
        """
        return Subscription(self, most=most, wanted=wanted, with_body=with_body)

    def open_watch(self, asked: Watch) -> "Subscription":
        """Return the subscription that a command asks for."""
        wanted = LiveFilter(
            source=asked.source, destination=asked.destination, route=asked.route, is_failed=asked.failed
        )
        return self.subscribe(most=_MOST_LINES, wanted=wanted, with_body=asked.with_body)

    def note_event(self, event: Event, stream: str, selection: Selection | None, at: datetime) -> None:
        """See `EventWatch`."""
        if self._listeners.on_event is not None:
            self._listeners.on_event(event, None if selection is None else selection.chosen)
        if self._tracer is not None:
            self._tracer.note_event(event, stream, selection, at)
        if self._subscriptions:
            seen = self._glimpse(event.id, event.body)
            self._publish(passing_event(event, stream, selection, seen, at=at), event.body)

    def note_attempt(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        """Take note of an attempt that ended now."""
        if self._listeners.on_attempt is not None:
            self._listeners.on_attempt(delivery, attempt, decision)
        if self._tracer is not None:
            self._tracer.note_attempt(delivery, attempt, decision)
        if self._subscriptions:
            self._publish_attempt(delivery, attempt, decision)

    def note_expired(self, delivery: Delivery, reason: str) -> None:
        """Take note of a delivery that expired before its next attempt."""
        if self._tracer is not None:
            self._tracer.note_expired(delivery, reason)
        if self._subscriptions:
            self._publish_attempt(delivery, None, Expired(reason=reason))

    def close(self) -> None:
        """End all subscriptions once they are read, and every later one at once: the daemon stops."""
        self._is_closed = True
        for subscription in self._subscriptions:
            subscription.end()

    def add(self, subscription: "Subscription") -> None:
        """Have a subscription receive what passes."""
        if self._is_closed:
            subscription.end()
        self._subscriptions.append(subscription)
        self.is_watched = True

    def remove(self, subscription: "Subscription") -> None:
        """Hand nothing more to a subscription."""
        self._subscriptions.remove(subscription)
        if not self._subscriptions:
            self._glimpses.clear()
            self.is_watched = self._has_listeners

    def _publish_attempt(self, delivery: Delivery, attempt: Attempt | None, decision: Decision) -> None:
        seen = self._glimpse(delivery.event_id, delivery.body)
        wall, steady = self._clock.both()
        self._publish(passing_attempt(delivery, attempt, decision, seen, wall=wall, steady=steady), delivery.body)

    def _publish(self, item: Passing, body: bytes) -> None:
        for subscription in self._subscriptions:
            subscription.put(item, body)

    def _glimpse(self, event_id: str, body: bytes) -> Glimpse:
        """Return what is shown of an event, which is read once while it is remembered."""
        seen = self._glimpses.get(event_id)
        if seen is None:
            seen = self._glimpses[event_id] = glimpse(body)
            if len(self._glimpses) > _MOST_GLIMPSES:
                del self._glimpses[next(iter(self._glimpses))]
        return seen


class Subscription:
    """Holds what has passed until its reader takes it, at most so many; then the oldest are lost, and counted.

    Use it in a `with` block: it receives what passes inside of the block.
    """

    def __init__(self, feed: LiveFeed, *, most: int, wanted: LiveFilter, with_body: bool) -> None:
        self._feed = feed
        self._most = most
        self._wanted = wanted
        self._with_body = with_body
        self._waiting = deque[Passing]()
        self._body_size = 0
        """How many characters all bodies that wait have together."""
        self._arrived = asyncio.Event()
        self._has_ended = False
        self.lost = 0
        """How many were lost so far, because the reader was too slow."""

    def put(self, item: Passing, body: bytes) -> None:
        """Keep an item for the reader if it wants it, and lose the oldest if there are too many."""
        if not self._wanted.wants(item):
            return
        if self._with_body:
            item = with_body(item, body)
        self._waiting.append(item)
        self._body_size += len(item.body or "")
        while len(self._waiting) > self._most or (self._body_size > _MOST_BODIES and len(self._waiting) > 1):
            self._body_size -= len(self._waiting.popleft().body or "")
            self.lost += 1
        self._arrived.set()

    def end(self) -> None:
        """Let the reader end once it has taken what waits."""
        self._has_ended = True
        self._arrived.set()

    async def take(self) -> list[Passing]:
        """Return all that waits, once there is something; nothing at the end."""
        if not self._waiting and not self._has_ended:
            self._arrived.clear()
            await self._arrived.wait()
        taken = list(self._waiting)
        self._waiting.clear()
        self._body_size = 0
        return taken

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Passing:
        while not self._waiting:
            if self._has_ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        item = self._waiting.popleft()
        self._body_size -= len(item.body or "")
        return item

    def __enter__(self) -> Self:
        self._feed.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._feed.remove(self)
