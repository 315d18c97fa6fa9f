"""What a lane takes out of the outbox: what is due, or the next ones of an order.

A claim reads the file as it is, and the rows in memory that are newer than it. So it waits for no write: while nothing can be
written, what is on disk is delivered from there, and what is in memory alone from memory.
"""

import asyncio
import heapq
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from msgspec import structs

from forwarder.core.clock_steps import ClockSteps
from forwarder.core.delivery import Delivery, DestinationName, Trigger
from forwarder.core.order import Order, order_key
from forwarder.core.preference import AWAITS_FULL
from forwarder.outbox.batch import Step
from forwarder.outbox.database import Database
from forwarder.outbox.rows import ClaimedRow, Hand, Row, Values, delivery_of, row_on_disk
from forwarder.outbox.statements import SQL, from_ms, to_ms
from forwarder.outbox.writer import Writer

Entry = tuple[int, int, Row | None]
"""When a delivery is due, in Unix milliseconds, the number of its event, and its row where that is in memory."""
EventRow = tuple[int, str, str, str, str, float, int, int, bytes]
_SLICE = 1_000
_LINE_BYTES = 64 * 1024
_LOOK_AGAIN_S = 1.0
_UNORDERED = frozenset({Trigger.MANUAL, Trigger.REPLAY, Trigger.CANARY})


@dataclass(frozen=True, slots=True)
class Found:
    """A row that may be taken, and the delivery that it stands for."""

    row: Row
    delivery: Delivery
    ends_wait: bool = False
    """It is one in memory that has waited for its full text: the delivery has its place in the order, the row not yet."""


@dataclass(slots=True)
class Finding:
    """What was found, and when the next one after it is due, in Unix milliseconds."""

    found: list[Found]
    next_due_ms: int | None = None
    is_read: bool = True
    """The file could be read."""


Look = Callable[[sqlite3.Connection | None, bool], Finding]
"""Looks in the file and in memory, or, without a connection, because the file cannot be read, in memory alone.

With the second argument memory has no room for many more outcomes that cannot be written. Then, of what is on disk alone, only the
oldest events are looked at. All destinations end these first, so that they can be deleted: were each to take what it likes, all
could have their share of outcomes in memory and no event would be through.
"""
OLDEST = 500
"""That many events: what is claimed beyond the usual limit is bounded by them."""


def claim_due(
    hand: Hand,
    events: Mapping[int, Values],
    destination: DestinationName,
    *,
    now: datetime,
    limit: int,
    is_early: bool,
    order: Order,
    is_settled: bool,
    clock_steps: ClockSteps,
) -> Look:
    """Find those without an order, in the order they fall due; `is_early` takes them whenever they are due.

    Unless what is in memory `is_settled` on disk, those in memory that no lane has are among them. `events` are those that are
    in memory alone.
    """
    now_ms = to_ms(now)
    values: dict[str, Any] = {"destination": destination, "limit": limit + hand.count(destination) + 1}
    if is_early:
        values |= {"now_ms": now_ms, "awaits": AWAITS_FULL}
    here: list[Entry] = []
    if not is_settled:
        here = heapq.nsmallest(
            limit + 1,
            (
                (row.due_ms, row.event_seq, row)
                for row in hand.free(destination)
                if row.order_key is None and not (is_early and row.reason == AWAITS_FULL and row.due_ms > now_ms)
            ),
            key=_when,
        )

    def on_disk(connection: sqlite3.Connection, *, is_tight: bool) -> Iterator[Entry]:
        if is_tight:
            found = connection.execute(SQL["next_of_oldest"], values | {"until_seq": _until(connection)})
        else:
            found = connection.execute(SQL["next_early" if is_early else "next_due"], values)
        for event_seq, due_ms in found:
            if (event_seq, destination) not in hand:
                yield due_ms, event_seq, None

    def look(connection: sqlite3.Connection | None, is_tight: bool) -> Finding:
        finding = Finding([], is_read=connection is not None)
        there = () if connection is None else on_disk(connection, is_tight=is_tight)
        for due_ms, event_seq, row in heapq.merge(here, there, key=_when):
            if (not is_early and due_ms > now_ms) or len(finding.found) == limit:
                finding.next_due_ms = due_ms
                break
            if row is not None:
                one = _read_here(connection, row, events, order, clock_steps)
            else:
                assert connection is not None  # noqa: S101 - it was read there
                one = _read(connection, event_seq, destination, order, clock_steps)
            if one is not None:
                finding.found.append(one)
        return finding

    return look


