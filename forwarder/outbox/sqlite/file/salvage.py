"""Salvages a damaged outbox: the file is set aside, never deleted, and what can be read of it is copied into a new one.

What waits is copied first. The file is read page by page, so that a bad page costs only what is on it.
"""

import asyncio
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import cast, get_args

import structlog
from msgspec.structs import replace

from forwarder.core.config.revision import Revision
from forwarder.core.delivery import Trigger
from forwarder.core.event import NotAnEventError, decode_event
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite.action_rows import ACTIVE_CONFIG, TABLE
from forwarder.outbox.sqlite.delivery_row import COLUMNS, DeliveryRow
from forwarder.outbox.sqlite.file import atomic_swap
from forwarder.outbox.sqlite.file.connection import FileSettings, open_connection
from forwarder.outbox.sqlite.file.database import Database
from forwarder.outbox.sqlite.file.integrity import Check, check_at_start, unmark
from forwarder.outbox.sqlite.file.names import beside
from forwarder.outbox.sqlite.file.page_reader import Cell, CellValue, Pages
from forwarder.outbox.sqlite.file.problems import unwritable
from forwarder.outbox.sqlite.gap_rows import GapRow, gap_of
from forwarder.threads import start_in_thread

PATIENCE_S = 60.0
"""How long salvaging may take. What waits is copied first; history stays in the old file when the time is over."""
_BATCH = 500
_GAP_COLUMNS = len(get_args(GapRow))
_KEPT_STATES = ("last_heard", "clock ", "failures ", "paused until ", "dead reported ", ACTIVE_CONFIG)
"""How the names of the rows of `state` begin that still hold for the new file."""
_TRIGGERS = frozenset(map(str, Trigger))
_COLUMNS_OF_5, _COLUMNS_OF_6 = 18, 20
"""How many columns a delivery had up to version 5, and in version 6."""
_AWAITS_FULL_OF_5 = "waits for the full text"
"""The reason that version 5 gave to a delivery that waits for the full text."""
_STATUS, _REASON = map(DeliveryRow.__struct_fields__.index, ("status", "reason"))

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Salvaged:
    """What was copied."""

    events: int = 0
    waiting: int = 0
    lost: int = 0
    """Deliveries that waited, or may have waited, and whose event or destination cannot be read."""
    is_complete: bool = True
    """Everything could be read, and in time."""


async def open_or_salvage(database: Database) -> bool:
    """Open the outbox. Where it is damaged, set it aside, and start a new one with what can be read of it.

    Returns whether the bodies are still to be checked. Raises `OutboxUnusableError` for everything but damage.
    """
    path = database.path
    check = await start_in_thread(partial(_prepare, path), name="outbox opening")
    try:
        await database.open(check=check)
    except OutboxUnusableError as error:
        if error.problem is not OutboxProblem.CORRUPT:
            raise
        aside = atomic_swap.name_aside(path)
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
        note="what could be read of the damaged outbox is in the new one; delivery continues",
    )
    return False


def _prepare(path: Path) -> Check:
    """Complete a salvage that was interrupted; return what to check of the file."""
    atomic_swap.finish(path)
    return check_at_start(path)


def _replace(settings: FileSettings, aside: Path) -> Salvaged:
    """Make the new file beside the damaged one, then put it in its place.

    Where this is interrupted, the next start either finds the damaged file where it was and starts again, or completes the swap.
    Raises `OutboxUnusableError` where there is no room for the new file.
    """
    path = settings.path
    unfinished = beside(path, ".salvaging")
    for suffix in atomic_swap.SUFFIXES:
        beside(unfinished, suffix).unlink(missing_ok=True)
    try:
        with closing(open_connection(replace(settings, path=unfinished), Check.NOTHING)) as fresh:
            salvaged = salvage(path, fresh)
    except sqlite3.Error as error:
        raise unwritable(path, error) from error
    atomic_swap.make_ready(path, unfinished)  # closing it has moved its WAL into it, and synced it
    atomic_swap.finish(path, aside)
    return salvaged


def salvage(damaged: Path, fresh: sqlite3.Connection) -> Salvaged:
    """Copy what can be read of `damaged` into the `fresh` outbox. Never raises for what is wrong with the damaged one.

    Rows of version 5 are read too; of older versions only those that look the same.
    """
    found = Salvaged()
    deadline = monotonic() + PATIENCE_S
    fresh.execute("PRAGMA foreign_keys = OFF")  # rows come in the order of their pages
    try:
        with suppress(OSError), Pages(damaged) as pages:
            _insert(fresh, _deliveries_and_attempts(pages))
            _insert(fresh, _still_indexed(pages))
            _insert(fresh, _with_actions(fresh, _small_tables(pages)))
            _insert(fresh, _events(pages, fresh, that_wait=True))
            history = _events(pages, fresh, that_wait=False)
            found.is_complete = _insert(fresh, history, deadline=deadline) and not pages.is_cut
        fresh.execute("BEGIN IMMEDIATE")
        _join(fresh, found)
        fresh.execute("COMMIT")
    finally:
        fresh.execute("PRAGMA foreign_keys = ON")
    return found


