"""A delivery is one event for one destination; this module has its attempts and their outcomes, too.

A delivery is `pending` (in the outbox) or `in_flight` (handed to its lane), and ends as `delivered`, `dead`, `expired`, or `skipped`
by a rule or a person. Deliveries that were in flight when the process ended are pending again at the next start.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NewType

import msgspec

from forwarder.core.answer_words import words_of
from forwarder.core.event import OWN_SOURCE, Event, EventId, fingerprint

DestinationName = NewType("DestinationName", str)
DeliveryId = NewType("DeliveryId", str)
"""The `webhook-id`: `msg_`, the event's id, and 8 hex digits of the destination.

It is derived, so repeats have the same id after a crash and on any machine, and an id in a receiver's log leads back to its event.
"""


class DeliveryStatus(StrEnum):
    """The status of a delivery."""

    PENDING = "pending"
    IN_FLIGHT = "in_flight"
    DELIVERED = "delivered"
    DEAD = "dead"
    EXPIRED = "expired"
    """Given up because it was too old."""
    SKIPPED = "skipped"


class Trigger(StrEnum):
    """Why an attempt is made."""

    FIRST = "first"
    RETRY = "retry"
    MANUAL = "manual"
    REPLAY = "replay"
    RESEND = "resend"
    """A person had this one delivery sent again."""
    RECOVERED = "recovered"
    """The event was fetched by a gap repair, or saved from a damaged outbox."""
    CANARY = "canary"
    """The event is a canary. All of its attempts have this trigger."""
    FALLBACK = "fallback"
    """The event waited too long for another destination. All of its attempts have this trigger."""
    TEST = "test"
    """`forwarder send` made the attempt, outside the outbox."""


class WaitsFor(StrEnum):
    """What a delivery waits for that is not sent at once."""

    FULL_TEXT = "full text"
    """The full text of its post may still come, and replaces it."""
    QUIET_END = "quiet hours"
    """The quiet hours in which it came are not over."""
    DIGEST = "digest"
    """The digest at the end of the quiet hours lists it; it is not sent by itself."""


DIGEST_KEY = "*digest"
"""The order key of what waits for a digest: no lane has a line of this key, so no lane takes it."""


class Fault(StrEnum):
    """Why an attempt got no response."""

    TIMEOUT = "timeout"
    REFUSED = "refused"
    DNS = "dns"
    TLS = "tls"
    CERTIFICATE = "certificate"
    BLOCKED = "blocked"
    """The address is denied by `networks`."""
    FORMAT = "format"
    """The event could not be rendered in the format of the destination; nothing was sent."""
    PROXY = "proxy"
    """The proxy refused the connection, or could not reach the receiver."""
    NETWORK = "network"
    PROTOCOL = "protocol"


class Delivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event to be sent to one destination."""

    event_id: EventId
    event_seq: int
    """The number of the event in the outbox. Two copies of one event, hours apart, have two numbers."""
    destination: DestinationName
    routes: tuple[str, ...]
    """The names of the routes that chose the destination."""
    accepted_at: datetime
    """When the event was read from its stream, in steady time (see `core.clock_steps`)."""
    attempts: int = 0
    """Attempts counted so far, since a person last retried the delivery."""
    earlier_attempts: int = 0
    """Attempts counted before a person last retried the delivery."""
    refusals: int = 0
    """How many of its attempts were refused in a way that suggests a wrong configuration."""
    order_key: str | None = None
    """Deliveries to one destination with the same key are made one after the other, in the order of their events."""
    trigger: Trigger = Trigger.FIRST
    """Why the first attempt is made; later attempts are retries."""
    edits: int | None = None
    """The number of the event whose message at this destination is edited."""
    waits_until: datetime | None = None
    """The delivery is not sent before this time, because of what it waits for; also once that is over, until its first attempt has failed."""
    waits_for: WaitsFor = WaitsFor.FULL_TEXT
    is_high: bool = False
    """Whether a route with `priority: high` chose the destination: of what waits it goes first."""
    is_recovered: bool = False
    """Whether a gap repair fetched the event."""
    is_own: bool = False
    """Whether the event is a notice or a test of forwarder itself."""
    body: bytes

    def __repr__(self) -> str:  # not the body
        return f"Delivery({self.id} to {self.destination})"

    @property
    def id(self) -> DeliveryId:
        """The `webhook-id`, the same for all attempts."""
        return delivery_id(self.event_id, self.destination)


class KeptDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that quiet hours kept for their digest."""

    event_seq: int
    post: tuple[str, str, str]
    """What the two events of one X post have in common: the source, where `fast-x` counts as `x`, the account, and the `mid`."""
    accepted_at: datetime
    """By the wall clock."""
    body: bytes


SENT_TWICE = "sent twice: the receiver closed an idle connection without an answer"
"""The note of an attempt whose request was sent again over a fresh connection."""


class Answered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The receiver answered with a status, and perhaps with hints about retries and limits."""

    status: int
    excerpt: str = ""
    """The beginning of the response's body on one line, to be kept."""
    body: bytes = b""
    """The body of the response, at most 64 KiB. It is not stored."""
    location: str | None = None
    """Where a redirect pointed, without the parts that may be secret."""
    retry_after: timedelta | None = None
    """How long the receiver asks to wait, in its headers or its body."""
    is_final: bool = False
    """Whether the receiver wants no more attempts of this delivery."""
    remaining: int | None = None
    """How many more requests the receiver accepts before `reset_after` (`X-RateLimit-*`)."""
    reset_after: timedelta | None = None
    """When the receiver's rate limit is reset (`X-RateLimit-*`)."""
    is_for_all: bool = False
    """Whether a 429 applies to all requests to the service and not only to this URL (Discord's `global`)."""
    is_of_destination: bool = False
    """Whether it is an error of the service that concerns every event, such as a chat that is gone."""
    is_complete: bool = True
    """Whether `body` is all of the response's body; true where nothing depends on the body."""
    mismatch: str = ""
    """Why a 2xx is no success: the config says what its body must be, and it is something else."""
    note: str = ""
    """What else happened in the attempt, such as an earlier request that was refused."""

    def __repr__(self) -> str:  # not the excerpt
        return f"Answered({self.status}, retry_after={self.retry_after}, location={self.location})"

    @property
    def is_success(self) -> bool:
        """Whether the receiver has the event: any 2xx, as with scrape.st's webhooks, unless its body says something else."""
        return 200 <= self.status < 300 and not self.mismatch

    @property
    def is_fault(self) -> bool:
        """Whether the receiver itself does not work: a 5xx, or a body that is not that of a success."""
        return self.status >= 500 or bool(self.mismatch)

    @property
    def summary(self) -> str:
        """What happened, in a few words of ours."""
        if self.location is not None and 300 <= self.status < 400:
            return f"HTTP {self.status}, a redirect to {self.location}, not followed"
        return f"HTTP {self.status}, but {self.mismatch}" if self.mismatch else f"HTTP {self.status}"

    @property
    def reason(self) -> str:
        """What happened, and what the receiver says about it."""
        return self.explain(self.summary)

    def explain(self, what: str) -> str:
        """Return a text about this answer, followed by what the receiver itself says about an error, and by the note."""
        is_told = self.is_success or 300 <= self.status < 400  # the body of a redirect only repeats where it points
        words = "" if is_told else words_of(self.excerpt)
        said = f"{what}: {words}" if words else what
        return f"{said} ({self.note})" if self.note else said


class Unanswered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """No status came; `detail` says why, without URLs or secrets."""

    fault: Fault
    detail: str
    is_local_fault: bool = False
    """Whether the cause is on this machine: no network, no name server, no file descriptors. Does not count against the receiver."""
    note: str = ""
    """See `Answered.note`."""

    @property
    def summary(self) -> str:
        """What happened, in a few words of ours."""
        return self.detail

    @property
    def reason(self) -> str:
        """What happened, in a few words, and the note."""
        return self.explain(self.summary)

    def explain(self, what: str) -> str:
        """Return a text about this outcome, followed by the note: a receiver that does not answer says nothing."""
        return f"{what} ({self.note})" if self.note else what


Outcome = Answered | Unanswered


class Attempt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One HTTP request for a delivery, and its outcome. Attempts are numbered from 1."""

    number: int
    started_at: datetime
    duration: timedelta
    outcome: Outcome

    @property
    def duration_ms(self) -> float:
        """The duration in milliseconds."""
        return self.duration.total_seconds() * 1000

    @property
    def note(self) -> str:
        """What else happened in the attempt, if anything: for one that delivered there is no reason that says it."""
        return self.outcome.note

    @property
    def is_delivered(self) -> bool:
        """Whether a 2xx came."""
        return isinstance(self.outcome, Answered) and self.outcome.is_success


def delivery_id(event_id: EventId, destination: DestinationName) -> DeliveryId:
    """Return the `webhook-id` of an event for a destination."""
    return DeliveryId(f"msg_{event_id}{_mark(destination)}")


def event_of(delivery_id_: str) -> tuple[EventId, str] | None:
    """Return the event's id and the destination's mark in a `webhook-id`, or `None` if forwarder did not make the id."""
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
    waits_for: WaitsFor = WaitsFor.FULL_TEXT,
    is_high: bool = False,
    is_recovered: bool = False,
) -> Delivery:
    """Return the delivery of `event` to `destination`. If the event was recovered, `Trigger.FIRST` becomes `Trigger.RECOVERED`."""
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
        waits_for=waits_for,
        is_high=is_high,
        is_recovered=is_recovered,
        is_own=event.source == OWN_SOURCE,
    )


Chosen = dict[DestinationName, tuple[str, ...]]
"""The destinations of an event, each with the routes that chose it."""
