"""What one transaction writes, and how: few statements of many rows.

SQLite lets go of the interpreter for each statement it runs, and asks for it again; with one statement a row the thread that
writes and the loop that delivers would hand it over thousands of times a second.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from forwarder.core.books import Minute
from forwarder.outbox.rows import Row, Values
from forwarder.outbox.statements import SQL

_T = TypeVar("_T")
Step = Callable[[sqlite3.Connection], _T]
"""A piece of a transaction of its own kind; may run more than once, because a batch that failed is written again."""

_SIZES = (128, 32, 8, 2, 1)
"""Rows a statement: a few sizes, so that SQLite compiles each kind of statement a few times and keeps it."""
_FRAME_OVERHEAD = 512
"""Bytes that a waiting event takes in memory beside its body."""


@dataclass(slots=True)
class Batch:
    """Everything that came since the last batch: written in this order, in one transaction, or not at all."""

    events: list[Values] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    deliveries: list[Values] = field(default_factory=list)
    attempts: list[Values] = field(default_factory=list)
    books: defaultdict[int, Minute] = field(default_factory=lambda: defaultdict(Minute))
    """By Unix minute."""
    steps: list[Step[Any]] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    """What the steps returned."""
    read_at: list[float] = field(default_factory=list)
    """When each event was read, by the monotonic clock, in seconds."""
    size: int = 0
    """Bytes of memory that its events take."""
    number: int = 0
    """Zero for a piece of one."""

    def add_event(self, values: Values, *, size: int, read_at: float) -> None:
        """Add a row of `events`."""
        self.events.append(values)
        self.read_at.append(read_at)
        self.size += size + _FRAME_OVERHEAD

    def add_rows(self, rows: Sequence[Row]) -> None:
        """Add rows of `deliveries` as they stand now, with the attempts that moved to the history."""
        for row in rows:
            self.rows.append(row)
            self.deliveries.append(row.values())
            if row.earlier:
                self.attempts += row.earlier
                row.earlier = []

    def split(self, *, before_seq: int, limit: int) -> "Batch":
        """Take out up to `limit` rows of deliveries whose event is older, and so on disk, with their attempts."""
        piece, left = Batch(), Batch()
        for row, values in zip(self.rows, self.deliveries, strict=True):
            to = piece if values[0] < before_seq and len(piece.rows) < limit else left
            to.rows.append(row)
            to.deliveries.append(values)
        seqs = {values[0] for values in piece.deliveries}
        piece.attempts = [values for values in self.attempts if values[0] in seqs]
        self.attempts = [values for values in self.attempts if values[0] not in seqs]
        self.rows, self.deliveries = left.rows, left.deliveries
        return piece

    def put_back(self, piece: "Batch") -> None:
        """Have again what `split` took out."""
        self.rows[:0] = piece.rows
        self.deliveries[:0] = piece.deliveries
        self.attempts[:0] = piece.attempts

    def write(self, connection: sqlite3.Connection) -> None:
        """Write it in one transaction. Raises what SQLite raises; the transaction is then taken back."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            _insert(connection, "insert_event", self.events)
            _insert(connection, "upsert_delivery", self.deliveries)
            _insert(connection, "insert_attempt", self.attempts)
            if self.books:
                entries = [
                    (minute, str(entry), count)
                    for minute, counts in self.books.items()
                    for entry, count in counts.entries().items()
                ]
                connection.executemany(SQL["add_to_books"], entries)
            self.results = [step(connection) for step in self.steps]
            if self.number:
                connection.execute(SQL["note_batch"], (self.number,))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # SQLite takes some failures back by itself
                connection.execute("ROLLBACK")
            raise


def _insert(connection: sqlite3.Connection, name: str, rows: Sequence[Values]) -> None:
    start = 0
    while (left := len(rows) - start) > 0:
        size = next(size for size in _SIZES if size <= left)
        values = [value for row in rows[start : start + size] for value in row]
        connection.execute(_statement(name, len(rows[start]), size), values)
        start += size


@cache
def _statement(name: str, columns: int, size: int) -> str:
    places = ", ".join([f"({', '.join('?' * columns)})"] * size)
    return f"{SQL[name]} {places} {SQL.get(f'{name}_conflict', '')}"