def claim_next(
    hand: Hand,
    events: Mapping[int, Values],
    destination: DestinationName,
    key: str,
    *,
    due_before: datetime | None,
    limit: int,
    clock_steps: ClockSteps,
) -> Look:
    """Find the oldest with this key, unless the first of them is to wait; `due_before` `None` has it wait no longer.

    Few large ones: what waits in line should not fill the memory. Without a connection nothing is found: what is on disk goes
    before what is in memory.
    """
    most_ms = None if due_before is None else to_ms(due_before)
    here = hand.line(destination, key)
    values = {"destination": destination, "order_key": key, "limit": limit + len(here) + 1}

    def look(connection: sqlite3.Connection | None, is_tight: bool) -> Finding:
        finding = Finding([], is_read=connection is not None)
        if connection is None:
            return finding
        line = dict(connection.execute(SQL["next_in_order"], values).fetchall())
        last = max(line, default=0) if len(line) == values["limit"] else None  # more is on disk behind that one
        line = {seq: due_ms for seq, due_ms in line.items() if seq in here or (seq, destination) not in hand}
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
                    one = _read(connection, seq, destination, Order.NONE, clock_steps)
                else:
                    one = _read_here(connection, row_here, events, Order.NONE, clock_steps)
            if one is None:  # those behind it must not go first
                finding.next_due_ms = line[seq]
                break
            finding.found.append(one)
            size += len(one.delivery.body)
        return finding

    return look


def _when(entry: Entry) -> tuple[int, int]:
    return entry[:2]


def _until(connection: sqlite3.Connection) -> int:
    """Return the last of the oldest events."""
    (last,) = connection.execute(SQL["oldest_waiting"], {"limit": OLDEST}).fetchone()
    return last or 0


def _read(
    connection: sqlite3.Connection, event_seq: int, destination: DestinationName, order: Order, clock_steps: ClockSteps
) -> Found | None:
    """Read one of which nothing is in memory."""
    key = {"event_seq": event_seq, "destination": destination}
    found: ClaimedRow | None = connection.execute(SQL["claimed"], key).fetchone()
    if found is None:
        return None
    event_id, accepted_ms, body, source, sid, is_recovered = found[18:]
    row = Row(*found[:18], is_recovered=bool(is_recovered), is_changed=False, is_on_disk=True)
    if row.reason == AWAITS_FULL:
        row.reason, row.order_key = None, order_key(order, source=source, sid=sid)
        row.is_changed = row.order_key is not None
    accepted_at = clock_steps.steady_of(from_ms(accepted_ms), event_seq)
    return Found(row, delivery_of(row, event_id, accepted_at, body))


def _read_here(
    connection: sqlite3.Connection | None,
    row: Row,
    events: Mapping[int, Values],
    order: Order,
    clock_steps: ClockSteps,
) -> Found | None:
    """Read the event of a row in memory, which may be on disk."""
    if (event := events.get(row.event_seq)) is not None:
        _, event_id, source, _, sid, _, accepted_ms, _, body = cast("EventRow", event)
    else:
        found = None if connection is None else connection.execute(SQL["event"], (row.event_seq,)).fetchone()
        if found is None:
            return None
        event_id, accepted_ms, body, source, sid = found[:5]
    accepted_at = clock_steps.steady_of(from_ms(accepted_ms), row.event_seq)
    delivery = delivery_of(row, event_id, accepted_at, body)
    if row.reason != AWAITS_FULL:
        return Found(row, delivery)
    key = order_key(order, source=source, sid=sid)
    return Found(row, structs.replace(delivery, order_key=key), ends_wait=True)


def take(hand: Hand, found: Sequence[Found]) -> list[Delivery]:
    """Note that a lane has these from now on; return those of them that are still there to be taken."""
    taken: list[Delivery] = []
    for one in found:
        row, present = one.row, hand.get(one.row.key)
        if present is None:
            if row.key in hand:  # replaced meanwhile, by a clock that was set back
                continue
        elif present is not row or row.is_held or row.status != "pending":
            continue
        hand.hold(row)
        if one.ends_wait:
            hand.end_wait(row, one.delivery.order_key)
        taken.append(one.delivery)
    return taken


