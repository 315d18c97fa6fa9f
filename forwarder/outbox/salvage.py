"""A damaged outbox: set aside whole, never deleted; a fresh one is begun, and what can still be read goes into it.

What waits comes first. The file is read page by page, so a bad page costs what lies on it and nothing else.
"""

import asyncio
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import cast, get_args

import structlog

from forwarder.core.delivery import Trigger
from forwarder.core.event import NotAnEventError, decode_event
from forwarder.core.revision import Revision
from forwarder.outbox import swap
from forwarder.outbox.connection import FileSettings, open_connection
from forwarder.outbox.database import Database
from forwarder.outbox.gap_rows import GapRow, gap_of
from forwarder.outbox.inspection import Check, check_at_start, unmark
from forwarder.outbox.pages import Cell, Pages, Value
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError, unwritable

PATIENCE_S = 60.0
"""How long salvaging may take; what waits is done first, history is left where it is when the time is over."""
_BATCH = 500
_GAP_COLUMNS = len(get_args(GapRow))
_TRIGGERS = frozenset(map(str, Trigger))

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Salvaged:
    """What was carried over."""

    events: int = 0
    waiting: int = 0
    lost: int = 0
    """Deliveries that waited, or may have, and of which the event or the destination cannot be read any more."""
    is_complete: bool = True
    """Everything was looked at in time."""


async def open_or_salvage(database: Database) -> bool:
    """Open the outbox; where it is damaged, set it aside, and begin a fresh one with what can be read of it.

    Returns whether the bodies are still to be checked. Raises `OutboxUnusableError` for everything but damage.
    """
    path = database.path
    swap.finish(path)
    check = check_at_start(path)
    try:
        await database.open(check=check)
    except OutboxUnusableError as error:
        if error.problem is not OutboxProblem.CORRUPT:
            raise
        aside = swap.name_aside(path)
        log.error("outbox.damaged", detail=error.detail, set_aside=str(aside), note="kept there, nothing is deleted")  # noqa: TRY400 - our own sentence
    else:
        if check is Check.ALL:
            unmark(path)
        return check is not Check.ALL
    database.reserve.give_up()
    salvaged = await asyncio.to_thread(_replace, database.settings, aside)
    unmark(path)
    await database.open()
    log.error(
        "outbox.salvaged",
        events=salvaged.events,
        waiting=salvaged.waiting,
        lost=salvaged.lost,
        is_complete=salvaged.is_complete,
        set_aside=str(aside),
        note="what could be read of the damaged outbox is in the new one; delivering goes on",
    )
    return False


def _replace(settings: FileSettings, aside: Path) -> Salvaged:
    """Make the fresh file beside the damaged one, then put it in its place.

    Whenever this is cut off, the next start either finds the damaged file where it was and begins again, or goes on with
    the swap. Raises `OutboxUnusableError` where there is no room for it.
    """
    path = settings.path
    unfinished = swap.beside(path, ".salvaging")
    for suffix in swap.SUFFIXES:
        swap.beside(unfinished, suffix).unlink(missing_ok=True)
    try:
        with closing(open_connection(replace(settings, path=unfinished), Check.NOTHING)) as fresh:
            salvaged = salvage(path, fresh)
    except sqlite3.Error as error:
        raise unwritable(path, error) from error
    swap.make_ready(path, unfinished)  # closing it has moved its WAL into it, and synced it
    swap.finish(path, aside)
    return salvaged


def salvage(damaged: Path, fresh: sqlite3.Connection) -> Salvaged:
    """Copy what can be read of `damaged` into the `fresh` outbox. Never raises for what is wrong with the damaged one.

    Of a file of another version nothing is read: its rows have other columns.
    """
    found = Salvaged()
    deadline = monotonic() + PATIENCE_S
    fresh.execute("PRAGMA foreign_keys = OFF")  # rows come in the order of their pages
    try:
        with suppress(OSError), Pages(damaged) as pages:
            _insert(fresh, _deliveries_and_attempts(pages))
            _insert(fresh, _still_indexed(pages))
            _insert(fresh, _small_tables(pages))
            _insert(fresh, _events(pages, fresh, that_wait=True))
            history = _events(pages, fresh, that_wait=False)
            found.is_complete = _insert(fresh, history, deadline=deadline) and not pages.is_cut
        fresh.execute("BEGIN IMMEDIATE")
        _join(fresh, found)
        fresh.execute("COMMIT")
    finally:
        fresh.execute("PRAGMA foreign_keys = ON")
    return found


Row = tuple[str, list[Value]]
"""A row with the table that it belongs to."""


def _insert(fresh: sqlite3.Connection, rows: Iterable[Row], *, deadline: float | None = None) -> bool:
    """Insert the rows, without those that cannot be right; return whether they ended before the deadline."""
    fresh.execute("BEGIN IMMEDIATE")
    try:
        for count, (table, values) in enumerate(rows, 1):
            places = ", ".join("?" * len(values))
            with suppress(sqlite3.IntegrityError, OverflowError):  # nonsense out of a bad page
                fresh.execute(f"INSERT OR IGNORE INTO {table} VALUES ({places})", values)  # noqa: S608 - our own names
            if count % _BATCH == 0:
                fresh.execute("COMMIT")
                fresh.execute("BEGIN IMMEDIATE")
                if deadline is not None and monotonic() > deadline:
                    return False
    finally:
        fresh.execute("COMMIT")
    return True


