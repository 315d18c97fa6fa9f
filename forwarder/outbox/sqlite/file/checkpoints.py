"""When the write-ahead log (WAL) is moved into the outbox file."""

import sqlite3
from contextlib import suppress
from time import monotonic

import structlog

from forwarder.outbox.sqlite.file.database import Database

CHECKPOINT_PAGES = 500
"""Pages of the WAL from which on a quiet moment is used to move them: 4 MB."""
MAX_WAL_PAGES = 8_000
"""Pages of the WAL from which on they are moved in any case: 64 MB."""
_LEAST_CHECKPOINT_PAGES = 50
"""Fewer pages are not worth a checkpoint even on a disk that is nearly full; the reserve is larger."""
_WARN_WAL_PAGES = 12_000
_WARN_EVERY_S = 60.0

log = structlog.get_logger(__name__)


class Checkpointer:
    """Moves the WAL into the file at the right moments, and warns where a reader prevents it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._warned_at: float | None = None

    def note_written(self, *, size: int, rows: int) -> None:
        """Note how much a commit added to the WAL: `size` bytes of bodies, and so many rows of all kinds."""
        self._database.wal_pages += 6 + size / self._database.page_size + rows / 4

    async def checkpoint(self, *, is_quiet: bool) -> None:
        """Move the WAL into the file when it has grown enough; earlier in a quiet moment, and where the disk is nearly full."""
        if (
            self._database.wal_pages < (CHECKPOINT_PAGES if is_quiet else MAX_WAL_PAGES)
            and not self._is_disk_small_for_it()
        ):
            return
        try:
            total, moved = await self._database.move_unread_wal()
        except sqlite3.Error as error:
            log.warning("outbox.checkpoint_failed", reason=str(error))
            total, moved = 0, 0
        self._database.wal_pages = 0.0
        if total - moved > _WARN_WAL_PAGES and not self._warned_lately():
            log.warning(
                "outbox.wal_growing",
                size=self._database.wal_size,
                note="another program keeps a read of the outbox open; close it, or the disk fills up",
            )

    def _is_disk_small_for_it(self) -> bool:
        """Return whether the disk may be full before the WAL is moved: the file may grow by as much as the WAL holds."""
        pages = self._database.wal_pages
        return pages >= _LEAST_CHECKPOINT_PAGES and pages * self._database.page_size > self._database.free_bytes / 4

    async def shrink_wal(self) -> None:
        """Cut a WAL that a burst or a reader made large, once no reader needs it."""
        if self._database.wal_size > MAX_WAL_PAGES * self._database.page_size * 5 // 4:
            with suppress(sqlite3.Error):
                await self._database.move_whole_wal()

    def _warned_lately(self) -> bool:
        now = monotonic()
        if self._warned_at is not None and now - self._warned_at < _WARN_EVERY_S:
            return True
        self._warned_at = now
        return False
