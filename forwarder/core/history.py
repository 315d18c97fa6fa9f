"""The read port of the outbox: what commands ask of events, deliveries, gaps and configs that are kept.

A store implements `History`; what goes through it are the values of this module.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Protocol

import msgspec

from forwarder.core.delivery import Chosen
from forwarder.core.ledger import Audit

NO_LIMIT = -1
"""The limit of a query that returns everything."""
FOREVER_MS = 1 << 53
"""A time in Unix milliseconds that is later than every event."""

WAITING = "waiting"
"""The word for a delivery that is not made yet; a query by status takes it too."""
WAITING_STATUSES = frozenset({"pending", "in_flight"})
"""The statuses that it stands for: which of both an outbox has says nothing to a person."""

Record = dict[str, Any]
"""One event, delivery, attempt or gap as scripts read it: keys of the JSON output to JSON values."""

AWAITS_FULL = "waits for the full text"
KEPT_BY_QUIET = "kept until the quiet hours end"
KEPT_FOR_DIGEST = "kept for the digest after the quiet hours"
WAITS = {1: AWAITS_FULL, 2: KEPT_BY_QUIET, 3: KEPT_FOR_DIGEST}
"""What a delivery waits for that is not due, by the number that the outbox has of it."""
"""The `reason` in the record of a pending delivery that waits for the full text of its post."""


class Cursor(msgspec.Struct, frozen=True):
    """Where a page of a list ended: the next page begins after it."""

    at_ms: int
    """When the last event of the page was accepted; in a list of dead letters, when the last one died."""
    seq: int
    """The number of its event."""
    destination: str = ""
    """Empty in a list of events."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Selects events or deliveries; a field that is `None` matches all. `since_ms` is included, `until_ms` is not."""

    since_ms: int = 0
    until_ms: int = FOREVER_MS
    source: str | None = None
    destination: str | None = None
    route: str | None = None
    status: str | None = None
    """The status of a delivery, or `WAITING`; of the delivery to `destination`, if an event is asked for with both."""
    failed: bool = False
    """Only deliveries of which an attempt failed, whatever came of them. Only for deliveries."""
    unmatched: bool = False
    """Only events that went nowhere. Only for events."""
    reason: str | None = None
    """Why it died, in full. Only for dead letters."""
    mid: str | None = None
    author: str | None = None
    """As `core.matching.post_search` finds posts; `text` and `link`, too."""
    text: str | None = None
    link: str | None = None
    limit: int = NO_LIMIT
    after: Cursor | None = None
    """The end of the page before. Only for events, deliveries and dead letters."""


class StoredRevision(msgspec.Struct, frozen=True, kw_only=True):
    """The routing part of a config, as it was kept with the events that it routed."""

    digest: str
    data: bytes
    """The bytes that `core.config.revision.packed` made."""
    loaded_at: datetime


class HistorySpan(msgspec.Struct, frozen=True, kw_only=True):
    """A range of the history, from its first event to the last one that is kept now."""

    first_seq: int
    count: int
    begins_at: datetime | None
    """When its first event was accepted; `None` where the range is empty."""
    pruned: int
    """How many events of the same time are not kept any more."""


class QueueDepth(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for a destination, those in flight included."""

    count: int
    oldest_at: str
    """When the oldest event of these was received, in ISO 8601."""


class PastEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the history and the destinations that the routes of its time chose."""

    seq: int
    accepted_at: datetime
    source: str
    body: bytes
    chosen: Chosen


class History(Protocol):
    """Reads the outbox, also while a daemon writes to it. Every method reads what is stored when it is called."""

    def events(self, query: Query) -> Iterator[Record]:
        """Return the events with their deliveries, newest first."""
        ...

    def find_events(self, text: str) -> list[Record]:
        """Return the events with this id or with an id that begins so. An id repeats once the dedupe window is over."""
        ...

    def event_at(self, event_seq: int) -> Record | None:
        """Return the event with this number, with its body, deliveries and attempts; `None` if there is none."""
        ...

    def find_posts(self, mid: str, *, source: str | None, limit: int) -> list[Record]:
        """Return the newest events with this `mid`, of one source or of all, oldest first."""
        ...

    def deliveries(self, query: Query) -> Iterator[Record]:
        """Return the deliveries without their earlier attempts, newest event first.

        With `failed` each has `last_failure`: what the last attempt that failed has failed with.
        """
        ...

    def find_deliveries(self, text: str) -> list[Record]:
        """Return the deliveries of a `webhook-id`, or of an event's id, with every attempt."""
        ...

    def dead_letters(self, query: Query) -> Iterator[Record]:
        """Return the dead deliveries, the last to die first."""
        ...

    def dead_groups(self, query: Query) -> Iterator[Record]:
        """Return how many deliveries are dead for which reason, by destination, the group with the last death first."""
        ...

    def dead_keys(self, ids: list[str]) -> list[tuple[int, str]]:
        """Return the event number and the destination of the dead letters with these `webhook-id`s or event ids."""
        ...

    def export(self, query: Query) -> Iterator[Record]:
        """Return every event with its body, deliveries and attempts."""
        ...

    def count_replayable(self, query: Query, *, to: str, missing: bool) -> int:
        """Return how many deliveries a replay to this destination would make."""
        ...

    def count_dead(self, query: Query) -> int:
        """Return how many dead letters there are."""
        ...

    def count_replaying(self, to: str) -> int:
        """Return how many replayed deliveries still wait for this destination."""
        ...

    def paused(self) -> dict[str, str]:
        """Return since when destinations are paused, in ISO 8601, by their names."""
        ...

    def pause_ends(self) -> dict[str, str]:
        """Return when pauses end by themselves, in ISO 8601, by the names of their destinations."""
        ...

    def waiting(self) -> dict[str, int]:
        """Return how many deliveries are still to be made, those in flight included, by destination."""
        ...

    def queues(self) -> dict[str, QueueDepth]:
        """Return the same with the age of the oldest; a destination for which nothing waits is left out."""
        ...

    def file_bytes(self) -> int:
        """Return the size of the file; what waits elsewhere to be moved into it is left out."""
        ...

    def first_in_order(self, destination: str, order_key: str) -> int | None:
        """Return the number of the first event that is still to be delivered in this order; `None` where there is none."""
        ...

    def dead_by_destination(self) -> dict[str, int]:
        """Return how many dead letters there are, expired ones included, by destination."""
        ...

    def audit(self, *, since_ms: int = 0) -> tuple[Audit, list[Record]]:
        """Return the ledger since the minute of that time, and every event that has not its planned number of deliveries.

        Both are read at the same moment.
        """
        ...

    def actions(self, query: Query) -> Iterator[Record]:
        """Return what people did, the latest first."""
        ...

    def gaps(self, query: Query, *, stream: str | None, only_open: bool) -> Iterator[Record]:
        """Return the gaps of one stream or of all, the last to begin first; with `only_open` those that have not ended."""
        ...

    def streams_of_gaps(self) -> list[str]:
        """Return the names of the streams that have gaps."""
        ...

    def last_heard(self) -> str | None:
        """Return when a stream was last known to be open, in ISO 8601; `None` where that is unknown."""
        ...

    def revision_at(self, event_seq: int) -> StoredRevision | None:
        """Return the config that routed this event; `None` where it was not kept."""
        ...

    def span_of(self, *, since_ms: int, limit: int | None) -> HistorySpan:
        """Return the range of the events accepted since then; with `limit` only the newest so many."""
        ...

    def past_events(self, span: HistorySpan) -> Iterator[PastEvent]:
        """Return the events of a range in the order of their acceptance; events that arrive later are left out."""
        ...
