"""What ingest and dispatch need from the outside, as Protocols: they know these and no concrete part. `history` has that of the commands."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from forwarder.core.delivery import Attempt, Delivery, DeliveryStatus, DestinationName, Outcome
from forwarder.core.destinations.destination import Destination
from forwarder.core.destinations.request import WebhookRequest
from forwarder.core.dispatch.lane_events import LaneEvent
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.priority import Priority
from forwarder.core.dispatch.retry import Decision
from forwarder.core.event import Event, NotAnEvent
from forwarder.core.gaps.gap import GapId
from forwarder.core.ledger import LedgerEntry, SkipReason
from forwarder.core.templates.job import TemplateJob

Clock = Callable[[], datetime]
"""Returns now, aware, in UTC: by the wall clock, or in steady time, by which everything waits and grows old (`core.clock_steps`)."""


class TemplateWorker(Protocol):
    """Renders templates outside the event loop."""

    async def render(self, job: TemplateJob) -> list[str]:
        """Return the texts of a job. Raises `CannotFormatError` if it cannot be rendered, and `RendererUnavailableError`."""
        ...


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a claim brought: deliveries now in flight, oldest first, and when the next one falls due, if any waits."""

    deliveries: list[Delivery]
    next_due: datetime | None


class DeliveryState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a delivery that another one waits for."""

    is_open: bool
    """It is still to be made."""
    due_at: datetime
    receipt: str | None
    """What the receiver calls the message that was made of it."""


class Outbox(Protocol):
    """Durable deliveries.

    The verbs that return nothing only queue their work: they are carried out in the order they were called, many in one
    transaction, so an outcome is never on disk before its delivery. `wait_for_room` is the brake: whoever brings new
    events awaits it first, unless there `has_room`.
    """

    async def wait_for_room(self) -> None:
        """Return when memory has room for another event; at once unless the disk fails."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether `wait_for_room` would return at once."""
        ...

    def new_seq(self) -> int:
        """Return the number that the next event is kept under."""
        ...

    def count_duplicate(self, *, now: datetime) -> None:
        """Count an event that came before, and is not kept again."""
        ...

    def enqueue(
        self,
        event: Event,
        event_seq: int,
        deliveries: Mapping[DeliveryStatus | SkipReason, Sequence[Delivery]],
        *,
        entry: LedgerEntry,
        now: datetime,
        read_at: float,
        gap: GapId | None = None,
    ) -> None:
        """Keep the event with its deliveries: `in_flight` are with their lane, `pending` to be claimed, when their wait is over; those with a cause are skipped for it.

        `entry` is where the ledger counts the event. `read_at` is when it was read by the monotonic clock, in seconds: the beginning of its commit lag.
        `gap` is the one whose repair brought it; its deliveries are marked so from then on.
        """
        ...

    def replace(
        self,
        destination: DestinationName,
        event_seq: int,
        *,
        now: datetime,
        cause: SkipReason = SkipReason.PREFERRED,
    ) -> bool:
        """End a delivery that waits for what has come now as skipped, together with the event that is enqueued next.

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
        priority: Priority | None = None,
    ) -> Claim:
        """Take up to `limit` pending deliveries that have no order and are due, and report when the next one will be.

        `is_early`: also those that are not due yet, the next ones first, but for those that wait for the full text. Of these
        the ones whose wait is over come with the key that `order` gives them, and are to take their place in it.
        """
        ...

    async def high_order_keys(self, destination: DestinationName) -> list[str]:
        """Return the order keys under which a delivery with a high priority waits."""
        ...

    async def claim_in_order(
        self, destination: DestinationName, key: str, *, now: datetime, limit: int, is_early: bool = False
    ) -> Claim:
        """Take the oldest pending deliveries with an order key, if the first of them is due, even if others are not.

        `next_due` is that of the one after them, if there is one. Nothing while one of that key is still with another lane.
        """
        ...

    async def put_in_order(self, destination: DestinationName, order: Order) -> list[str]:
        """Have everything pending wait under the key that the order gives it; return the keys that something waits under."""
        ...

    def state_of(self, destination: DestinationName, event_seq: int) -> DeliveryState | None:
        """Return the state of the delivery of an event, if it is in memory."""
        ...

    async def look_up(self, destination: DestinationName, event_seq: int, *, now: datetime) -> DeliveryState | None:
        """Return the same from memory or disk; `None`: there is none. What cannot be read now is open, and due soon."""
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
        """Note that an attempt showed nothing about the receiver, and why; it is not counted. `at` `None`: due as it was."""
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


class FallbackSlice(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries to add: for each event that was accepted before `before` and still waits for `of`, one to `to`."""

    of: str
    to: str
    before: datetime
    """By the wall clock, as `now`."""
    now: datetime
    after_seq: int
    """The last event of the slice before."""


class Sender(Protocol):
    """One destination's way out."""

    async def send(self, request: WebhookRequest) -> Outcome:
        """Make one attempt. Never raises for what a peer or a network can cause."""
        ...

    async def knock(self) -> bool:
        """Return whether it is worth an attempt, where the connection was refused: by connecting, and sending nothing.

        A connection that comes of it is kept for the next attempt. Where it is no longer refused and fails otherwise, an attempt shows more.
        """
        ...


class LaneObserver(Protocol):
    """Is notified of what happens at each destination: it counts, logs and sends notices."""

    def attempt_finished(
        self, destination: Destination, delivery: Delivery, attempt: Attempt, decision: Decision, now: datetime
    ) -> None:
        """Take note of an attempt, and of what is decided for its delivery; `now` is by the steady clock."""
        ...

    def state_changed(self, destination: Destination, event: LaneEvent) -> None:
        """Take note of a change of the destination's state, or of a delivery that expired between two attempts."""
        ...


class GapRecord(Protocol):
    """Is notified when a stream is away and when it is back."""

    def note_away(self, stream: str, *, began: datetime, noticed: datetime, reason: str) -> None:
        """Nothing is known of what was sent since `began`, the last sign of life."""
        ...

    def note_open(self, stream: str, at: datetime) -> None:
        """A connection is open since then."""
        ...


class GapNotes(GapRecord, Protocol):
    """Is notified when a stream is away, open, or taken out of the config."""

    def forget(self, stream: str, *, read_until: datetime | None) -> None:
        """A reload has taken it away. If it was open, what it sent after `read_until` may be missing."""
        ...


class FrameSink(Protocol):
    """Takes what the streams receive."""

    def take(self, frame: bytes, *, stream: str, is_public: bool = False) -> Coroutine[Any, Any, None]:
        """Take a text frame that a stream received, which may be the public one. A stream reads no further until this returns."""
        ...

    def note_odd_frame(self, kind: NotAnEvent, detail: str = "") -> None:
        """Count a frame that is no event."""
        ...


class Clocks(Protocol):
    """The wall clock, and the steady clock that everything waits and grows old by (`core.clock_steps`)."""

    def __call__(self) -> datetime:
        """Return now by the wall clock."""
        ...

    def steady(self) -> datetime:
        """Return now by the steady clock."""
        ...

    def both(self) -> tuple[datetime, datetime]:
        """Return now by the wall clock and by the steady clock, of one reading."""
        ...
