"""Puts what waits into the order that the config of a destination asks for, when that has changed."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from forwarder.core.delivery import DIGEST_KEY, DestinationName, Trigger
from forwarder.core.dispatch.ordering import Order, order_key
from forwarder.outbox.sqlite.claims import EventRow
from forwarder.outbox.sqlite.delivery_row import DeliveryRow, row_on_disk
from forwarder.outbox.sqlite.file.database import Database
from forwarder.outbox.sqlite.row_cache import RowCache
from forwarder.outbox.sqlite.statements import SQL
from forwarder.outbox.sqlite.transactions import Step
from forwarder.outbox.sqlite.write_queue import WriteQueue

_SLICE = 1_000
_LOOK_AGAIN_S = 1.0
_UNORDERED = frozenset({Trigger.MANUAL, Trigger.REPLAY, Trigger.RESEND, Trigger.CANARY, Trigger.FALLBACK})


class OrderKeys:
    """Gives everything that waits for a destination the order keys of its config: in memory, to be written when that is possible."""

    def __init__(self, database: Database, queue: WriteQueue, rows: RowCache, has_room: Callable[[], bool]) -> None:
        """`has_room` returns whether memory has room for more rows that cannot be written now."""
        self._database = database
        self._queue = queue
        self._rows = rows
        self._has_room = has_room

    async def put(self, destination: DestinationName, order: Order) -> list[str]:
        """Do so in slices; return the order keys of what waits. What arrives meanwhile has the right key already."""
        is_settled = await self._queue.settle()
        if not is_settled:
            await self._put_here(destination, order)
        if not is_settled or await self._database.read(_may_be_out_of_order(destination, order)):
            after = 0
            while True:
                rows, last = await self._database.read(_look_at_slice(destination, order, after))
                for row in rows:
                    if row.key not in self._rows:
                        self._rows.add(row)
                if rows:
                    self._queue.wake()
                if last is None:
                    break
                after = last
                while not await self._queue.settle() and not self._has_room():  # noqa: ASYNC110 - the disk sends no notice
                    await asyncio.sleep(_LOOK_AGAIN_S)
        await self._queue.settle()
        keys = await self._database.read(
            lambda connection: [row[0] for row in connection.execute(SQL["order_keys"], {"destination": destination})]
        )
        return sorted({*keys, *self._rows.order_keys(destination)} - {DIGEST_KEY})

    async def _put_here(self, destination: DestinationName, order: Order) -> None:
        """Do so with what waits in memory and cannot be written now."""
        rows = self._rows.free(destination)
        events = cast("Mapping[int, EventRow]", self._queue.unwritten_events())
        accounts = {row.event_seq: (event[2], event[4]) for row in rows if (event := events.get(row.event_seq))}
        seqs = [row.event_seq for row in rows if row.event_seq not in accounts]
        if seqs:
            accounts |= await self._database.read(_accounts_of(seqs))
        for row in rows:
            account = accounts.get(row.event_seq)
            if account is None or self._rows.get(row.key) is not row or row.is_held or row.status != "pending":
                continue
            wanted = _wanted(order, row, source=account[0], sid=account[1])
            if wanted != row.order_key:
                self._rows.put_in_order(row, wanted)


def _accounts_of(seqs: Sequence[int]) -> Step[dict[int, tuple[str, str]]]:
    def look(connection: sqlite3.Connection) -> dict[int, tuple[str, str]]:
        found = {}
        for seq in seqs:
            if (event := connection.execute(SQL["event"], (seq,)).fetchone()) is not None:
                found[seq] = event[3], event[4]
        return found

    return look


def _wanted(order: Order, row: DeliveryRow, *, source: str, sid: str) -> str | None:
    """Return the order key that a row should have. What a person tries again has none, nor has what waits; what waits for a digest is in no order at all."""
    if row.order_key == DIGEST_KEY:
        return DIGEST_KEY
    is_unordered = row.trigger in _UNORDERED or row.awaits_full
    return None if is_unordered else order_key(order, source=source, sid=sid)


def _may_be_out_of_order(destination: DestinationName, order: Order) -> Step[bool]:
    """Return a step that says whether a walk over all that waits is needed; mostly nothing waits, or nothing has an order."""
    statement = SQL["is_ordered" if order is Order.NONE else "is_pending"]
    return lambda connection: bool(connection.execute(statement, {"destination": destination}).fetchone()[0])


def _look_at_slice(
    destination: DestinationName, order: Order, after: int
) -> Step[tuple[list[DeliveryRow], int | None]]:
    """Return a step that reads the next rows that wait on disk: those with a wrong key, given the right one; and where to go on."""

    def look(connection: sqlite3.Connection) -> tuple[list[DeliveryRow], int | None]:
        values = {"destination": destination, "after_seq": after, "limit": _SLICE}
        found = connection.execute(SQL["waiting_in_order"], values).fetchall()
        rows: list[DeliveryRow] = []
        for *columns, source, sid in found:
            row = row_on_disk(columns)
            wanted = _wanted(order, row, source=source, sid=sid)
            if wanted != row.order_key:
                row.order_key = wanted
                rows.append(row)
        return rows, found[-1][0] if len(found) == _SLICE else None

    return look
