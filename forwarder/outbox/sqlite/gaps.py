"""The gaps of the streams in the outbox file, which events were recovered, and when a stream was last known to be open."""

import asyncio
import sqlite3
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from typing import cast

from forwarder.core.gaps.gap import Gap, GapId
from forwarder.outbox.sqlite.claims import EventRow
from forwarder.outbox.sqlite.delivery_row import Value
from forwarder.outbox.sqlite.file.database import Database
from forwarder.outbox.sqlite.gap_rows import gap_of, row_of
from forwarder.outbox.sqlite.statements import SQL, time_of, to_ms
from forwarder.outbox.sqlite.transactions import Step
from forwarder.outbox.sqlite.write_queue import WriteQueue

_SLICE = 2_000
"""How many entries of the index are read at once: about 2 ms, in which nothing can be written."""
_MOST_RECOVERED = 1_000_000


class SqliteGapBook:
    """Stores gaps and recovered events; see `outbox.store.GapStore` for the contract."""

    def __init__(self, database: Database, queue: WriteQueue, *, last_id: int, last_heard: datetime | None) -> None:
        """`last_id` is the number of the newest gap; `last_heard` is when an earlier process last had a stream open."""
        self._database = database
        self._queue = queue
        self._last_id = last_id
        self._last_heard = last_heard
        self._heard_ms = 0
        self._is_hearing_queued = False

    def note_recovered(self, event_seq: int, gap: GapId) -> None:
        """Store that the repair of this gap brought the event that is added next, in one transaction with it."""
        self._queue.add_step(lambda connection: connection.execute(SQL["note_recovered"], (event_seq, gap)))

    async def recovered_events(self, *, since: datetime, limit: int) -> dict[tuple[str, str], datetime]:
        """Return the `mid` and `sid` of the newest recovered events on disk since then, and when they were accepted."""
        values = {"since_ms": to_ms(since), "limit": limit}

        def look(connection: sqlite3.Connection) -> dict[tuple[str, str], datetime]:
            return {(mid, sid): time_of(ms) for mid, sid, ms in connection.execute(SQL["recovered_events"], values)}

        return await self._database.read(look)

    def new_gap_id(self) -> GapId:
        self._last_id += 1
        return GapId(self._last_id)

    def note_gap(self, gap: Gap) -> None:
        self._queue.add_step(lambda connection: connection.execute(SQL["note_gap"], row_of(gap)))

    async def gaps_to_repair(self) -> list[Gap]:
        return await self._queue.ask(_gaps("gaps_to_repair"))  # asked behind what was noted before

    async def unended_gaps(self) -> list[Gap]:
        return await self._database.read(_gaps("unended_gaps"))  # at the start: nothing was noted before

    async def posts_since(
        self, since: datetime, *, until: datetime | None = None, sources: Collection[str] = ("x",)
    ) -> set[str]:
        # First memory, then the disk: what is written in between is in both.
        unwritten = cast("dict[int, EventRow]", self._queue.unwritten_events()).values()
        found = {mid for _, _, source, mid, _, _, at_ms, *_ in unwritten if source in sources and at_ms >= to_ms(since)}
        found.update(mid for mid, _ in await self.recovered_events(since=since, limit=_MOST_RECOVERED))
        after: tuple[Value, ...] = (to_ms(since), "", "", "", "")
        while entries := await self._slice(after):
            found.update(mid for _, source, mid, _, _ in entries if source in sources)
            if len(entries) < _SLICE or (until is not None and entries[-1][0] > to_ms(until)):
                break
            after = entries[-1]
            await asyncio.sleep(0)
        return found

    async def _slice(self, after: tuple[Value, ...]) -> list[tuple[int, str, str, str, str]]:
        """Return the entries of the index after this one."""
        values = dict(zip(("accepted_ms", "source", "mid", "sid", "id"), after, strict=True)) | {"limit": _SLICE}
        return await self._database.read(lambda connection: connection.execute(SQL["posts_after"], values).fetchall())

    def note_heard(self, at: datetime) -> None:
        self._heard_ms = to_ms(at)
        if not self._is_hearing_queued:  # one at a time, however long nothing can be written
            self._is_hearing_queued = True
            self._queue.add_step(self._write_heard, when_written=self._forget_hearing)

    def _write_heard(self, connection: sqlite3.Connection) -> None:
        connection.execute(SQL["note_heard"], (self._heard_ms,))

    def _forget_hearing(self) -> None:
        self._is_hearing_queued = False

    async def last_heard(self) -> datetime | None:
        return self._last_heard


def _gaps(name: str) -> Step[list[Gap]]:
    def look(connection: sqlite3.Connection) -> list[Gap]:
        found: list[Gap] = []
        for row in connection.execute(SQL[name]):
            with suppress(ValueError, OverflowError, OSError):  # a damaged row: `forwarder gaps` reports it
                found.append(gap_of(row))
        return found

    return look
