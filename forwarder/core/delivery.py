"""One event for one destination, the attempts made for it, and what each came to.

A delivery is `pending` (waits in the outbox), `in_flight` (in the memory of its lane or on the wire), and ends as
`delivered` or `dead`. Whatever was in flight when the process ended is pending again at the next start.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from forwarder.core.event import Event, EventId, fingerprint

DestinationName = NewType("DestinationName", str)
DeliveryId = NewType("DeliveryId", str)
"""The `webhook-id`: derived from destination and event, so repeats carry the same id after a crash and on any node."""


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    IN_FLIGHT = "in_flight"
    DELIVERED = "delivered"
    DEAD = "dead"


class Fault(StrEnum):
    """Why an attempt got no answer."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    DNS = "dns"
    TLS = "tls"
    NETWORK = "network"
    PROTOCOL = "protocol"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one destination."""

    id: DeliveryId
    event_id: EventId
    destination: DestinationName
    routes: tuple[str, ...]
    """Names of the routes that chose the destination."""
    accepted_at: datetime
    """When the event was read from its stream."""
    attempts: int = 0
    """Attempts made and counted so far."""
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The receiver sent a status. `retry_after` and `location` are its headers of that name, where given."""

    status: int
    excerpt: str = field(default="", repr=False)
    """The answer's body: at most 64 KiB were read, trimmed for keeping."""
    retry_after: timedelta | None = None
    location: str | None = None

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """No status came; `detail` is a sentence of our own without URLs or secrets."""

    fault: Fault
    detail: str

    @property
    def reason(self) -> str:
        """What happened, in a few words for a person."""
        return self.detail


Outcome = Answered | Unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One HTTP try of a delivery, counted from 1."""

    number: int
    started_at: datetime
    duration: timedelta
    outcome: Outcome

    @property
    def is_delivered(self) -> bool:
        """Whether a 2xx came."""
        return isinstance(self.outcome, Answered) and self.outcome.is_success


def new_delivery(
    event: Event, destination: DestinationName, routes: tuple[str, ...], *, accepted_at: datetime
) -> Delivery:
    """Return the delivery of `event` to `destination`, with its derived id."""
    return Delivery(
        id=DeliveryId(f"msg_{fingerprint(destination, event.id)}"),
        event_id=event.id,
        destination=destination,
        routes=routes,
        accepted_at=accepted_at,
        body=event.body,
    )
