"""Opens the SQLite outbox for the daemon: takes the lock, salvages a damaged file, and runs the writer."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import monotonic

import structlog

from forwarder.outbox.problems import OutboxFailedError, OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.file.database import Database
from forwarder.outbox.sqlite.file.file_guard import FileGuard
from forwarder.outbox.sqlite.file.lock import locked
from forwarder.outbox.sqlite.file.ownership import warning_of
from forwarder.outbox.sqlite.file.problems import silent
from forwarder.outbox.sqlite.file.salvage import open_or_salvage
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from forwarder.outbox.sqlite.row_cache import RowCache
from forwarder.outbox.sqlite.stored_state import StoredState, read_state
from forwarder.outbox.sqlite.write_outage import WriteOutage
from forwarder.outbox.sqlite.write_queue import WriteQueue
from forwarder.outbox.sqlite.writer import Writer
from forwarder.threads import start_in_thread

_COMMAND_MAY_TAKE_S = 35.0
"""How long a command is waited for. Ten restarts by the service manager then take longer than the five minutes after which it gives up."""
_LOOK_AT_LOCK_EVERY_S = 0.05
_SWITCH_AFTER_S = 0.0002
"""How long the event loop may keep the interpreter while SQLite's thread waits for it. Python's 5 ms, once for each statement of a
transaction, would keep events from the disk for tens of milliseconds in a burst."""

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_outbox(settings: FileSettings, *, patience: timedelta | None = None) -> AsyncIterator[SqliteOutbox]:
    """Open the outbox. It is made where it is missing, and set aside and salvaged where it is damaged.

    `patience` is how long it waits for another daemon to leave the file; `None`: not at all. On the way out everything that is queued
    is written first. Raises `OutboxUnusableError` when the file cannot be used, and what ended the writer when it failed later.
    """
    sys.setswitchinterval(_SWITCH_AFTER_S)
    async with _locked(settings.path, patience):
        if (warning := warning_of(settings.path)) is not None:
            log.warning("outbox.folder_is_open", note=warning)
        database = Database(settings)
        are_bodies_due = await open_or_salvage(database)

        def prepare(connection: sqlite3.Connection) -> StoredState:
            database.reserve.make()
            return read_state(connection)

        try:
            stored = await database.run(prepare)
            rows = RowCache()
            guard = FileGuard(database)
            outage = WriteOutage(database, guard)
            queue = WriteQueue(rows, outage, settings.max_size)
            writer = Writer(database, guard, outage, queue, rows)
            # Not in a task group: a group cancels its tasks when one of them fails, and the writer is never cancelled.
            writing = asyncio.create_task(writer.run(), name="outbox writer")
            try:
                yield SqliteOutbox(
                    database, rows, queue, writer, writing=writing, stored=stored, are_bodies_due=are_bodies_due
                )
            finally:
                writer.close()
                await asyncio.shield(writing)
        finally:
            with suppress(sqlite3.Error, OutboxFailedError):  # closing does so without what the reserve holds for it
                await database.move_whole_wal()
            await database.close()


@asynccontextmanager
async def _locked(path: Path, patience: timedelta | None) -> AsyncIterator[None]:
    """Hold the lock. A command that holds it is waited for, and a daemon for as long as `patience` says.

    The disk is asked in a thread: in a takeover the streams are open already, and are read while it does not answer.
    """
    began = monotonic()
    may_take_s = {
        OutboxProblem.IN_USE_BY_COMMAND: _COMMAND_MAY_TAKE_S,
        OutboxProblem.IN_USE: 0.0 if patience is None else patience.total_seconds(),
    }
    ends = asyncio.get_running_loop().time() + max(may_take_s.values())
    while True:
        try:
            async with asyncio.timeout_at(ends):
                held = await start_in_thread(partial(_take_lock, path), name="outbox lock")
            break
        except TimeoutError:
            raise silent(path) from None
        except OutboxUnusableError as error:
            if monotonic() - began >= may_take_s.get(error.problem, 0.0):
                raise
        await asyncio.sleep(_LOOK_AT_LOCK_EVERY_S)
    with held:
        yield


def _take_lock(path: Path) -> ExitStack:
    """Return the lock, held until the stack is closed, or until nobody has it any more."""
    with ExitStack() as held:
        held.enter_context(locked(path))
        return held.pop_all()
