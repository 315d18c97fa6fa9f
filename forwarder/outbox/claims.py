"""What a lane takes out of the outbox: what is due, or the next ones of an order."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from forwarder.core.clock_steps import ClockSteps
from forwarder.core.delivery import Delivery, DestinationName, Trigger
from forwarder.core.order import Order, order_key
from forwarder.core.preference import AWAITS_FULL
from forwarder.outbox.batch import Step
from forwarder.outbox.database import Database
from forwarder.outbox.rows import ClaimedRow, Hand, Row, Values, delivery_of
from forwarder.outbox.statements import SQL, from_ms, to_ms
from forwarder.outbox.writer import Writer

Found = tuple[list[Row], list[Delivery], int | None]
"""The rows, what they stand for, and when the next one after them is due, in Unix milliseconds."""
EventRow = tuple[int, str, str, str, str, float, int, int, bytes]
_SLICE = 1_000
_LINE_BYTES = 64 * 1024
_UNORDERED = frozenset({Trigger.MANUAL, Trigger.REPLAY, Trigger.CANARY})


def claim_due(
    hand: Hand,
    destination: DestinationName,
    *,
    now: datetime,
    limit: int,
    is_early: bool,
    order: Order,
    clock_steps: ClockSteps,
) -> Step[Found]:
    """Read those without an order, in the order they fall due; `is_early` takes them whenever they are due."""
    now_ms = to_ms(now)
    statement = SQL["next_early" if is_early else "next_due"]
    values: dict[str, Any] = {"destination": destination, "limit": limit + hand.count(destination) + 1}
    if is_early:
        values |= {"now_ms": now_ms, "awaits": AWAITS_FULL}

    def look(connection: sqlite3.Connection) -> Found:
        rows: list[Row] = []
        deliveries: list[Delivery] = []
        for event_seq, due_ms in connection.execute(statement, values):
            if (event_seq, destination) in hand:
                continue
            if (not is_early and due_ms > now_ms) or len(deliveries) == limit:
                return rows, deliveries, due_ms
            _read(connection, event_seq, destination, rows, deliveries, clock_steps=clock_steps, order=order)
        return rows, deliveries, None

    return look


def claim_unwritten(
    hand: Hand,
    events: Mapping[int, Values],
    destination: DestinationName,
    *,
    now: datetime,
    limit: int,
    order: Order,
    clock_steps: ClockSteps,
) -> list[Delivery]:
    """Take those without an order that are due and of which nothing is on disk, because nothing can be written.

    A full disk or a failing one holds up no delivery as long as there is memory.
    """
    now_ms, found = to_ms(now), list[Delivery]()
    for row in hand.waiting(destination):
        event = events.get(row.event_seq)
        if event is None or row.order_key is not None or row.due_ms > now_ms:
            continue
        if len(found) == limit:
            break
        _, event_id, source, _, sid, _, accepted_ms, _, body = cast("EventRow", event)
        _end_wait(row, order, source=source, sid=sid)
        hand.hold(row)
        accepted_at = clock_steps.steady_of(from_ms(accepted_ms), row.event_seq)
        found.append(delivery_of(row, event_id, accepted_at, body))
    return found


def claim_next(
    hand: Hand,
    destination: DestinationName,
    key: str,
    *,
    due_before: datetime | None,
    limit: int,
    clock_steps: ClockSteps,
) -> Step[Found]:
    """Read the oldest with this key, unless the first of them is to wait; `due_before` `None` has it wait no longer.

    Few large ones: what waits in line should not fill the memory.
    """
    most_ms = None if due_before is None else to_ms(due_before)
    values = {"destination": destination, "order_key": key, "limit": limit + 1}

    def look(connection: sqlite3.Connection) -> Found:
        rows: list[Row] = []
        deliveries: list[Delivery] = []
        size = 0
        for event_seq, due_ms in connection.execute(SQL["next_in_order"], values):
            is_early = not rows and most_ms is not None and due_ms > most_ms
            if is_early or len(rows) == limit or size >= _LINE_BYTES:
                return rows, deliveries, due_ms
            if (event_seq, destination) in hand:  # it came just now
                break
            _read(connection, event_seq, destination, rows, deliveries, clock_steps=clock_steps)
            size += len(deliveries[-1].body)
        return rows, deliveries, None

    return look


def _read(
    connection: sqlite3.Connection,
    event_seq: int,
    destination: DestinationName,
    rows: list[Row],
    deliveries: list[Delivery],
    *,
    clock_steps: ClockSteps,
    order: Order = Order.NONE,
) -> None:
    key = {"event_seq": event_seq, "destination": destination}
    found: ClaimedRow = connection.execute(SQL["claimed"], key).fetchone()
    event_id, accepted_ms, body, source, sid, is_recovered = found[18:]
    row = Row(*found[:18], is_recovered=bool(is_recovered), is_changed=False)
    row.is_changed = _end_wait(row, order, source=source, sid=sid)
    rows.append(row)
    deliveries.append(delivery_of(row, event_id, clock_steps.steady_of(from_ms(accepted_ms), event_seq), body))


def _end_wait(row: Row, order: Order, *, source: str, sid: str) -> bool:
    """Give a first word that has waited for its full text its place in the order; return whether the disk has to know."""
    if row.reason != AWAITS_FULL:
        return False
    row.reason, row.order_key = None, order_key(order, source=source, sid=sid)
    return row.order_key is not None


async def put_in_order(database: Database, writer: Writer, destination: DestinationName, order: Order) -> list[str]:
    """Give what waits the keys of the order, in slices; return the keys that something waits under.

    What comes meanwhile has the key it should have. Where nothing can be written now it waits until it can: what is in memory
    alone may have another key.
    """
    if not await writer.settle() or await database.run(_may_be_out_of_order(destination, order)):
        after = 0
        while (last := await writer.ask(_put_slice(destination, order, after))) is not None:
            after = last
    return await database.run(
        lambda connection: [row[0] for row in connection.execute(SQL["order_keys"], {"destination": destination})]
    )


def _may_be_out_of_order(destination: DestinationName, order: Order) -> Step[bool]:
    """Look whether it is worth going through all that waits; mostly nothing does, or nothing has an order."""
    statement = SQL["is_ordered" if order is Order.NONE else "is_pending"]
    return lambda connection: bool(connection.execute(statement, {"destination": destination}).fetchone()[0])


def _put_slice(destination: DestinationName, order: Order, after: int) -> Step[int | None]:
    def step(connection: sqlite3.Connection) -> int | None:
        values = {"destination": destination, "after_seq": after, "limit": _SLICE}
        found = connection.execute(SQL["out_of_order"], values).fetchall()
        changes: list[dict[str, Any]] = []
        for event_seq, has, trigger, reason, source, sid in found:
            is_beside = trigger in _UNORDERED or reason == AWAITS_FULL
            wanted = None if is_beside else order_key(order, source=source, sid=sid)
            if wanted != has:
                changes.append({"event_seq": event_seq, "destination": destination, "order_key": wanted})
        connection.executemany(SQL["put_in_order"], changes)
        return found[-1][0] if len(found) == _SLICE else None

    return step