SalvagedRow = tuple[str, list[CellValue]]
"""A row, and the table that it belongs to."""


def _insert(fresh: sqlite3.Connection, rows: Iterable[SalvagedRow], *, deadline: float | None = None) -> bool:
    """Insert the rows, without those that cannot be right; return whether all were read before the deadline."""
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


def _deliveries_and_attempts(pages: Pages) -> Iterator[SalvagedRow]:
    for _, values in pages.index_cells():
        if (
            len(values) in {_COLUMNS_OF_5, _COLUMNS_OF_6, COLUMNS}
            and values[4] in _TRIGGERS
            and _is_list_of_names(values[2])
        ):
            yield "deliveries", _as_of_now(values)
        elif len(values) == 8:
            yield "attempts", values
        elif len(values) == 6 and isinstance(values[0], str):
            yield "destinations", values
        elif len(values) == 2 and str(values[0]).startswith(_KEPT_STATES):
            yield "state", values


def _as_of_now(delivery: list[CellValue]) -> list[CellValue]:
    """Return the row with the columns of the present version; the migrations leave rows as versions 5 and 6 wrote them."""
    if len(delivery) == COLUMNS:
        return delivery
    if len(delivery) == _COLUMNS_OF_6:
        return [*delivery, 0]
    *before, receipt = delivery
    awaits_full = 0
    if delivery[_STATUS] == "pending" and delivery[_REASON] == _AWAITS_FULL_OF_5:
        before[_REASON], awaits_full = None, 1
    if isinstance(receipt, str) and receipt.startswith("@") and receipt[1:].isdecimal():
        return [*before, None, awaits_full, int(receipt[1:]), 0]
    return [*before, receipt, awaits_full, None, 0]


def _still_indexed(pages: Pages) -> Iterator[SalvagedRow]:
    """Yield the waiting deliveries that an index has. Where the row is lost, to deliver twice is better than never."""
    for _, values in pages.index_cells():
        priority = 0
        match values:
            case [str(destination), int(due_ms), int(event_seq)]:  # deliveries_due
                pass
            case [str(destination), int(due_ms), int(event_seq), str() | None]:  # deliveries_high
                priority = 1
            case [str(destination), str(), int(event_seq), int(due_ms)]:  # deliveries_in_order
                pass
            case [int(event_seq), str(destination)]:  # deliveries_in_flight
                due_ms = 0
            case _:
                continue
        waiting: list[CellValue] = [
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
            0,
            None,
            priority,
        ]
        yield "deliveries", waiting


def _events(pages: Pages, fresh: sqlite3.Connection, *, that_wait: bool) -> Iterator[SalvagedRow]:
    """Yield the events with waiting deliveries, or the others; never one whose body is not as it was received."""
    waits = "SELECT 1 FROM deliveries WHERE event_seq = ? AND status IN ('pending', 'in_flight')"
    for cell in pages.table_cells():
        if len(cell.values) != 9 or bool(fresh.execute(waits, (cell.rowid,)).fetchone()) is not that_wait:
            continue
        if _is_as_received(cell):
            yield "events", [cell.rowid, *cell.values[1:]]


def _small_tables(pages: Pages) -> Iterator[SalvagedRow]:
    """Yield the undamaged config revisions, the gaps, which events were recovered, and what people did."""
    for cell in pages.table_cells():
        match cell.values:
            case [None, int()]:
                yield "recovered_events", [cell.rowid, *cell.values[1:]]
            case [None, *rest] if len(rest) == _GAP_COLUMNS - 1 and _is_gap(row := [cell.rowid, *rest]):
                yield "gaps", row
            case [None, int(), str(digest), bytes(routing)] if Revision(digest, routing).is_sound:
                yield "config_revisions", [cell.rowid, *cell.values[1:]]
            case [None, int(), str(), str(), str(), int(), str()]:
                yield "actions", [cell.rowid, *cell.values[1:]]


def _with_actions(fresh: sqlite3.Connection, rows: Iterable[SalvagedRow]) -> Iterator[SalvagedRow]:
    """Yield the rows; the table of actions is made for the first row of it, as it is everywhere."""
    for table, values in rows:
        if table == "actions":
            fresh.execute(TABLE)
        yield table, values


def _is_gap(row: list[CellValue]) -> bool:
    """Return whether the row can be read as a gap."""
    with suppress(ValueError, TypeError, OverflowError, OSError):
        return bool(gap_of(cast("GapRow", row)))
    return False


def _is_as_received(cell: Cell) -> bool:
    """Return whether the body still has the id of its event."""
    event_id, body = cell.values[1], cell.values[8]
    try:
        return body == b"" or (
            isinstance(body, bytes) and decode_event(body).id == event_id
        )  # empty: too large to be kept
    except NotAnEventError:
        return False


def _is_list_of_names(text: CellValue) -> bool:
    with suppress(ValueError):
        names = json.loads(text) if isinstance(text, str) else None
        return isinstance(names, list) and all(isinstance(name, str) for name in names)
    return False


def _join(fresh: sqlite3.Connection, found: Salvaged) -> None:
    """Delete rows that have lost what they belong to, count, and start the ledger with what is there.

    The log reports what was lost; the ledger cannot count it any more.
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
