"""Gives deliveries to lanes: each to one lane only, while writes may be impossible."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from forwarder.core.clock_steps import ClockSteps
from forwarder.core.delivery import DestinationName
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.priority import Priority
from forwarder.core.ports import Claim
from forwarder.outbox.sqlite.claims import ClaimedRows, MemoryView, Search, claim_due, claim_next, lease
from forwarder.outbox.sqlite.file.database import Database
from forwarder.outbox.sqlite.order_keys import OrderKeys
from forwarder.outbox.sqlite.row_cache import RowCache
from forwarder.outbox.sqlite.statements import SQL, time_of
from forwarder.outbox.sqlite.write_queue import WriteQueue

LOOK_AGAIN = timedelta(seconds=1)
"""When a lane is to claim again, where it is not known when the next delivery is due."""
MAX_UNWRITTEN = 20_000
"""The most outcomes of deliveries on disk that are kept in memory while nothing can be written, about 20 MB. Beyond, only the oldest
events are claimed from the disk."""

log = structlog.get_logger(__name__)


class Claimer:
    """Finds what is due in the file and in memory, and leases it."""

    def __init__(self, database: Database, queue: WriteQueue, rows: RowCache) -> None:
        self._database = database
        self._queue = queue
        self._rows = rows
        self._claiming = asyncio.Lock()

    async def claim(
        self,
        destination: DestinationName,
        *,
        now: datetime,
        limit: int,
        is_early: bool,
        order: Order,
        priority: Priority | None = None,
        clock_steps: ClockSteps,
    ) -> Claim:
        """See `core.ports.Outbox.claim`."""

        def make(*, is_settled: bool) -> Search:
            # Where everything is on disk nothing is claimed from memory.
            events = {} if is_settled else self._queue.unwritten_events()
            memory = MemoryView(rows=self._rows, events=events, clock_steps=clock_steps)
            return claim_due(
                memory,
                destination,
                now=now,
                limit=limit,
                is_early=is_early,
                order=order,
                priority=priority,
                is_settled=is_settled,
            )

        return await self._claim(make, destination, now)

    async def claim_in_order(
        self,
        destination: DestinationName,
        key: str,
        *,
        now: datetime,
        limit: int,
        is_early: bool,
        clock_steps: ClockSteps,
    ) -> Claim:
        """See `core.ports.Outbox.claim_in_order`."""
        due_before = None if is_early else now

        def make(*, is_settled: bool) -> Search | None:  # noqa: ARG001 - what is in memory is the newest in any case
            if any(row.is_held for row in self._rows.line(destination, key).values()):  # a lane that is ending has one
                return None
            memory = MemoryView(rows=self._rows, events=self._queue.unwritten_events(), clock_steps=clock_steps)
            return claim_next(memory, destination, key, due_before=due_before, limit=limit)

        return await self._claim(make, destination, now)

    async def high_order_keys(self, destination: DestinationName) -> list[str]:
        """See `core.ports.Outbox.high_order_keys`. Where the file cannot be read, those of what is in memory."""
        keys = {row.order_key for row in self._rows.free(destination) if row.priority and row.order_key is not None}
        with suppress(sqlite3.Error, TimeoutError):
            found = await self._database.run_briefly(
                lambda connection: connection.execute(SQL["high_order_keys"], {"destination": destination}).fetchall()
            )
            keys |= {key for (key,) in found}
        return sorted(keys)

    async def put_in_order(self, destination: DestinationName, order: Order) -> list[str]:
        """See `core.ports.Outbox.put_in_order`."""
        return await OrderKeys(self._database, self._queue, self._rows, self._has_room).put(destination, order)

    async def _claim(self, make: Callable[..., Search | None], destination: DestinationName, now: datetime) -> Claim:
        is_settled = await self._queue.settle()
        async with self._claiming:  # what one claim found is leased before the next one searches
            search = make(is_settled=is_settled)
            if search is None:
                return Claim(deliveries=[], next_due=now + LOOK_AGAIN)
            finding = await self._run(search, destination, is_tight=not (is_settled or self._has_room()))
            deliveries = lease(self._rows, finding.found)
            if any(one.row.is_changed for one in finding.found):
                self._queue.wake()
        next_due = None if finding.next_due_ms is None else time_of(finding.next_due_ms)
        if not (is_settled and finding.is_read):  # what is only in memory may be due sooner
            next_due = min(next_due or now + LOOK_AGAIN, now + LOOK_AGAIN)
        return Claim(deliveries=deliveries, next_due=next_due)

    async def _run(self, search: Search, destination: DestinationName, *, is_tight: bool) -> ClaimedRows:
        """Search the file and memory; memory alone where the file cannot be read. Damage raises."""
        if self._database.is_stuck:
            return search(None, is_tight)
        try:
            return await self._database.run_briefly(lambda connection: search(connection, is_tight))
        except (sqlite3.Error, TimeoutError) as error:  # it is being reopened, or cannot be read now
            if self._queue.trouble is None:
                log.warning("outbox.claim_failed", destination=destination, reason=str(error), note="tried again")
            return search(None, is_tight)

    def _has_room(self) -> bool:
        """Return whether memory has room for more changes of what is on disk while nothing can be written."""
        return self._rows.unwritten_on_disk < MAX_UNWRITTEN
