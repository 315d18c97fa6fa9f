"""Finds the deliveries that a lane may have next: those that are due, or the next ones of an order key.

A claim reads the file as it is, and the rows in memory that are newer. So it waits for no write: while nothing can be written, what
is on disk is delivered from there, and what is only in memory from memory.
"""

import heapq
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import msgspec
from msgspec import structs

from forwarder.core.clock_steps import ClockSteps
from forwarder.core.delivery import Delivery, DestinationName
from forwarder.core.dispatch.ordering import Order, order_key
from forwarder.core.dispatch.priority import Priority
from forwarder.outbox.sqlite.delivery_row import COLUMNS, DeliveryRow, Values, delivery_of, row_on_disk
from forwarder.outbox.sqlite.row_cache import RowCache
from forwarder.outbox.sqlite.statements import SQL, time_of, to_ms

DueRow = tuple[int, int, DeliveryRow | None]
"""When a delivery is due, in Unix milliseconds; the number of its event; and its row where that is in memory."""
EventRow = tuple[int, str, str, str, str, float, int, int, bytes]
"""A row of `events`, in the order of the table."""
_LINE_BYTES = 64 * 1024
"""The bodies that a lane takes at once of one order key: what waits in order should not fill the memory."""


_LEVEL_OF = {Priority.NORMAL: 0, Priority.HIGH: 1}
"""The priorities, as the column has them."""
_DUE_STATEMENTS = {None: "next_due", Priority.NORMAL: "next_due_normal", Priority.HIGH: "next_due_high"}


class ClaimableRow(msgspec.Struct, frozen=True):
    """A row that may be claimed, and its delivery."""

    row: DeliveryRow
    delivery: Delivery
    ends_wait: bool = False
    """It is in memory, and its wait for the full text is over: the delivery has its order key, the row not yet."""


@dataclass(slots=True)
class ClaimedRows:
    """What one search found."""

    found: list[ClaimableRow]
    next_due_ms: int | None = None
    """When the next delivery after those is due, in Unix milliseconds; `None` where none waits."""
    is_read: bool = True
    """The file could be read."""


Search = Callable[[sqlite3.Connection | None, bool], ClaimedRows]
"""Searches the file and memory; without a connection, because the file cannot be read, memory alone.

The second argument says that memory has no room for many more outcomes that cannot be written. Then, of what is only on disk, the
oldest events alone are searched. All destinations finish these first, so that they can be deleted: if each claimed freely, all could
fill memory with outcomes and no event would be finished.
"""
OLDEST = 500
"""So many events are the oldest ones. They bound what is claimed beyond the usual limit."""


class MemoryView(msgspec.Struct, frozen=True, kw_only=True):
    """What a search reads in addition to the file."""

    rows: RowCache
    events: Mapping[int, Values]
    """The rows of the events that are not on disk, by number."""
    clock_steps: ClockSteps


def claim_due(
    memory: MemoryView,
    destination: DestinationName,
    *,
    now: datetime,
    limit: int,
    is_early: bool,
    order: Order,
    priority: Priority | None = None,
    is_settled: bool,
) -> Search:
    """Return a search for deliveries without an order key, by due time; `is_early` includes those that are not due yet.

    With a `priority`, only those that have it are found.

    Where everything in memory `is_settled` on disk, only the file is searched.
    """
    rows = memory.rows
    now_ms = to_ms(now)
    least, most = (0, 1) if priority is None else (_LEVEL_OF[priority], _LEVEL_OF[priority])
    values: dict[str, Any] = {"destination": destination, "limit": limit + rows.count(destination) + 1}
    if is_early:
        values |= {"now_ms": now_ms, "least": least, "most": most}
    statement = "next_early" if is_early else _DUE_STATEMENTS[priority]
    here: list[DueRow] = []
    if not is_settled:
        here = heapq.nsmallest(
            limit + 1,
            (
                (row.due_ms, row.event_seq, row)
                for row in rows.free(destination)
                if row.order_key is None
                and least <= row.priority <= most
                and not (is_early and row.awaits_full and row.due_ms > now_ms)
            ),
            key=_when,
        )

    def on_disk(connection: sqlite3.Connection, *, is_tight: bool) -> Iterator[DueRow]:
        if is_tight:
            found = connection.execute(
                SQL["next_of_oldest"], values | {"until_seq": _until(connection), "least": least, "most": most}
            )
        else:
            found = connection.execute(SQL[statement], values)
        for event_seq, due_ms in found:
            if (event_seq, destination) not in rows:
                yield due_ms, event_seq, None

    def look(connection: sqlite3.Connection | None, is_tight: bool) -> ClaimedRows:
        finding = ClaimedRows([], is_read=connection is not None)
        there = () if connection is None else on_disk(connection, is_tight=is_tight)
        for due_ms, event_seq, row in heapq.merge(here, there, key=_when):
            if (not is_early and due_ms > now_ms) or len(finding.found) == limit:
                finding.next_due_ms = due_ms
                break
            if row is not None:
                one = _read_here(connection, row, memory, order)
            else:
                assert connection is not None  # noqa: S101 - it was read there
                one = _read(connection, event_seq, destination, memory, order)
            if one is not None:
                finding.found.append(one)
        return finding

    return look


