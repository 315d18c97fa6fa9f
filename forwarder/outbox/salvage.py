"""A damaged outbox: set aside whole, never deleted; a fresh one is begun, and what can still be read goes into it.

What waits comes first. Each row is read on its own, so a bad page costs what lies on it and nothing else.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import structlog

from forwarder.outbox.database import Database
from forwarder.outbox.lock import sync_folder
from forwarder.outbox.migrations import SCHEMA_VERSION
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError

PATIENCE_S = 60.0
"""How long salvaging may take; what waits is done first, history is left where it is when the time is over."""
_BATCH = 500
_SUFFIXES = ("", "-wal", "-shm")

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Salvaged:
    """What was carried over."""

    events: int = 0
    waiting: int = 0
    lost: int = 0
    """Deliveries that are known to have waited, and whose event cannot be read any more."""
    is_complete: bool = True
    """Everything was looked at in time."""


async def open_or_salvage(database: Database) -> None:
    """Open the outbox; where it is damaged, set it aside, begin a fresh one and carry over what can be read.

    Raises `OutboxUnusableError` for everything but damage.
    """
    try:
        await database.open()
        return
    except OutboxUnusableError as error:
        if error.problem is not OutboxProblem.CORRUPT:
            raise
        aside = set_aside(database.path)
        log.error("outbox.damaged", detail=error.detail, set_aside=str(aside), note="kept there, nothing is deleted")  # noqa: TRY400 - our own sentence
    await database.open()
    salvaged = await database.run(lambda connection: salvage(aside, connection))
    log.error(
        "outbox.salvaged",
        events=salvaged.events,
        waiting=salvaged.waiting,
        lost=salvaged.lost,
        is_complete=salvaged.is_complete,
        set_aside=str(aside),
        note="what could be read of the damaged outbox is in the new one; delivering goes on",
    )


def set_aside(path: Path) -> Path:
    """Rename the file and those beside it, together, under a name with the time; return the new name."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    for suffix in reversed(_SUFFIXES):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    sync_folder(path.parent)
    return aside


def salvage(damaged: Path, fresh: sqlite3.Connection) -> Salvaged:
    """Copy what can be read of `damaged` into the `fresh` outbox. Never raises for what is wrong with the damaged one."""
    found = Salvaged()
    deadline = monotonic() + PATIENCE_S
    try:
        source = sqlite3.connect(f"{damaged.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error:
        return found
    with closing(source):
        with suppress(sqlite3.Error):
            if source.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
                return found
        copied: set[int] = set()
        for event_seqs, is_waiting in ((_waiting_seqs(source), True), (_all_seqs(source), False)):
            for event_seq in event_seqs:
                if monotonic() > deadline:
                    found.is_complete = False
                    break
                if event_seq in copied:
                    continue
                if not copied or len(copied) % _BATCH == 0:
                    _commit(fresh)
                copied.add(event_seq)
                if _copy_event(source, fresh, event_seq):
                    found.events += 1
                elif is_waiting:
                    found.lost += 1
        _commit(fresh)
        (found.waiting,) = fresh.execute("SELECT count(*) FROM deliveries WHERE status = 'pending'").fetchone()
        _open_the_books(fresh)
    return found


def _commit(fresh: sqlite3.Connection) -> None:
    if fresh.in_transaction:
        fresh.execute("COMMIT")
    fresh.execute("BEGIN IMMEDIATE")


def _waiting_seqs(source: sqlite3.Connection) -> Iterator[int]:
    """Return the numbers of events that something waits for: from the small indexes first, then from the table itself."""
    for query in (
        "SELECT event_seq FROM deliveries INDEXED BY deliveries_due WHERE status = 'pending'",
        "SELECT event_seq FROM deliveries INDEXED BY deliveries_in_flight WHERE status = 'in_flight'",
        "SELECT event_seq FROM deliveries WHERE status IN ('pending', 'in_flight')",
    ):
        yield from _readable(source, query)


def _all_seqs(source: sqlite3.Connection) -> Iterator[int]:
    """Return the numbers of events, from both ends, so that a bad page in the middle hides little, and from what refers to them."""
    for query in (
        "SELECT seq FROM events NOT INDEXED ORDER BY seq DESC",
        "SELECT seq FROM events NOT INDEXED ORDER BY seq",
        "SELECT rowid FROM events INDEXED BY events_by_age ORDER BY accepted_ms DESC",
        "SELECT DISTINCT event_seq FROM deliveries NOT INDEXED ORDER BY event_seq DESC",
    ):
        yield from _readable(source, query)


def _readable(source: sqlite3.Connection, query: str) -> Iterator[int]:
    with suppress(sqlite3.Error):
        for (number,) in source.execute(query):
            if isinstance(number, int):
                yield number


def _copy_event(source: sqlite3.Connection, fresh: sqlite3.Connection, event_seq: int) -> bool:
    """Copy an event with its deliveries and attempts; return whether its own row could be read."""
    event = _rows(source, "SELECT * FROM events WHERE seq = ?", event_seq)
    if not event:
        return False
    deliveries = _rows(source, "SELECT * FROM deliveries WHERE event_seq = ?", event_seq)
    attempts = _rows(source, "SELECT * FROM attempts WHERE event_seq = ?", event_seq)
    if not deliveries:  # the row is gone, its entry in the index is not: better twice than never
        deliveries = [
            (event_seq, destination, "[]", "pending", "recovered", 0, 0, 0, due_ms, *[None] * 6)
            for destination, due_ms in _rows(
                source,
                "SELECT destination, due_ms FROM deliveries INDEXED BY deliveries_due "
                "WHERE status = 'pending' AND event_seq = ?",
                event_seq,
            )
        ]
    fresh.execute("SAVEPOINT event")
    try:
        columns = list(event[0])
        columns[7] = len(deliveries)
        fresh.execute(f"INSERT INTO events VALUES ({', '.join('?' * len(columns))})", columns)  # noqa: S608
        for table, rows in (("deliveries", deliveries), ("attempts", attempts)):
            for row in rows:
                fresh.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608 - our own names
    except (sqlite3.Error, OverflowError):  # nonsense out of a bad page
        fresh.execute("ROLLBACK TO event")
        return False
    finally:
        fresh.execute("RELEASE event")
    return True


def _rows(source: sqlite3.Connection, query: str, event_seq: int) -> list[tuple[object, ...]]:
    try:
        return source.execute(query, (event_seq,)).fetchall()
    except sqlite3.Error:
        return []


def _open_the_books(fresh: sqlite3.Connection) -> None:
    """Let the books begin with what was carried over: what was lost is told by the log, and cannot be counted any more."""
    fresh.execute("UPDATE deliveries SET status = 'pending' WHERE status = 'in_flight'")
    fresh.execute(
        "INSERT INTO books SELECT accepted_ms / 60000, entry, sum(count) FROM ("
        " SELECT accepted_ms, 'seen' AS entry, 1 AS count FROM events"
        " UNION ALL SELECT accepted_ms, iif(planned, 'matched', 'unmatched'), 1 FROM events"
        " UNION ALL SELECT accepted_ms, 'planned', planned FROM events WHERE planned"
        ") GROUP BY 1, 2"
    )
    fresh.execute("COMMIT")