def _deliveries_and_attempts(pages: Pages) -> Iterator[Row]:
    for _, values in pages.index_cells():
        if len(values) == 18 and values[4] in _TRIGGERS and _is_list_of_names(values[2]):
            yield "deliveries", values
        elif len(values) == 8:
            yield "attempts", values
        elif len(values) == 6 and isinstance(values[0], str):
            yield "destinations", values
        elif len(values) == 2 and str(values[0]).startswith(("last_heard", "clock ", "failures ")):
            yield "state", values


def _still_indexed(pages: Pages) -> Iterator[Row]:
    """Yield deliveries that wait as an index knows them: where their row is gone, better twice than never."""
    for _, values in pages.index_cells():
        match values:
            case [str(destination), int(due_ms), int(event_seq)]:  # deliveries_due
                pass
            case [str(destination), str(), int(event_seq), int(due_ms)]:  # deliveries_in_order
                pass
            case [int(event_seq), str(destination)]:  # deliveries_in_flight
                due_ms = 0
            case _:
                continue
        waiting: list[Value] = [
            event_seq,
            destination,
            "[]",
            "pending",
            "recovered",
            0,
            0,
            0,
            due_ms,
            *[None] * 6,
            0,
            None,
            None,
        ]
        yield "deliveries", waiting


def _events(pages: Pages, fresh: sqlite3.Connection, *, that_wait: bool) -> Iterator[Row]:
    """Yield the events that something waits for, or the others; never one whose body is not what was received."""
    waits = "SELECT 1 FROM deliveries WHERE event_seq = ? AND status IN ('pending', 'in_flight')"
    for cell in pages.table_cells():
        if len(cell.values) != 9 or bool(fresh.execute(waits, (cell.rowid,)).fetchone()) is not that_wait:
            continue
        if _is_as_received(cell):
            yield "events", [cell.rowid, *cell.values[1:]]


def _small_tables(pages: Pages) -> Iterator[Row]:
    """Yield the configs that were in force, of those that are whole, the gaps, and which events were recovered."""
    for cell in pages.table_cells():
        match cell.values:
            case [None, int()]:
                yield "recovered_events", [cell.rowid, *cell.values[1:]]
            case [None, *rest] if len(rest) == _GAP_COLUMNS - 1 and _is_gap(row := [cell.rowid, *rest]):
                yield "gaps", row
            case [None, int(), str(digest), bytes(routing)] if Revision(digest, routing).is_sound:
                yield "config_revisions", [cell.rowid, *cell.values[1:]]


def _is_gap(row: list[Value]) -> bool:
    """Whether the row can be read as one."""
    with suppress(ValueError, TypeError, OverflowError, OSError):
        return bool(gap_of(cast("GapRow", row)))
    return False


def _is_as_received(cell: Cell) -> bool:
    """Whether the body still has the id that it had."""
    event_id, body = cell.values[1], cell.values[8]
    try:
        return body == b"" or (
            isinstance(body, bytes) and decode_event(body).id == event_id
        )  # empty: too large to be kept
    except NotAnEventError:
        return False


def _is_list_of_names(text: Value) -> bool:
    with suppress(ValueError):
        names = json.loads(text) if isinstance(text, str) else None
        return isinstance(names, list) and all(isinstance(name, str) for name in names)
    return False


def _join(fresh: sqlite3.Connection, found: Salvaged) -> None:
    """Leave out what has lost the other half of it, count, and let the books begin with what is there.

    What was lost is told by the log; the books cannot count it any more.
    """
    fresh.execute("UPDATE deliveries SET status = 'pending' WHERE status = 'in_flight'")
    orphans = "FROM deliveries WHERE event_seq NOT IN (SELECT seq FROM events)"
    (without_event,) = fresh.execute(f"SELECT count(*) {orphans} AND status = 'pending'").fetchone()
    fresh.execute(f"DELETE {orphans}")
    fresh.execute(
        "DELETE FROM attempts WHERE (event_seq, destination) NOT IN (SELECT event_seq, destination FROM deliveries)"
    )
    fresh.execute("DELETE FROM recovered_events WHERE event_seq NOT IN (SELECT seq FROM events)")
    there = "(SELECT count(*) FROM deliveries WHERE event_seq = seq)"
    (without_row,) = fresh.execute(f"SELECT coalesce(sum(max(planned - {there}, 0)), 0) FROM events").fetchone()  # noqa: S608 - our own
    found.lost = without_event + without_row
    fresh.execute(f"UPDATE events SET planned = {there} WHERE planned != {there}")  # noqa: S608 - our own
    (found.events,) = fresh.execute("SELECT count(*) FROM events").fetchone()
    (found.waiting,) = fresh.execute("SELECT count(*) FROM deliveries WHERE status = 'pending'").fetchone()
    fresh.execute(
        "INSERT INTO books SELECT accepted_ms / 60000, entry, sum(count) FROM ("
        " SELECT accepted_ms, 'seen' AS entry, 1 AS count FROM events"
        " UNION ALL SELECT accepted_ms, iif(planned, 'matched', 'unmatched'), 1 FROM events"
        " UNION ALL SELECT accepted_ms, 'planned', planned FROM events WHERE planned"
        ") GROUP BY 1, 2"
    )
