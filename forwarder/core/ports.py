"""What ingest and dispatch need from the outside, as Protocols: they know these and no concrete part."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from forwarder.core.delivery import Attempt, Delivery, DeliveryStatus, DestinationName, Outcome
from forwarder.core.event import Event
from forwarder.core.webhook import WebhookRequest

Clock = Callable[[], datetime]
"""Returns now, aware, in UTC."""

TakeFrame = Callable[[bytes], Awaitable[None]]
"""Takes one text frame of a stream; awaiting it is how a stream learns that it must read slower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a claim brought: deliveries now in flight, oldest first, and when the next one falls due, if any waits."""

    deliveries: list[Delivery]
    next_due: datetime | None


class Outbox(Protocol):
    """Durable deliveries.

    The verbs that return nothing only queue their work: they are carried out in the order they were called, many in one
    transaction, so an outcome never stands on disk before its delivery. `wait_for_room` is the brake: whoever brings new
    events awaits it first.
    """

    async def wait_for_room(self) -> None:
        """Return when memory has room for another event; at once unless the disk fails."""
        ...

    def new_seq(self) -> int:
        """Return the number that the next event is kept under."""
        ...

    def count_double(self, *, now: datetime) -> None:
        """Enter an event that came before, and is not kept again, in the books."""
        ...

    def enqueue(
        self,
        event: Event,
        event_seq: int,
        deliveries: Mapping[DeliveryStatus, Sequence[Delivery]],
        *,
        is_matched: bool,
        now: datetime,
        read_at: float,
    ) -> None:
        """Keep the event with its deliveries: `in_flight` are with their lane, `pending` to be claimed, `skipped` not to be made.

        `read_at` is when it was read by the monotonic clock, in seconds: the beginning of its commit lag.
        """
        ...

    async def claim(self, destination: DestinationName, *, now: datetime, limit: int) -> Claim:
        """Take up to `limit` pending deliveries that are due, and tell when the next one will be."""
        ...

    def complete(self, delivery: Delivery, attempt: Attempt) -> None:
        """Note that this attempt delivered it."""
        ...

    def reschedule(self, delivery: Delivery, attempt: Attempt, *, at: datetime, keep: bool) -> None:
        """Note that this attempt failed, and that the next is due at `at`; `keep`: the lane keeps it until then."""
        ...

    def bury(self, delivery: Delivery, attempt: Attempt, *, reason: str) -> None:
        """Note that this attempt failed for good: the delivery becomes a dead letter with its reason."""
        ...

    def release(self, delivery: Delivery) -> None:
        """Give a delivery back, uncounted and due as it was: our own stop cut it short."""
        ...

    async def expedite(self, destination: DestinationName, *, now: datetime, limit: int | None = None) -> None:
        """Make what waits for a later attempt at this destination due now: all of it, or the next `limit`."""
        ...

    def expedite_held(self, delivery: Delivery) -> bool:
        """Do the same with one that the lane kept; return whether it may come now."""
        ...


class Sender(Protocol):
    """One destination's way out."""

    async def send(self, request: WebhookRequest) -> Outcome:
        """Make one attempt. Never raises for what a peer or a network can cause."""
        ...
