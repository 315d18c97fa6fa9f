"""Deletes history past its time or its room while the outbox runs, in slices between the commits, and gives free pages to the disk."""

import asyncio
import sqlite3
from contextlib import suppress
from datetime import datetime
from time import monotonic

from forwarder.outbox.sqlite.file.database import Database
from forwarder.outbox.sqlite.file.disk_space import is_short_of_room
from forwarder.outbox.sqlite.pages import free_pages, give_back, page_size, used_pages
from forwarder.outbox.sqlite.prune_slices import Cutoff, Slice, prune_gaps, prune_ledger, prune_slice
from forwarder.outbox.sqlite.revisions import prune_revisions
from forwarder.outbox.sqlite.statements import to_ms
from forwarder.outbox.sqlite.transactions import Step
from forwarder.outbox.sqlite.write_queue import WriteQueue

_SLICE_AIM_S = 0.01
"""How long one slice may hold the file: half of what a commit may be delayed."""
_SLICE_SIZES = (10, 500)
"""The fewest and the most events of a slice."""
_VACUUM_PAGES = 128
_FULL, _ROOMY = 0.9, 0.8
"""Fractions of `max_size`: above the first, history is deleted until the file is below the second."""


class Pruner:
    """Deletes what may go. Each call works in small steps and leaves the writer at least half of its time."""

    def __init__(self, database: Database, queue: WriteQueue) -> None:
        self._database = database
        self._queue = queue

    async def prune(self, *, delivered_before: datetime, dead_before: datetime) -> int:
        """Delete the events whose deliveries were all closed before these times, with all that belongs to them; return how many.

        Each slice is a transaction of its own; the free pages are given back to the disk. Gaps are deleted when they are as old as
        dead letters.
        """
        cutoff = Cutoff(delivered_before_ms=to_ms(delivered_before), dead_before_ms=to_ms(dead_before))
        pruned = await self._prune(cutoff)
        await self._queue.ask(lambda connection: prune_ledger(connection, before_ms=cutoff.dead_before_ms), apart=True)
        await self._queue.ask(lambda connection: prune_gaps(connection, before_ms=cutoff.dead_before_ms), apart=True)
        return pruned

    async def prune_to_size(self) -> int:
        """Delete the oldest delivered history where `max_size` or the disk is nearly full; return how many events.

        A file that is larger than `max_size` only by its free pages is cut: at a stop it may have grown beyond.
        """
        if await self._is_over(_FULL):
            return await self._prune(self._database.delivered_may_go, while_over=_ROOMY)
        if self._is_too_large():
            await self._shrink()
        return 0

    async def _prune(self, cutoff: Cutoff, *, while_over: float | None = None) -> int:
        pruned, after, size = 0, 0, _SLICE_SIZES[0]
        while True:
            slice_, took_s = await self._queue.ask(_timed_slice(cutoff, after, size), apart=True)
            pruned, after = pruned + slice_.pruned, slice_.last_seq
            if slice_.is_last or (while_over is not None and not await self._is_over(while_over)):
                break
            size = min(max(size * 2 if took_s < _SLICE_AIM_S / 2 else size // 2, _SLICE_SIZES[0]), _SLICE_SIZES[1])
            await asyncio.sleep(took_s)  # at most half of the writer's time
        await self._queue.ask(prune_revisions, apart=True)
        await self._shrink()
        return pruned

    async def _shrink(self) -> None:
        """Give all free pages back to the disk. The file is cut when the WAL is moved, so that is done, too."""
        while await self._queue.ask(_give_some_back, apart=True):  # noqa: ASYNC110 - a pause for others, not a poll
            await asyncio.sleep(_SLICE_AIM_S)
        with suppress(sqlite3.Error):
            await self._database.move_unread_wal()

    async def _is_over(self, share: float) -> bool:
        most = self._database.settings.max_size

        def look(connection: sqlite3.Connection) -> bool:
            used = used_pages(connection) * page_size(connection)
            return (most is not None and used > share * most) or is_short_of_room(self._database.path.parent)

        with suppress(
            sqlite3.Error, OSError
        ):  # the writer meets the same error and reports it; or the folder was deleted
            return await self._database.run(look)
        return False

    def _is_too_large(self) -> bool:
        most = self._database.settings.max_size
        with suppress(OSError):
            return most is not None and self._database.path.stat().st_size > most
        return False

    async def vacuum_slice(self) -> int:
        """Give some free pages back to the disk; return how many bytes, 0 when there are none."""
        before = await self._database.run(_free_bytes)
        if not before:
            with suppress(sqlite3.Error):  # a reader keeps the WAL; it is moved later
                await self._database.move_whole_wal()
            return 0
        await self._queue.ask(_give_some_back, apart=True)
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
