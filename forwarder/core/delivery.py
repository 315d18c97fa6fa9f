"""One event for one destination, the attempts made for it, and what each came to.

A delivery is `pending` (waits in the outbox), `in_flight` (was handed to its lane as it came), and ends as `delivered`,
`dead`, `expired`, or `skipped` by a rule or a person. Whatever was in flight when the process ended is pending again at the next start.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NewType

import msgspec

from forwarder.core.event import Event, EventId, fingerprint

DestinationName = NewType("DestinationName", str)
DeliveryId = NewType("DeliveryId", str)
"""The `webhook-id`: `msg_`, the event's id, 8 hex digits of the destination. Derived, so repeats carry the same id after a
crash and on any node, and an id out of a receiver's log leads back to its event."""


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    IN_FLIGHT = "in_flight"
    DELIVERED = "delivered"
    DEAD = "dead"
    EXPIRED = "expired"
    """Dead because it was too old to be of use."""
    SKIPPED = "skipped"


class Trigger(StrEnum):
    """Why an attempt is made."""

    FIRST = "first"
    RETRY = "retry"
    MANUAL = "manual"
    REPLAY = "replay"
    RECOVERED = "recovered"
    """Of an event that no stream brought and the repair of a gap did; or of one saved out of a damaged outbox."""
    CANARY = "canary"
    """An event of our own that only shows whether it arrives: `canary` of a destination. Of all of its attempts."""
    TEST = "test"
    """By `forwarder send`, outside the outbox."""


class Fault(StrEnum):
    """Why an attempt got no answer."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    DNS = "dns"
    TLS = "tls"
    CERTIFICATE = "certificate"
    BLOCKED = "blocked"
    """Its address is one that we may not connect to."""
    FORMAT = "format"
    """The event could not be put into the format of the destination; nothing was sent."""
    PROXY = "proxy"
    """The proxy on the way did not let us through, or could not reach the receiver."""
    NETWORK = "network"
    PROTOCOL = "protocol"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one destination."""

    event_id: EventId
    event_seq: int
    """The outbox's own number of the event: two copies of one event, hours apart, are two."""
    destination: DestinationName
    routes: tuple[str, ...]
    """Names of the routes that chose the destination."""
    accepted_at: datetime
    """When the event was read from its stream, in steady time: see `core.clock_steps`."""
    attempts: int = 0
    """Attempts made and counted so far, since a person last had it tried again."""
    earlier_attempts: int = 0
    """Attempts made before that."""
    refusals: int = 0
    """How many of its attempts were refused as if something were set up wrongly."""
    order_key: str | None = None
    """Deliveries of one destination with the same key are made one after the other, in the order of their events."""
    trigger: Trigger = Trigger.FIRST
    """What the first attempt is made for; those after it are retries."""
    edits: int | None = None
    """The number of the event whose message at this destination it changes."""
    waits_until: datetime | None = None
    """It is not to go before: it is the first word of a post whose full text may come."""
    is_recovered: bool = False
    """The repair of a gap brought its event, later than a stream would have."""
    body: bytes

    def __repr__(self) -> str:  # not the body
        return f"Delivery({self.id} to {self.destination})"

    @property
    def id(self) -> DeliveryId:
        """The same over all attempts."""
        return delivery_id(self.event_id, self.destination)


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The receiver sent a status, and perhaps its wishes about what follows."""

    status: int
    excerpt: str = ""
    """The answer's body: at most 64 KiB were read, trimmed for keeping."""
    body: bytes = b""
    """The same untrimmed, for whoever made the request; kept by nobody."""
    location: str | None = None
    """Where a redirect pointed, without what may be secret."""
    retry_after: timedelta | None = None
    """How long it asks us to wait, in its headers or its body."""
    is_final: bool = False
    """It wants no more tries of this delivery."""
    remaining: int | None = None
    """How many more requests it takes before `reset_after`, where it says so (`X-RateLimit-*`)."""
    reset_after: timedelta | None = None
    is_for_all: bool = False
    """Its 429 holds for all we send to this service, not this URL alone (Discord's `global`)."""

    def __repr__(self) -> str:  # not the excerpt
        return f"Answered({self.status}, retry_after={self.retry_after}, location={self.location})"

    @property
    def is_success(self) -> bool:
        """Whether the receiver has it: any 2xx, as with scrape.st's webhooks."""
        return 200 <= self.status < 300

    @property
    def reason(self) -> str:
        """What happened, in a few words for a person."""
        if self.location is not None and 300 <= self.status < 400:
            return f"HTTP {self.status}, a redirect to {self.location}, not followed"
        return f"HTTP {self.status}"


class Unanswered(msgspec.Struct, frozen=True, kw_only=True):
    """No status came; `detail` is a sentence of our own without URLs or secrets."""

    fault: Fault
    detail: str
    is_ours: bool = False
    """It was not the receiver's doing: no network here, no name server, no file descriptors. Not counted against it."""

    @property
    def reason(self) -> str:
        """What happened, in a few words for a person."""
        return self.detail


Outcome = Answered | Unanswered


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP try of a delivery, counted from 1."""

    number: int
    started_at: datetime
    duration: timedelta
    outcome: Outcome

    @property
    def duration_ms(self) -> float:
        """The same in milliseconds."""
        return self.duration.total_seconds() * 1000

    @property
    def is_delivered(self) -> bool:
        """Whether a 2xx came."""
        return isinstance(self.outcome, Answered) and self.outcome.is_success


def delivery_id(event_id: EventId, destination: DestinationName) -> DeliveryId:
    """Return the `webhook-id` of an event for a destination."""
    return DeliveryId(f"msg_{event_id}{_mark(destination)}")


def event_of(delivery_id_: str) -> tuple[EventId, str] | None:
    """Return the event's id and the destination's mark that a `webhook-id` is made of, or `None` if it is none of ours."""
    prefix, hex_digits = delivery_id_[:4], delivery_id_[4:]
    if prefix != "msg_" or len(hex_digits) != 40 or set(hex_digits) - set("0123456789abcdef"):
        return None
    return EventId(hex_digits[:32]), hex_digits[32:]


@lru_cache(maxsize=4096)
def _mark(destination: DestinationName) -> str:
    return fingerprint(destination)[:8]


def new_delivery(
    event: Event,
    destination: DestinationName,
    routes: tuple[str, ...],
    *,
    event_seq: int,
    accepted_at: datetime,
    order_key: str | None = None,
    trigger: Trigger = Trigger.FIRST,
    edits: int | None = None,
    waits_until: datetime | None = None,
    is_recovered: bool = False,
) -> Delivery:
    """Return the delivery of `event` to `destination`; its first attempt is made for the recovery where the event was recovered."""
    return Delivery(
        event_id=event.id,
        event_seq=event_seq,
        destination=destination,
        routes=routes,
        accepted_at=accepted_at,
        body=event.body,
        order_key=order_key,
        trigger=Trigger.RECOVERED if is_recovered and trigger is Trigger.FIRST else trigger,
        edits=edits,
        waits_until=waits_until,
        is_recovered=is_recovered,
    )
