"""What the history keeps, as the page and the API show it."""

import msgspec

from forwarder.core.history import Cursor


class StoredAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP attempt of a delivery."""

    number: int
    """Counted from 1."""
    started_at: str
    duration_ms: float | None = None
    http_status: int | None = None
    """`None` where no response came."""
    reason: str | None = None
    """Why it failed."""
    excerpt: str | None = None
    """The beginning of the response, in the words of the receiver."""


class StoredDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery of the history: one event for one destination."""

    delivery_id: str
    """The `webhook-id`."""
    event_id: str
    event_seq: int
    source: str
    mid: str
    sid: str
    author: str
    """Who wrote the post; empty where that is not known."""
    text: str
    """The beginning of the post."""
    accepted_at: str
    recovered: bool
    """Whether the repair of a gap brought the event."""
    destination: str
    routes: list[str]
    status: str
    """`pending`, `in_flight`, `delivered`, `dead`, `expired` or `skipped`."""
    waits_for: str | None = None
    """What it waits for, in words; `None` where it is made, is being sent or is the next one."""
    trigger: str
    attempts_made: int
    order_key: str | None = None
    priority: str
    due_at: str | None = None
    closed_at: str | None = None
    last_attempt_at: str | None = None
    duration_ms: float | None = None
    http_status: int | None = None
    reason: str | None = None
    excerpt: str | None = None
    attempts: list[StoredAttempt] = []
    """Every attempt, oldest first. Only of the event's own page; lists leave them out."""


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the history with its deliveries."""

    event_id: str
    """An id may come again once the window for duplicates is over."""
    event_seq: int
    """The number of this acceptance; unique."""
    accepted_at: str
    timestamp: float
    """When it was sent, in Unix milliseconds, as its source says."""
    source: str
    mid: str
    sid: str
    author: str
    text: str
    planned: int
    """How many deliveries it was given. 0: it went nowhere."""
    recovered: bool
    gap_id: int | None = None
    deliveries: list[StoredDelivery]
    body: str | None = None
    """The event as it came, as JSON text; of a large one the beginning. Only of the event's own page."""
    body_is_cut: bool = False
    """Whether `body` is only the beginning. `/api/v1/events/{event_id}/body` has all of it."""
    body_bytes: int | None = None
    """The size of the whole event."""


class DeadGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters of one destination that died of one reason."""

    destination: str
    status: str
    """`dead`, or `expired` of those that became too old."""
    reason: str
    count: int
    first_at: str
    last_at: str


class StoredGap(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which a stream was not open."""

    gap_id: int
    stream: str
    began_at: str
    noticed_at: str
    ended_at: str | None = None
    """`None` while it lasts."""
    length_s: float | None = None
    covered: bool
    """Whether another stream was open all the time."""
    reason: str
    repair: str
    found: int
    recovered: int
    note: str


class StoredAction(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person did."""

    at: str
    person: str
    verb: str
    what: str
    changed: int


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some events, newest first."""

    events: list[StoredEvent]
    next: Cursor | None = None
    """Where the next page begins; `None` at the end."""


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some deliveries, newest first; of dead letters, the last to die first."""

    deliveries: list[StoredDelivery]
    next: Cursor | None = None
