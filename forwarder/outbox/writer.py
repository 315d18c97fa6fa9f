"""Group commits: one task takes whatever has queued up and writes it in one transaction, again and again.

While one commit waits for the disk the next batch gathers, so the cost of a sync is shared by as many events as arrive
during it and in the two milliseconds after.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
import tenacity

from forwarder.outbox.connection import OutboxConnection

_T = TypeVar("_T")
Step = Callable[[sqlite3.Connection], _T]
"""One piece of a transaction; may run more than once, because a batch that met a full disk is written again."""

GATHER_S = 0.002
"""How long a batch gathers before it is written. The POST that runs beside the commit then has the interpreter to itself, and
an outcome that comes back within it shares the transaction, and the sync, of its event: half the commits at 200 events/s."""
MAX_BATCH_STEPS = 500
MAX_WAITING_STEPS = 5_000
MAX_WAITING_BYTES = 16 * 1024 * 1024
_PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})
"""Another program holds the file for a moment, or the disk is full: the batch is kept and tried again."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Waiting:
    step: Step[Any]
    size: int
    result: asyncio.Future[Any] | None = field(default=None)


class Writer:
    """Carries out steps in the order they were put, many to a transaction.

    The task that does it is never cancelled: a cancelled await does not stop a statement that SQLite has begun.
    """

    def __init__(self, connection: OutboxConnection) -> None:
        self._connection = connection
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closing = False
        self.beats = 0
        """Grows with every transaction tried, also with those that fail: a watchdog sees that the writer moves."""

    def put(self, step: Step[object], *, size: int = 0) -> None:
        """Queue a step; `size` is the number of bytes it keeps in memory until it is written."""
        self._append(_Waiting(step, size))

    async def ask(self, step: Step[_T]) -> _T:
        """Queue a step and return its result once the transaction it was in is committed."""
        result: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._append(_Waiting(step, 0, result))
        return await result

    async def wait_for_room(self) -> None:
        """Return when less is waiting than the limits of steps and bytes."""
        await self._room.wait()

    def close(self) -> None:
        """End `run` once everything that is queued has been written."""
        self._closing = True
        self._arrived.set()

    async def run(self) -> None:
        """Write until `close`. Raises when the file fails for good: the process must end, so that a restart looks at it."""
        while True:
            await self._arrived.wait()
            if len(self._waiting) < MAX_BATCH_STEPS and not self._closing:
                await asyncio.sleep(GATHER_S)
            batch = self._next_batch()
            if batch:
                results = await self._commit(batch)
                for waiting, result in zip(batch, results, strict=True):
                    if waiting.result is not None and not waiting.result.done():
                        waiting.result.set_result(result)
            elif self._closing:
                return
            else:
                self._arrived.clear()

    def _append(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self._waiting_bytes += waiting.size
        self._arrived.set()
        if len(self._waiting) >= MAX_WAITING_STEPS or self._waiting_bytes >= MAX_WAITING_BYTES:
            self._room.clear()

    def _next_batch(self) -> list[_Waiting]:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH_STEPS))]
        self._waiting_bytes -= sum(waiting.size for waiting in batch)
        if len(self._waiting) < MAX_WAITING_STEPS and self._waiting_bytes < MAX_WAITING_BYTES:
            self._room.set()
        return batch

    async def _commit(self, batch: list[_Waiting]) -> list[object]:
        steps = [waiting.step for waiting in batch]
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(_is_passing),
            wait=tenacity.wait_exponential(multiplier=0.1, max=2),
            before_sleep=_log_write_delayed,
        )
        results: list[object] = await retrying(self._try, steps)
        return results

    async def _try(self, steps: list[Step[Any]]) -> list[object]:
        try:
            return await self._connection.run(lambda connection: _in_transaction(connection, steps))
        finally:
            self.beats += 1


def _in_transaction(connection: sqlite3.Connection, steps: list[Step[Any]]) -> list[object]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        results = [step(connection) for step in steps]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite takes some failures back by itself
            connection.execute("ROLLBACK")
        raise
    return results


def _is_passing(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.Error) and code is not None and code & 0xFF in _PASSING


def _log_write_delayed(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    log.error("outbox.write_delayed", reason=str(error), tries=state.attempt_number)
