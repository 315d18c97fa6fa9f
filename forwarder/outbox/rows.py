"""Deliveries that are in memory: with their lane, or not yet on disk as they stand now.

What happens to a row before the next commit happens in memory only, so a delivery that ends before its event is committed is
written once, already finished.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

import msgspec
from msgspec.structs import astuple

from forwarder.core.books import Cause
from forwarder.core.delivery import Answered, Attempt, Delivery, DeliveryStatus, DestinationName, Trigger
from forwarder.core.event import EventId
from forwarder.core.ports import DeliveryStanding
from forwarder.core.preference import AWAITS_FULL
from forwarder.outbox.statements import from_ms, storable, to_ms

Key = tuple[int, str]
"""The number of the event and the name of the destination."""
Value = str | int | float | bytes | None
Values = tuple[int, *tuple[Value, ...]]
"""A row of any table, in its order; the number of the event comes first."""


class Row(msgspec.Struct):
    """One row of `deliveries`, as it shall stand on disk; the columns are in the table's order."""

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

    is_recovered: bool = False
    """The repair of a gap brought its event."""
    is_held: bool = True
    """A lane has it: it must not be claimed."""
    is_changed: bool = True
    """The disk does not have it as it stands, nor does the batch under way."""
    is_being_written: bool = False
    """The batch under way has it."""
    is_on_disk: bool = False
    """Its event is, and the row as it was before."""
    is_counted: bool = False
    """It counts among those on disk whose change is not."""
    earlier: list[Values] = msgspec.field(default_factory=list)
    """Attempts before the last one that are not on disk yet."""

    @property
    def key(self) -> Key:
        """The primary key."""
        return self.event_seq, self.destination

    def values(self) -> Values:
        """Return the columns."""
        return cast("Values", astuple(self)[:_COLUMNS])

    def note(self, attempt: Attempt) -> None:
        """Make this the last attempt; the one before it moves to the history."""
        self._move_last()
        outcome = attempt.outcome
        self.attempts = attempt.number
        self.started_ms = to_ms(attempt.started_at)
        self.duration_ms = round(attempt.duration_ms, 3)
        self.http_status, self.excerpt = (
            (outcome.status, outcome.excerpt) if isinstance(outcome, Answered) else (None, None)
        )
        self.reason = None if attempt.is_delivered else storable(outcome.reason)

    def end(self, status: DeliveryStatus, *, reason: str | None, at_ms: int) -> None:
        """Be at the end. A canary that was given up is no dead letter: its last attempt moves to the history, too."""
        if self.trigger == Trigger.CANARY and status is not DeliveryStatus.DELIVERED:
            self._move_last()
            self.started_ms = self.duration_ms = self.http_status = self.excerpt = None
            status, reason = DeliveryStatus.SKIPPED, Cause.MISSED_CANARY
        self.status, self.closed_ms = str(status), at_ms
        self.reason = None if reason is None else storable(reason)

    def _move_last(self) -> None:
        if self.started_ms is not None and self.duration_ms is not None:
            number = self.earlier_attempts + self.attempts
            last = (self.started_ms, self.duration_ms, self.http_status, self.reason, self.excerpt)
            self.earlier.append((self.event_seq, self.destination, number, *last))


ROW_BYTES = 400
"""What a row takes, about, in memory; it is less on disk, with its indexes."""
_EDITS = "@"
"""Before the edit is made, its receipt is this and the number of the event whose message it changes."""
_COLUMNS = Row.__struct_fields__.index("is_recovered")


def new_row(delivery: Delivery, became: DeliveryStatus | Cause, *, now_ms: int) -> Row:
    """Return the row of a delivery that comes from its stream; with a cause it is skipped for that. `now_ms` is the wall clock's."""
    is_skipped = isinstance(became, Cause)
    reason, due_ms = (str(became) if is_skipped else None), to_ms(delivery.accepted_at)
    if delivery.waits_until is not None and not is_skipped:
        reason, due_ms = AWAITS_FULL, to_ms(delivery.waits_until)
    return Row(
        event_seq=delivery.event_seq,
        destination=delivery.destination,
        routes=_as_json(delivery.routes),
        status="skipped"
        if is_skipped
        else str(became),  # SQLite takes a plain text much faster than a member of an enum
        trigger=str(delivery.trigger),
        attempts=0,
        earlier_attempts=0,
        expedited=0,
        due_ms=due_ms,
        closed_ms=now_ms if is_skipped else None,
        reason=reason,
        order_key=delivery.order_key,
        receipt=None if delivery.edits is None else f"{_EDITS}{delivery.edits}",
        is_recovered=delivery.is_recovered,
        is_held=became is DeliveryStatus.IN_FLIGHT,
    )