def claim_next(
    memory: MemoryView,
    destination: DestinationName,
    key: str,
    *,
    due_before: datetime | None,
    limit: int,
) -> Search:
    """Return a search for the oldest deliveries with this order key, if the first of them is due by then; `None`: in any case.

    Without a connection nothing is found, because what is on disk goes before what is in memory.
    """
    rows = memory.rows
    most_ms = None if due_before is None else to_ms(due_before)
    here = rows.line(destination, key)
    values = {"destination": destination, "order_key": key, "limit": limit + len(here) + 1}

    def look(connection: sqlite3.Connection | None, is_tight: bool) -> ClaimedRows:
        finding = ClaimedRows([], is_read=connection is not None)
        if connection is None:
            return finding
        line = dict(connection.execute(SQL["next_in_order"], values).fetchall())
        last = max(line, default=0) if len(line) == values["limit"] else None  # more is on disk behind that one
        line = {seq: due_ms for seq, due_ms in line.items() if seq in here or (seq, destination) not in rows}
        for seq, row in here.items():
            if row.status == "pending" and (last is None or seq <= last):
                line[seq] = row.due_ms
            else:
                line.pop(seq, None)
        until = _until(connection) if is_tight else None
        size = 0
        for seq in sorted(line):
            is_early = not finding.found and most_ms is not None and line[seq] > most_ms
            is_beyond = until is not None and seq > until and seq not in here
            one = None
            if not (is_early or is_beyond or len(finding.found) == limit or size >= _LINE_BYTES):
                row_here = here.get(seq)
                if row_here is None:
                    one = _read(connection, seq, destination, memory, Order.NONE)
                else:
                    one = _read_here(connection, row_here, memory, Order.NONE)
            if one is None:  # those behind it must not go first
                finding.next_due_ms = line[seq]
                break
            finding.found.append(one)
            size += len(one.delivery.body)
        return finding

    return look


def _when(due: DueRow) -> tuple[int, int]:
    return due[:2]


def _until(connection: sqlite3.Connection) -> int:
    """Return the number of the last of the oldest events."""
    (last,) = connection.execute(SQL["oldest_waiting"], {"limit": OLDEST}).fetchone()
    return last or 0


def _read(
    connection: sqlite3.Connection, event_seq: int, destination: DestinationName, memory: MemoryView, order: Order
) -> ClaimableRow | None:
    """Read a delivery of which nothing is in memory."""
    key = {"event_seq": event_seq, "destination": destination}
    found = connection.execute(SQL["claimed"], key).fetchone()
    if found is None:
        return None
    event_id, accepted_ms, body, source, sid, is_recovered = found[COLUMNS:]
    row = row_on_disk(found[:COLUMNS], is_recovered=bool(is_recovered))
    row.is_changed = False
    waited_until = None
    if row.awaits_full:
        waited_until = time_of(row.due_ms)
        row.awaits_full, row.order_key = 0, order_key(order, source=source, sid=sid)
        row.is_changed = row.order_key is not None
    accepted_at = memory.clock_steps.steady_of(time_of(accepted_ms), event_seq)
    delivery = delivery_of(row, event_id, accepted_at, body, source=source)
    if waited_until is not None:
        delivery = structs.replace(delivery, waits_until=waited_until)
    return ClaimableRow(row, delivery)


def _read_here(
    connection: sqlite3.Connection | None,
    row: DeliveryRow,
    memory: MemoryView,
    order: Order,
) -> ClaimableRow | None:
    """Read the event of a row in memory; the event may be on disk."""
    if (event := memory.events.get(row.event_seq)) is not None:
        _, event_id, source, _, sid, _, accepted_ms, _, body = cast("EventRow", event)
    else:
        found = None if connection is None else connection.execute(SQL["event"], (row.event_seq,)).fetchone()
        if found is None:
            return None
        event_id, accepted_ms, body, source, sid = found[:5]
    accepted_at = memory.clock_steps.steady_of(time_of(accepted_ms), row.event_seq)
    delivery = delivery_of(row, event_id, accepted_at, body, source=source)
    if not row.awaits_full:
        return ClaimableRow(row, delivery)
    key = order_key(order, source=source, sid=sid)
    waited = structs.replace(delivery, order_key=key, waits_until=time_of(row.due_ms))
    return ClaimableRow(row, waited, ends_wait=True)


def lease(rows: RowCache, found: Sequence[ClaimableRow]) -> list[Delivery]:
    """Give these rows to a lane; return the deliveries of those that can still be claimed."""
    leased: list[Delivery] = []
    for one in found:
        row, present = one.row, rows.get(one.row.key)
        if present is None:
            if row.key in rows:  # replaced meanwhile, by a clock that was set back
                continue
        elif present is not row or row.is_held or row.status != "pending":
            continue
        rows.lease(row)
        if one.ends_wait:
            rows.end_wait(row, one.delivery.order_key)
        leased.append(one.delivery)
    return leased
