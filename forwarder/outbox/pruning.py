"""What leaves the outbox while it runs: history past its time or its room, in slices beside the commits; free pages to the disk."""

import asyncio
import sqlite3
from contextlib import suppress
from datetime import datetime
from time import monotonic

from forwarder.outbox.batch import Step
from forwarder.outbox.connection import page_size
from forwarder.outbox.database import Database
from forwarder.outbox.retention import (
    Cutoff,
    Slice,
    free_pages,
    give_back,
    prune_books,
    prune_gaps,
    prune_slice,
    used_pages,
)
from forwarder.outbox.revisions import prune_revisions
from forwarder.outbox.room import is_short_of_room, move_whole_wal
from forwarder.outbox.statements import to_ms
from forwarder.outbox.writer import Writer

_SLICE_AIM_S = 0.01
"""How long one slice of pruning may hold the file: half of what a commit may be held up."""
_SLICE_SIZES = (10, 500)
_VACUUM_PAGES = 128
_FULL, _ROOMY = 0.9, 0.8
"""Shares of `max_size`: above the one history has to go, until it is below the other."""


class Pruner:
    """Each call works through the file in small steps and leaves the writer at least half of its time."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def prune(self, *, delivered_before: datetime, dead_before: datetime) -> int:
        """Delete events, with all that belongs to them, once every delivery is closed for long enough; return how many.

        Works through the old events in small slices, each a transaction of its own, and gives their pages back to the disk.
        Gaps go when they are as old as dead letters.
        """
        cutoff = Cutoff(delivered_before_ms=to_ms(delivered_before), dead_before_ms=to_ms(dead_before))
        pruned = await self._prune(cutoff)
        await self._writer.ask(lambda connection: prune_books(connection, before_ms=cutoff.dead_before_ms), apart=True)
        await self._writer.ask(lambda connection: prune_gaps(connection, before_ms=cutoff.dead_before_ms), apart=True)
        return pruned

    async def prune_to_size(self) -> int:
        """Delete the oldest delivered history where `max_size` or the disk is nearly full; return how many events."""
        if not await self._is_over(_FULL):
            return 0
        return await self._prune(self._database.delivered_may_go, while_over=_ROOMY)

    async def _prune(self, cutoff: Cutoff, *, while_over: float | None = None) -> int:
        pruned, after, size = 0, 0, _SLICE_SIZES[0]
        while True:
            slice_, took_s = await self._writer.ask(_timed_slice(cutoff, after, size), apart=True)
            pruned, after = pruned + slice_.pruned, slice_.last_seq
            if slice_.is_last or (while_over is not None and not await self._is_over(while_over)):
                break
            size = min(max(size * 2 if took_s < _SLICE_AIM_S / 2 else size // 2, _SLICE_SIZES[0]), _SLICE_SIZES[1])
            await asyncio.sleep(took_s)  # at most half of the writer's time
        await self._writer.ask(prune_revisions, apart=True)
        while await self._writer.ask(_give_some_back, apart=True):  # noqa: ASYNC110 - a pause for others, not a poll
            await asyncio.sleep(_SLICE_AIM_S)
        return pruned

    async def _is_over(self, share: float) -> bool:
        most = self._database.settings.max_size

        def look(connection: sqlite3.Connection) -> bool:
            used = used_pages(connection) * page_size(connection)
            return (most is not None and used > share * most) or is_short_of_room(self._database.path.parent)

        with suppress(sqlite3.Error):  # the writer meets it too, and says so
            return await self._database.run(look)
        return False

    async def vacuum_slice(self) -> int:
        """Give some free pages back to the disk; return how many bytes, 0 when there are none."""
        before = await self._database.run(_free_bytes)
        if not before:
            with suppress(sqlite3.Error):  # a reader keeps the WAL; it is moved later
                await self._database.run(move_whole_wal)
            return 0
        await self._writer.ask(_give_some_back, apart=True)
        return before - await self._database.run(_free_bytes)


def _timed_slice(cutoff: Cutoff, after_seq: int, limit: int) -> Step[tuple[Slice, float]]:
    def step(connection: sqlite3.Connection) -> tuple[Slice, float]:
        began = monotonic()
        return prune_slice(connection, cutoff, after_seq=after_seq, limit=limit), monotonic() - began

    return step


def _free_bytes(connection: sqlite3.Connection) -> int:
    return free_pages(connection) * page_size(connection)


def _give_some_back(connection: sqlite3.Connection) -> bool:
    """Give pages back to the disk; return whether there are more."""
    give_back(connection, _VACUUM_PAGES)
    return free_pages(connection) > 0
