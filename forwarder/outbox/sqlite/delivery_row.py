"""One row of `deliveries` as it is in memory, and what is made of it: a delivery for its lane, a state for whoever waits for it."""

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from forwarder.core.delivery import Answered, Attempt, Delivery, DeliveryStatus, DestinationName, Trigger, WaitsFor
from forwarder.core.event import OWN_SOURCE, EventId
from forwarder.core.ledger import SkipReason
from forwarder.core.ports import DeliveryState
from forwarder.outbox.sqlite.statements import storable, time_of, to_ms

RowKey = tuple[int, str]
"""The number of the event and the name of the destination."""
Value = str | int | float | bytes | None
Values = tuple[int, *tuple[Value, ...]]
"""A row of any table, in its order; the number of the event comes first."""


class DeliveryRow(msgspec.Struct, gc=False):
    """One row of `deliveries` as it shall be on disk, with its columns in the table's order, and what memory knows of it."""

    event_seq: int
    destination: str
    routes: str
    status: str
    trigger: str
    attempts: int
    earlier_attempts: int
    expedited: int
    due_ms: int
    closed_ms: int | None = None
    started_ms: int | None = None
    duration_ms: float | None = None
    http_status: int | None = None
    reason: str | None = None
    excerpt: str | None = None
    refusals: int = 0
    order_key: str | None = None
    receipt: str | None = None
    """What the receiver calls the message that was made of it."""
    awaits_full: int = 0
    """One of `WAIT_LEVELS` while it waits, until it is due; otherwise 0."""
    edits: int | None = None
    """The number of the event whose message it is to change; `None` where it makes a message of its own."""
    priority: int = 0
    """1 where a route with a high priority chose its destination."""

    key: RowKey = (0, "")
    """The primary key, once more."""
    is_recovered: bool = False
    """The repair of a gap brought its event."""
    is_held: bool = True
    """A lane has it, so it must not be claimed."""
    is_changed: bool = True
    """Neither the disk nor the batch that is being written has the row as it is now."""
    is_being_written: bool = False
    """The batch that is being written has the row."""
    is_on_disk: bool = False
    """The disk has its event, and the row as it was before."""
    is_counted: bool = False
    """It is counted among the rows whose change is not on disk although their event is."""
    earlier: list[Values] = msgspec.field(default_factory=list)
    """Attempts before the last one that are not on disk yet."""

    def note(self, attempt: Attempt, *, is_delivered: bool = False) -> None:
        """Make this the last attempt; the one before it moves to the history."""
        if self.started_ms is not None:
            self._move_last()
        outcome = attempt.outcome
        self.attempts = attempt.number
        self.started_ms = to_ms(attempt.started_at)
        self.duration_ms = attempt.duration / _MS
        self.http_status, self.excerpt = (
            (outcome.status, outcome.excerpt) if type(outcome) is Answered else (None, None)
        )
        self.reason = None if is_delivered else storable(outcome.reason)

    def end(self, status: DeliveryStatus, *, reason: str | None, at_ms: int) -> None:
        """Close the delivery. A canary that was given up is no dead letter: its last attempt moves to the history too."""
        self.awaits_full = 0
        if self.trigger == Trigger.CANARY and status is not DeliveryStatus.DELIVERED:
            self._move_last()
            self.started_ms = self.duration_ms = self.http_status = self.excerpt = None
            status, reason = DeliveryStatus.SKIPPED, SkipReason.MISSED_CANARY
        self.status, self.closed_ms = str(status), at_ms
        self.reason = None if reason is None else storable(reason)

    def _move_last(self) -> None:
        if self.started_ms is not None and self.duration_ms is not None:
            number = self.earlier_attempts + self.attempts
            last = (self.started_ms, self.duration_ms, self.http_status, self.reason, self.excerpt)
            self.earlier.append((self.event_seq, self.destination, number, *last))


WAIT_LEVELS = {WaitsFor.FULL_TEXT: 1, WaitsFor.QUIET_END: 2, WaitsFor.DIGEST: 3}
"""What a delivery waits for, as the column `awaits_full` has it."""
OPEN = frozenset({"pending", "in_flight"})
"""The statuses of a delivery that is still to be made."""
ROW_BYTES = 400
"""About how many bytes a row takes in memory; on disk it takes less, with its indexes."""
COLUMNS = DeliveryRow.__struct_fields__.index("key")
"""How many of the fields are columns of the table."""
_MS = timedelta(milliseconds=1)


def new_row(delivery: Delivery, became: DeliveryStatus | SkipReason, *, now_ms: int) -> DeliveryRow:
    """Return the row of a delivery whose event has just come. With a skip reason it is closed at `now_ms`, by the wall clock."""
    is_held = became is DeliveryStatus.IN_FLIGHT
    is_skipped = not is_held and isinstance(became, SkipReason)
    waits_until = None if is_skipped else delivery.waits_until
    return DeliveryRow(
        event_seq=delivery.event_seq,
        destination=delivery.destination,
        routes=_as_json(delivery.routes),
        status="skipped"
        if is_skipped
        else str(became),  # SQLite takes a plain str much faster than a member of an enum
        trigger=str(delivery.trigger),
        attempts=0,
        earlier_attempts=0,
        expedited=0,
        due_ms=to_ms(waits_until or delivery.accepted_at),
        closed_ms=now_ms if is_skipped else None,
        reason=str(became) if is_skipped else None,
        order_key=delivery.order_key,
        awaits_full=0 if waits_until is None else WAIT_LEVELS[delivery.waits_for],
        edits=delivery.edits,
        priority=1 if delivery.is_high else 0,
        is_recovered=delivery.is_recovered,
        key=(delivery.event_seq, delivery.destination),
        is_held=is_held,
    )


def row_on_disk(columns: Sequence[Any], *, is_recovered: bool = False) -> DeliveryRow:
    """Return the row that the disk has; no lane has it."""
    row = DeliveryRow(*columns)
    row.key = row.event_seq, row.destination
    row.is_recovered, row.is_held, row.is_on_disk = is_recovered, False, True
    return row


@lru_cache(maxsize=1024)
def _as_json(names: tuple[str, ...]) -> str:
    return json.dumps(names, ensure_ascii=False)


@lru_cache(maxsize=1024)
def names_of(text: str) -> tuple[str, ...]:
    """Return the names in the JSON list of a row; none where the row is damaged."""
    with suppress(ValueError):
        names = json.loads(text)
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return tuple(names)
    return ()


_TRIGGERS = {str(trigger): trigger for trigger in Trigger}


def delivery_of(row: DeliveryRow, event_id: str, accepted_at: datetime, body: bytes, *, source: str) -> Delivery:
    """Return the delivery of a row; `accepted_at` in steady time."""
    return Delivery(
        event_id=EventId(event_id),
        event_seq=row.event_seq,
        destination=DestinationName(row.destination),
        routes=names_of(row.routes),
        accepted_at=accepted_at,
        attempts=row.attempts,
        earlier_attempts=row.earlier_attempts,
        trigger=_TRIGGERS.get(row.trigger, Trigger.FIRST),
        refusals=row.refusals,
        order_key=row.order_key,
        edits=row.edits,
        is_high=row.priority > 0,
        is_recovered=row.is_recovered,
        is_own=source == OWN_SOURCE,
        body=body,
    )


def state_of(status: str, due_ms: int, receipt: str | None) -> DeliveryState:
    """Return the state of a delivery from its columns."""
    return DeliveryState(is_open=status in OPEN, due_at=time_of(due_ms), receipt=receipt)
