"""What one transaction writes, and how: in few statements of many rows.

SQLite releases the interpreter lock for each statement and takes it again. With one statement for each row, the thread that writes
and the loop that delivers would pass the lock to each other thousands of times a second.
"""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from msgspec.structs import astuple

from forwarder.core.ledger import MinuteCounts
from forwarder.outbox.sqlite.delivery_row import COLUMNS, OPEN, ROW_BYTES, DeliveryRow, RowKey, Values
from forwarder.outbox.sqlite.statements import SQL
from forwarder.outbox.sqlite.transactions import Step, transaction, unconditionally

_STATUS, _REASON = map(DeliveryRow.__struct_fields__.index, ("status", "reason"))
_EVENT_ID = 1
"""The place of the id in a row of `events`."""
_SIZES = (128, 64, 32, 16, 8, 4, 2, 1)
"""Rows of one statement: a few sizes, so that SQLite compiles each kind of statement a few times and keeps it."""
_FRAME_OVERHEAD = 512
"""Bytes that a waiting event takes in memory, without its body."""
_MAX_ATTEMPTS = 20_000
"""The most attempts, without the last one of each delivery, that wait to be written; older ones are dropped."""


@dataclass(slots=True)
class Batch:
    """Everything that came since the last batch. It is written in this order, in one transaction, or not at all."""

    events: list[Values] = field(default_factory=list)
    rows: dict[RowKey, DeliveryRow] = field(default_factory=dict)
    """The changed rows by key: each once, however often it changed while the batch could not be written."""
    deliveries: dict[RowKey, Values] = field(default_factory=dict)
    """The columns of those rows as they were when they were added last."""
    attempts: list[Values] = field(default_factory=list)
    ledger: defaultdict[int, MinuteCounts] = field(default_factory=lambda: defaultdict(MinuteCounts))
    """The ledger counts, by Unix minute."""
    steps: list[Step[Any]] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    """The results of `steps`, in their order."""
    steps_apart: list[Step[Any]] = field(default_factory=list)
    """Steps that may be carried out before the rest of the batch, where there is no room for that."""
    results_apart: list[Any] = field(default_factory=list)
    """The results of `steps_apart`, in their order."""
    read_at: list[float] = field(default_factory=list)
    """When each event was read, by the monotonic clock, in seconds."""
    size: int = 0
    """Bytes of memory that its events take with their deliveries."""
    number: int = 0
    """The number of the batch, which the file keeps where the batch has no events; zero for a part of a batch."""

    def add_event(self, values: Values, *, size: int, planned: int, read_at: float) -> None:
        """Add a row of `events`, which has so many `planned` deliveries."""
        self.events.append(values)
        self.read_at.append(read_at)
        self.size += size + _FRAME_OVERHEAD + planned * ROW_BYTES

    def event_ids(self) -> list[str]:
        """Return the ids of its events, in the order of `read_at`."""
        return [str([*values][_EVENT_ID]) for values in self.events]

    def add_rows(self, rows: Iterable[DeliveryRow]) -> None:
        """Add rows of `deliveries` as they are now, with the attempts that moved to the history."""
        for row in rows:
            self.rows[row.key] = row
            values: Any = astuple(row)
            self.deliveries[row.key] = values[:COLUMNS]
            if row.earlier:
                self.attempts += row.earlier
                row.earlier = []
        if len(self.attempts) > _MAX_ATTEMPTS:  # what fails again and again while nothing can be written
            del self.attempts[: len(self.attempts) - _MAX_ATTEMPTS]

    def ended(self, *, before_seq: int) -> list[RowKey]:
        """Return the keys of deliveries that have ended and whose event is before that number, and so on disk; by event number."""
        return sorted(
            key for key, values in self.deliveries.items() if key[0] < before_seq and values[_STATUS] not in OPEN
        )

    def outcome_of(self, key: RowKey) -> tuple[str, str | None] | None:
        """Return the status and the reason of a delivery, or `None` where the batch does not have it."""
        values = self.deliveries.get(key)
        return None if values is None else (str(values[_STATUS]), cast("str | None", values[_REASON]))

    def take_out(self, keys: Iterable[RowKey]) -> "Batch":
        """Take these rows out, with their attempts, as a batch of their own."""
        piece = Batch()
        for key in keys:
            piece.rows[key] = self.rows.pop(key)
            piece.deliveries[key] = self.deliveries.pop(key)
        seqs = {seq for seq, _ in piece.rows}
        piece.attempts = [values for values in self.attempts if values[0] in seqs]
        self.attempts = [values for values in self.attempts if values[0] not in seqs]
        return piece

    def put_back(self, piece: "Batch") -> None:
        """Put back what `take_out` took out."""
        self.rows |= piece.rows
        self.deliveries |= piece.deliveries
        self.attempts[:0] = piece.attempts

    def write(self, connection: sqlite3.Connection, before_commit: Step[None] = unconditionally) -> None:
        """Write it in one transaction. Raises what SQLite and `before_commit` raise, after the transaction was rolled back."""
        with transaction(connection, before_commit=before_commit):
            insert(connection, "insert_event", self.events)
            self.write_rows(connection)
            if self.ledger:
                entries = [
                    (minute, str(entry), count)
                    for minute, counts in self.ledger.items()
                    for entry, count in counts.entries().items()
                ]
                insert(connection, "add_to_ledger", entries)
            self.results = [step(connection) for step in self.steps]
            self.results_apart = [step(connection) for step in self.steps_apart]
            if self.number and not self.events:
                connection.execute(SQL["note_batch"], (self.number,))

    def is_on_disk(self, connection: sqlite3.Connection) -> bool:
        """Return whether it was written, though its write failed: the last event shows that, or the number of a batch without events."""
        if self.events:
            found = connection.execute(SQL["has_event"], (self.events[-1][0],))
        else:
            found = connection.execute(SQL["has_batch"], (self.number,))
        return bool(found.fetchone()[0])

    def write_rows(self, connection: sqlite3.Connection) -> None:
        """Write only the deliveries and attempts, inside a transaction."""
        insert(connection, "upsert_delivery", list(self.deliveries.values()))
        insert(connection, "insert_attempt", self.attempts)


@dataclass(slots=True)
class PendingBatch:
    """A batch that is not on disk yet, with the futures of those who wait for it."""

    batch: Batch = field(default_factory=Batch)
    asked: list[asyncio.Future[Any]] = field(default_factory=list)
    """For the results of `batch.steps`, in their order."""
    apart: list[asyncio.Future[Any]] = field(default_factory=list)
    """For the results of `batch.steps_apart`, in their order."""
    settling: list[asyncio.Future[bool]] = field(default_factory=list)
    """Of those who wait until everything up to this batch is on disk."""


def answer(asked: Sequence[asyncio.Future[Any]], results: Sequence[Any]) -> None:
    """Give those who asked for steps the results."""
    for future, result in zip(asked, results, strict=True):
        if not future.done():
            future.set_result(result)


def insert(connection: sqlite3.Connection, name: str, rows: Sequence[Values]) -> None:
    """Write rows with the statement of that name: in pieces of the sizes that there are, the largest first."""
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            values = [value for row in rows[start : start + size] for value in row]
            connection.execute(_statement(name, len(rows[start]), size), values)
            start += size


@cache
def _statement(name: str, columns: int, size: int) -> str:
    # Of nothing but VALUES: as a subquery, with a condition, SQLite would write each row into a table of its own first, twice the time.
    places = ", ".join([f"({', '.join('?' * columns)})"] * size)
    return f"{SQL[name]} VALUES {places} {SQL.get(f'{name}_conflict', '')}"
