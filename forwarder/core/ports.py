"""What ingest and dispatch need from the outside, as Protocols: they know these and no concrete part."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from forwarder.core.books import Cause, Entry
from forwarder.core.delivery import Attempt, Delivery, DeliveryStatus, DestinationName, Outcome
from forwarder.core.event import Event
from forwarder.core.gaps import GapId
from forwarder.core.order import Order
from forwarder.core.webhook import WebhookRequest

Clock = Callable[[], datetime]
"""Returns now, aware, in UTC: by the wall clock, or in steady time, by which everything waits and grows old (`core.clock_steps`)."""

TakeFrame = Callable[[bytes], Awaitable[None]]
"""Takes one text frame of a stream; awaiting it is how a stream learns that it must read slower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a claim brought: deliveries now in flight, oldest first, and when the next one falls due, if any waits."""

    deliveries: list[Delivery]
    next_due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStanding:
    """How a delivery stands that another one waits for."""

    is_open: bool
    """It is still to be made."""
    due_at: datetime
    receipt: str | None
    """What the receiver calls the message that was made of it."""


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
        deliveries: Mapping[DeliveryStatus | Cause, Sequence[Delivery]],
        *,
        entry: Entry,
        now: datetime,
        read_at: float,
        gap: GapId | None = None,
    ) -> None:
        """Keep the event with its deliveries: `in_flight` are with their lane, `pending` to be claimed, when their wait is over; those with a cause are skipped for it.

        `entry` is where the books count the event. `read_at` is when it was read by the monotonic clock, in seconds: the beginning of its commit lag.
        `gap` is the one whose repair brought it; its deliveries are marked so from then on.
        """
        ...

    def replace(self, destination: DestinationName, event_seq: int, *, now: datetime) -> bool:
        """End a delivery that waits for the full text as skipped, together with the event that is enqueued next.

        Called right before that. Returns whether it still waits; one that a lane has is left alone.
        """
        ...

    async def claim(
        self,
        destination: DestinationName,
        *,
        now: datetime,
        limit: int,
        is_early: bool = False,
        order: Order = Order.NONE,
    ) -> Claim:
        """Take up to `limit` pending deliveries that have no order and are due, and tell when the next one will be.

        `is_early`: also those that are not due yet, the next ones first, but for those that wait for the full text. Of these
        the ones whose wait is over come with the key that `order` gives them, and are to take their place in it.
        """
        ...

    async def claim_in_order(
        self, destination: DestinationName, key: str, *, now: datetime, limit: int, is_early: bool = False
    ) -> Claim:
        """Take the oldest pending deliveries with an order key, if the first of them is due, whatever the others are.

        `next_due` is that of the one after them, if there is one. Nothing while one of that key is still with another lane.
        """
        ...

    async def put_in_order(self, destination: DestinationName, order: Order) -> list[str]:
        """Have everything pending wait under the key that the order gives it; return the keys that something waits under."""
        ...

    def standing_of(self, destination: DestinationName, event_seq: int) -> DeliveryStanding | None:
        """Return how the delivery of an event stands, if it is in memory."""
        ...

    async def look_up(self, destination: DestinationName, event_seq: int, *, now: datetime) -> DeliveryStanding | None:
        """Return how it stands, in memory or on disk; `None`: there is none. What cannot be read now is open, and due soon."""
        ...

    def complete(self, delivery: Delivery, attempt: Attempt, *, receipt: str | None = None) -> None:
        """Note that this attempt delivered it; `receipt` is what the receiver calls what it made of it."""
        ...

    def reschedule(
        self, delivery: Delivery, attempt: Attempt, *, at: datetime, keep: bool, is_refusal: bool = False
    ) -> None:
        """Note that this attempt failed, and that the next is due at `at`; `keep`: the lane keeps it until then."""
        ...

    def postpone(self, delivery: Delivery, *, at: datetime | None, reason: str, keep: bool) -> None:
        """Note that an attempt told nothing about the receiver and why; it is not counted. `at` `None`: due as it was."""
        ...

    def expire(self, delivery: Delivery, attempt: Attempt | None, *, reason: str, now: datetime) -> None:
        """Note that it is too old; `attempt` is the last one, if one was made just now."""
        ...

    def bury(self, delivery: Delivery, attempt: Attempt, *, reason: str) -> None:
        """Note that this attempt failed for good: the delivery becomes a dead letter with its reason."""
        ...

    def release(self, delivery: Delivery) -> None:
        """Give a delivery back, uncounted and due as it was: our own stop cut it short."""
        ...

    async def expedite(self, destination: DestinationName, *, now: datetime) -> None:
        """Make what waits for a later attempt at this destination due now; of what has an order, the first of each key."""
        ...

    def expedite_held(self, delivery: Delivery) -> bool:
        """Do the same with one that the lane kept; return whether it may come now."""
        ...


class Sender(Protocol):
    """One destination's way out."""

    async def send(self, request: WebhookRequest) -> Outcome:
        """Make one attempt. Never raises for what a peer or a network can cause."""
        ...

    async def knock(self) -> bool:
        """Return whether it is worth an attempt, where the connection was refused: by connecting, and sending nothing.

        A connection that comes of it is kept for the next attempt. Where it is no longer refused and fails otherwise, an attempt tells more.
        """
        ...