class Orders:
    """Gives what waits the keys of an order: in memory, from where they are written when that can be."""

    def __init__(self, database: Database, writer: Writer, hand: Hand, may_take: Callable[[], bool]) -> None:
        """`may_take` tells whether memory has room for more that cannot be written."""
        self._database = database
        self._writer = writer
        self._hand = hand
        self._may_take = may_take

    async def put(self, destination: DestinationName, order: Order) -> list[str]:
        """Do so, in slices; return the keys that something waits under. What comes meanwhile has the key that it should have."""
        is_settled = await self._writer.settle()
        if not is_settled:
            await self._put_here(destination, order)
        if not is_settled or await self._database.read(_may_be_out_of_order(destination, order)):
            after = 0
            while True:
                rows, last = await self._database.read(_look_at_slice(destination, order, after))
                for row in rows:
                    if row.key not in self._hand:
                        self._hand.take(row)
                if rows:
                    self._writer.wake()
                if last is None:
                    break
                after = last
                while not await self._writer.settle() and not self._may_take():  # noqa: ASYNC110 - the disk tells nobody
                    await asyncio.sleep(_LOOK_AGAIN_S)
        await self._writer.settle()
        keys = await self._database.read(
            lambda connection: [row[0] for row in connection.execute(SQL["order_keys"], {"destination": destination})]
        )
        return sorted({*keys, *self._hand.order_keys(destination)})

    async def _put_here(self, destination: DestinationName, order: Order) -> None:
        """The same of what waits in memory and cannot be written now."""
        rows = self._hand.free(destination)
        events = cast("Mapping[int, EventRow]", self._writer.unwritten_events())
        accounts = {row.event_seq: (event[2], event[4]) for row in rows if (event := events.get(row.event_seq))}
        seqs = [row.event_seq for row in rows if row.event_seq not in accounts]
        if seqs:
            accounts |= await self._database.read(_accounts_of(seqs))
        for row in rows:
            account = accounts.get(row.event_seq)
            if account is None or self._hand.get(row.key) is not row or row.is_held or row.status != "pending":
                continue
            wanted = _wanted(order, row.trigger, row.reason, source=account[0], sid=account[1])
            if wanted != row.order_key:
                self._hand.put_in_order(row, wanted)


def _accounts_of(seqs: Sequence[int]) -> Step[dict[int, tuple[str, str]]]:
    def look(connection: sqlite3.Connection) -> dict[int, tuple[str, str]]:
        found = {}
        for seq in seqs:
            if (event := connection.execute(SQL["event"], (seq,)).fetchone()) is not None:
                found[seq] = event[3], event[4]
        return found

    return look


def _wanted(order: Order, trigger: str, reason: str | None, *, source: str, sid: str) -> str | None:
    """Return the key that something waits under. What a person has tried again has none, nor has what waits for the full text."""
    is_beside = trigger in _UNORDERED or reason == AWAITS_FULL
    return None if is_beside else order_key(order, source=source, sid=sid)


def _may_be_out_of_order(destination: DestinationName, order: Order) -> Step[bool]:
    """Look whether it is worth going through all that waits; mostly nothing does, or nothing has an order."""
    statement = SQL["is_ordered" if order is Order.NONE else "is_pending"]
    return lambda connection: bool(connection.execute(statement, {"destination": destination}).fetchone()[0])


def _look_at_slice(destination: DestinationName, order: Order, after: int) -> Step[tuple[list[Row], int | None]]:
    """Return, of the next that wait on disk, those under another key than they should be, under the right one; and where to go on."""

    def look(connection: sqlite3.Connection) -> tuple[list[Row], int | None]:
        values = {"destination": destination, "after_seq": after, "limit": _SLICE}
        found = connection.execute(SQL["waiting_in_order"], values).fetchall()
        rows: list[Row] = []
        for *columns, source, sid in found:
            row = row_on_disk(columns)
            wanted = _wanted(order, row.trigger, row.reason, source=source, sid=sid)
            if wanted != row.order_key:
                row.order_key = wanted
                rows.append(row)
        return rows, found[-1][0] if len(found) == _SLICE else None

    return look
