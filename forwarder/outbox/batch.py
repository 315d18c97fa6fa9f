"""What one transaction writes, and how: few statements of many rows.

SQLite lets go of the interpreter for each statement it runs, and asks for it again; with one statement a row the thread that
writes and the loop that delivers would hand it over thousands of times a second.
"""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar, cast

from forwarder.core.books import Minute
from forwarder.outbox.rows import ROW_BYTES, Key, Row, Values
from forwarder.outbox.statements import SQL

_T = TypeVar("_T")
Step = Callable[[sqlite3.Connection], _T]
"""A piece of a transaction of its own kind; may run more than once, because a batch that failed is written again."""

_STATUS, _REASON = map(Row.__struct_fields__.index, ("status", "reason"))
_OPEN = frozenset({"pending", "in_flight"})
_SIZES = (128, 32, 8, 2, 1)
"""Rows a statement: a few sizes, so that SQLite compiles each kind of statement a few times and keeps it."""
_FRAME_OVERHEAD = 512
"""Bytes that a waiting event takes in memory beside its body."""
_MAX_ATTEMPTS = 20_000
"""Attempts before the last one of each delivery that wait to be written: the oldest of more are forgotten."""


@dataclass(slots=True)
class Batch:
    """Everything that came since the last batch: written in this order, in one transaction, or not at all."""

    events: list[Values] = field(default_factory=list)
    rows: dict[Key, Row] = field(default_factory=dict)
    """By their keys, each once, however often it changed while the batch could not be written."""
    deliveries: dict[Key, Values] = field(default_factory=dict)
    """As the rows stood when they were added last."""
    attempts: list[Values] = field(default_factory=list)
    books: defaultdict[int, Minute] = field(default_factory=lambda: defaultdict(Minute))
    """By Unix minute."""
    steps: list[Step[Any]] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    """What the steps returned."""
    steps_apart: list[Step[Any]] = field(default_factory=list)
    """Those that may also be carried out before the rest of it, where there is no room for that."""
    results_apart: list[Any] = field(default_factory=list)
    read_at: list[float] = field(default_factory=list)
    """When each event was read, by the monotonic clock, in seconds."""
    size: int = 0
    """Bytes of memory that its events take, with their deliveries."""
    number: int = 0
    """Zero for a piece of one."""

    def add_event(self, values: Values, *, size: int, planned: int, read_at: float) -> None:
        """Add a row of `events`, of which there are so many deliveries."""
        self.events.append(values)
        self.read_at.append(read_at)
        self.size += size + _FRAME_OVERHEAD + planned * ROW_BYTES

    def add_rows(self, rows: Iterable[Row]) -> None:
        """Add rows of `deliveries` as they stand now, with the attempts that moved to the history."""
        for row in rows:
            self.rows[row.key] = row
            self.deliveries[row.key] = row.values()
            if row.earlier:
                self.attempts += row.earlier
                row.earlier = []
        if len(self.attempts) > _MAX_ATTEMPTS:  # what fails again and again while nothing can be written
            del self.attempts[: len(self.attempts) - _MAX_ATTEMPTS]

    def ended(self, *, before_seq: int) -> list[Key]:
        """Return, by the numbers of their events, the keys of deliveries that have ended and whose event is older, and so on disk."""
        return sorted(
            key for key, values in self.deliveries.items() if key[0] < before_seq and values[_STATUS] not in _OPEN
        )

    def outcome_of(self, key: Key) -> tuple[str, str | None] | None:
        """Return the status and the reason of a delivery, if it is here."""
        values = self.deliveries.get(key)
        return None if values is None else (str(values[_STATUS]), cast("str | None", values[_REASON]))

    def take_out(self, keys: Iterable[Key]) -> "Batch":
        """Take out these rows, with their attempts."""
        piece = Batch()
        for key in keys:
            piece.rows[key] = self.rows.pop(key)
            piece.deliveries[key] = self.deliveries.pop(key)
        seqs = {seq for seq, _ in piece.rows}
        piece.attempts = [values for values in self.attempts if values[0] in seqs]
        self.attempts = [values for values in self.attempts if values[0] not in seqs]
        return piece

    def put_back(self, piece: "Batch") -> None:
        """Have again what `take_out` took out."""
        self.rows |= piece.rows
        self.deliveries |= piece.deliveries
        self.attempts[:0] = piece.attempts

    def write(self, connection: sqlite3.Connection) -> None:
        """Write it in one transaction. Raises what SQLite raises; the transaction is then taken back."""
        with transaction(connection):
            _insert(connection, "insert_event", self.events)
            self.write_rows(connection)
            if self.books:
                entries = [
                    (minute, str(entry), count)
                    for minute, counts in self.books.items()
                    for entry, count in counts.entries().items()
                ]
                connection.executemany(SQL["add_to_books"], entries)
            self.results = [step(connection) for step in self.steps]
            self.results_apart = [step(connection) for step in self.steps_apart]
            if self.number:
                connection.execute(SQL["note_batch"], (self.number,))

    def write_rows(self, connection: sqlite3.Connection) -> None:
        """Write the deliveries and attempts alone, inside a transaction."""
        _insert(connection, "upsert_delivery", list(self.deliveries.values()))
        _insert(connection, "insert_attempt", self.attempts)


@dataclass(slots=True)
class Waiting:
    """A batch that gathers, with those who wait for it."""

    batch: Batch = field(default_factory=Batch)
    asked: list[asyncio.Future[Any]] = field(default_factory=list)
    apart: list[asyncio.Future[Any]] = field(default_factory=list)
    """Of those who asked for the steps that need not wait for the rest of it."""
    settling: list[asyncio.Future[bool]] = field(default_factory=list)


def answer(asked: Sequence[asyncio.Future[Any]], results: Sequence[Any]) -> None:
    """Tell those who asked for steps what came of them."""
    for future, result in zip(asked, results, strict=True):
        if not future.done():
            future.set_result(result)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block does, or take it back where it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
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