def row_on_disk(columns: Sequence[Any]) -> Row:
    """Return the row that the disk has, to be changed in memory; no lane has it."""
    row = Row(*columns)
    row.is_held, row.is_on_disk = False, True
    return row


@lru_cache(maxsize=1024)
def _as_json(names: tuple[str, ...]) -> str:
    return json.dumps(names, ensure_ascii=False)


@lru_cache(maxsize=1024)
def _as_names(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


ClaimedRow = tuple[
    int, str, str, str, str, int, int, int, int,
    int | None, int | None, float | None, int | None, str | None, str | None, int, str | None, str | None,
    str, int, bytes, str, str, int,
]  # fmt: skip
"""What the statement `claimed` brings: the columns of the delivery, then the event's id, its time, its body, its source and sid, and whether it was recovered."""


def delivery_of(row: Row, event_id: str, accepted_at: datetime, body: bytes) -> Delivery:
    """Return the delivery that a claimed row stands for; `accepted_at` in steady time."""
    return Delivery(
        event_id=EventId(event_id),
        event_seq=row.event_seq,
        destination=DestinationName(row.destination),
        routes=_as_names(row.routes),
        accepted_at=accepted_at,
        attempts=row.attempts,
        earlier_attempts=row.earlier_attempts,
        trigger=Trigger(row.trigger),
        refusals=row.refusals,
        order_key=row.order_key,
        edits=_edits(row.receipt),
        is_recovered=row.is_recovered,
        body=body,
    )


def _edits(receipt: str | None) -> int | None:
    return int(receipt[len(_EDITS) :]) if receipt is not None and receipt.startswith(_EDITS) else None


def standing(status: str, due_ms: int, receipt: str | None) -> DeliveryStanding:
    """Return how a delivery stands, from its columns."""
    return DeliveryStanding(
        is_open=status in _OPEN,
        due_at=from_ms(due_ms),
        receipt=None if _edits(receipt) is not None else receipt,
    )


_OPEN = frozenset({"pending", "in_flight"})


class Hand:
    """The rows in memory by key, and those of them that changed.

    What a claim finds on disk under a key that is here is as it was: the row here counts.
    """

    def __init__(self) -> None:
        self._rows: dict[Key, Row] = {}
        self._changed: list[Row] = []
        """Those that the disk has to follow, each once."""
        self._here = Counter[str]()
        self._free: defaultdict[str, dict[int, Row]] = defaultdict(dict)
        """By destination and number, those that are pending and that no lane has, in the order in which they came."""
        self._lines: defaultdict[tuple[str, str], dict[int, Row]] = defaultdict(dict)
        """By destination and order key, all that are here."""
        self._unwritten_on_disk = 0
        self._replaced: set[Key] = set()
        """First words whose full text is not on disk yet, and with it their end."""

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: Key) -> bool:
        return key in self._rows or key in self._replaced

    @property
    def changed(self) -> int:
        """How many rows wait to be written."""
        return len(self._changed)

    @property
    def unwritten(self) -> int:
        """How many rows the disk does not have as they stand."""
        return sum(row.is_changed or row.is_being_written for row in self._rows.values())

    def count(self, destination: str) -> int:
        """Return how many rows of a destination are here, at most."""
        return self._here[destination] + len(self._replaced)

    @property
    def unwritten_on_disk(self) -> int:
        """How many of them are on disk as they were before."""
        return self._unwritten_on_disk

    def free(self, destination: str) -> list[Row]:
        """Return the pending rows of a destination that no lane has, oldest first."""
        return [row for row in self._free[destination].values() if row.key not in self._replaced]

    def line(self, destination: str, order_key: str) -> dict[int, Row]:
        """Return the rows with that key that are here, by the numbers of their events."""
        found = self._lines.get((destination, order_key), {})
        return {seq: row for seq, row in found.items() if row.key not in self._replaced}

    def order_keys(self, destination: str) -> set[str]:
        """Return the keys that something here waits under."""
        return {row.order_key for row in self.free(destination) if row.order_key is not None}

    def get(self, key: Key) -> Row | None:
        """Return the row with that key, if it is here."""
        return self._rows.get(key)

    def take(self, row: Row) -> None:
        """Have a row, which `is_held`, or `is_changed`, or both."""
        self._rows[row.key] = row
        self._here[row.destination] += 1
        if row.order_key is not None:
            self._lines[row.destination, row.order_key][row.event_seq] = row
        self._note_free(row)
        if row.is_changed:
            self._changed.append(row)
            self._note_unwritten(row)

    def hold(self, row: Row) -> None:
        """Note that a lane has a row, which is here or was until now."""
        row.is_held = True
        if row.key in self._rows:
            self._note_free(row)
        else:
            self.take(row)

    def put_in_order(self, row: Row, order_key: str | None) -> None:
        """Have a row that is here, and that no lane has, wait under another key."""
        self._leave_line(row)
        row.order_key = order_key
        if order_key is not None:
            self._lines[row.destination, order_key][row.event_seq] = row
        self.change(row, keep=False)

    def end_wait(self, row: Row, order_key: str | None) -> None:
        """Give a first word that a lane has now, and whose wait for its full text is over, its place in the order."""
        row.reason, row.order_key = None, order_key
        if order_key is not None:
            self._lines[row.destination, order_key][row.event_seq] = row
            self.change(row, keep=True)

    def replace(self, key: Key) -> bool:
        """Have a delivery that waits never be claimed, until `forget_replaced`; return whether it still waits, and no lane has it."""
        row = self._rows.get(key)
        if row is not None and (row.is_held or row.status != DeliveryStatus.PENDING):
            return False
        self._replaced.add(key)
        return True

    def forget_replaced(self, key: Key) -> None:
        """Note that its end is on disk."""
        self._replaced.discard(key)

    def of(self, delivery: Delivery) -> Row:
        """Return the row of a delivery that a lane has."""
        return self._rows[delivery.event_seq, delivery.destination]

    def standing_of(self, destination: str, event_seq: int) -> DeliveryStanding | None:
        """Return how a delivery stands that is here."""
        row = self._rows.get((event_seq, destination))
        return None if row is None else standing(row.status, row.due_ms, row.receipt)

    def change(self, row: Row, *, keep: bool) -> None:
        """Note that the disk has to follow, and whether the lane keeps the delivery."""
        row.is_held = keep
        self._note_free(row)
        if not row.is_changed:
            row.is_changed = True
            self._changed.append(row)
        self._note_unwritten(row)

    def let_go(self, row: Row) -> None:
        """Take a row back from its lane unchanged."""
        row.is_held = False
        self._note_free(row)
        self._drop_if_done(row)

    def collect(self, *, before_seq: int | None = None) -> list[Row]:
        """Return the changed rows, of all events or of older ones, to be written as they stand; later changes come later."""
        rows, self._changed = self._changed, []
        if before_seq is not None:
            self._changed = [row for row in rows if row.event_seq >= before_seq]
            rows = [row for row in rows if row.event_seq < before_seq]
        for row in rows:
            row.is_changed, row.is_being_written = False, True
        return rows

    def written(self, rows: Iterable[Row]) -> None:
        """Note that these are on disk: those that no lane holds can be claimed again."""
        for row in rows:
            row.is_being_written, row.is_on_disk = False, True
            if row.is_changed:
                self._note_unwritten(row)
            elif row.is_counted:
                row.is_counted = False
                self._unwritten_on_disk -= 1
            self._drop_if_done(row)

    def _note_unwritten(self, row: Row) -> None:
        if row.is_on_disk and not row.is_counted:
            row.is_counted = True
            self._unwritten_on_disk += 1

    def _note_free(self, row: Row) -> None:
        free = self._free[row.destination]
        if not row.is_held and row.status == DeliveryStatus.PENDING:
            free[row.event_seq] = row
        else:
            free.pop(row.event_seq, None)

    def _drop_if_done(self, row: Row) -> None:
        if not (row.is_held or row.is_changed or row.is_being_written) and self._rows.pop(row.key, None) is not None:
            self._here[row.destination] -= 1
            self._free[row.destination].pop(row.event_seq, None)
            self._leave_line(row)

    def _leave_line(self, row: Row) -> None:
        if row.order_key is not None:
            line = self._lines[row.destination, row.order_key]
            line.pop(row.event_seq, None)
            if not line:
                del self._lines[row.destination, row.order_key]
