"""The outbox in one SQLite file: the verbs of `core.ports.Outbox` as statements."""

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

from forwarder.core.delivery import (
    Answered,
    Attempt,
    Delivery,
    DeliveryId,
    DeliveryStatus,
    DestinationName,
)
from forwarder.core.event import Event, EventId
from forwarder.core.ports import Claim
from forwarder.outbox.connection import OutboxConnection, connection_to, locked
from forwarder.outbox.writer import Writer

MAX_EXPEDITED = 5
"""How often one delivery is brought forward because its destination answers again."""
_EXPEDITE_SLICE = 1_000
_PRUNE_SLICE = 200
_VACUUM_PAGES = 64


def _load_statements() -> dict[str, str]:
    text = files("forwarder.outbox").joinpath("statements.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


_SQL = _load_statements()


@asynccontextmanager
async def open_outbox(path: Path, *, durability: str = "full") -> AsyncIterator["SqliteOutbox"]:
    """Give the outbox at `path`; made where it is missing. On the way out everything queued is written first.

    Raises `OutboxUnusableError` when the file cannot be used, and whatever ended the writer when it failed later.
    """
    with locked(path):
        connection = connection_to(path, durability=durability)
        await connection.open()
        try:
            outbox = SqliteOutbox(connection)
            # Not in a task group: a group cancels its tasks when one of them fails, and the writer is never cancelled.
            writing = asyncio.create_task(outbox.writer.run(), name="outbox writer")
            outbox.writing = writing
            try:
                yield outbox
            finally:
                outbox.writer.close()
                await asyncio.shield(writing)
        finally:
            await connection.close()


class SqliteOutbox:
    """See `core.ports.Outbox` for the contract. Times on disk are whole Unix milliseconds."""

    writing: asyncio.Task[None]

    def __init__(self, connection: OutboxConnection) -> None:
        self.writer = Writer(connection)

    async def watch(self) -> None:
        """Return when the writer ends; raise what ended it. Cancelling this leaves the writer alone."""
        await asyncio.shield(self.writing)

    async def recover(self) -> dict[DestinationName, int]:
        """Make what an earlier process had in flight pending again; return how many deliveries wait, by destination."""

        def step(connection: sqlite3.Connection) -> dict[DestinationName, int]:
            connection.execute(_SQL["release_all"])
            return {DestinationName(name): count for name, count in connection.execute(_SQL["waiting"])}

        return await self.writer.ask(step)

    async def recent_events(self, *, since: datetime, limit: int) -> list[tuple[EventId, datetime]]:
        """Return the newest events accepted after `since`, newest first."""
        values = {"since_ms": _to_ms(since), "limit": limit}

        def step(connection: sqlite3.Connection) -> list[tuple[EventId, datetime]]:
            return [(EventId(id_), _from_ms(ms)) for id_, ms in connection.execute(_SQL["recent_events"], values)]

        return await self.writer.ask(step)

    async def wait_for_room(self) -> None:  # noqa: D102 - said by the Protocol, here and below
        await self.writer.wait_for_room()

    def enqueue(  # noqa: D102
        self, event: Event, in_flight: Sequence[Delivery], pending: Sequence[Delivery], *, now: datetime
    ) -> None:
        now_ms = _to_ms(now)
        event_row = {
            "id": event.id,
            "source": _storable(event.source),
            "mid": _storable(event.mid),
            "sid": _storable(event.sid),
            "timestamp_ms": event.timestamp,
            "accepted_ms": now_ms,
            "body": event.body,
        }
        rows = [
            {
                "id": delivery.id,
                "event_id": event.id,
                "destination": delivery.destination,
                "routes": json.dumps(delivery.routes),
                "status": status,
                "due_ms": now_ms,
            }
            for status, deliveries in ((DeliveryStatus.IN_FLIGHT, in_flight), (DeliveryStatus.PENDING, pending))
            for delivery in deliveries
        ]

        def step(connection: sqlite3.Connection) -> None:
            connection.execute(_SQL["insert_event"], event_row)
            connection.executemany(_SQL["insert_delivery"], rows)

        self.writer.put(step, size=len(event.body))

    async def claim(self, destination: DestinationName, *, now: datetime, limit: int) -> Claim:  # noqa: D102
        values = {"destination": destination, "now_ms": _to_ms(now), "limit": limit}

        def step(connection: sqlite3.Connection) -> Claim:
            seqs = [seq for (seq,) in connection.execute(_SQL["claim"], values)]
            deliveries = [
                _delivery(connection.execute(_SQL["claimed"], {"seq": seq}).fetchone()) for seq in sorted(seqs)
            ]
            (next_due_ms,) = connection.execute(_SQL["next_due"], values).fetchone()
            return Claim(deliveries=deliveries, next_due=None if next_due_ms is None else _from_ms(next_due_ms))

        return await self.writer.ask(step)

    def complete(self, delivery: Delivery, attempt: Attempt) -> None:  # noqa: D102
        self._close(delivery, attempt, DeliveryStatus.DELIVERED, reason=None)

    def bury(self, delivery: Delivery, attempt: Attempt, *, reason: str) -> None:  # noqa: D102
        self._close(delivery, attempt, DeliveryStatus.DEAD, reason=reason)

    def _close(self, delivery: Delivery, attempt: Attempt, status: DeliveryStatus, *, reason: str | None) -> None:
        row = _attempt_row(delivery, attempt) | {"closed_ms": _to_ms(attempt.started_at + attempt.duration)}
        closing = row | {"status": status, "reason": reason}

        def step(connection: sqlite3.Connection) -> None:
            connection.execute(_SQL["insert_attempt"], row)
            connection.execute(_SQL["close_delivery"], closing)

        self.writer.put(step)

    def reschedule(self, delivery: Delivery, attempt: Attempt, *, at: datetime) -> None:  # noqa: D102
        row = _attempt_row(delivery, attempt) | {"due_ms": _to_ms(at)}

        def step(connection: sqlite3.Connection) -> None:
            connection.execute(_SQL["insert_attempt"], row)
            connection.execute(_SQL["reschedule"], row)

        self.writer.put(step)

    def release(self, delivery: Delivery) -> None:  # noqa: D102
        values = {"id": delivery.id, "due_ms": _to_ms(delivery.accepted_at)}
        self.writer.put(lambda connection: connection.execute(_SQL["release"], values))

    async def expedite(  # noqa: D102
        self, destination: DestinationName, *, now: datetime, limit: int | None = None
    ) -> None:
        size = _EXPEDITE_SLICE if limit is None else limit
        values = {"destination": destination, "now_ms": _to_ms(now), "most": MAX_EXPEDITED, "limit": size}

        def step(connection: sqlite3.Connection) -> int:
            return connection.execute(_SQL["expedite"], values).rowcount

        # In slices, so that a great backlog does not hold up the commits of fresh events.
        while await self.writer.ask(step) == size and limit is None:
            pass

    async def prune(self, *, delivered_before: datetime, dead_before: datetime) -> int:
        """Delete events, with all that belongs to them, once every delivery is closed for long enough; return how many.

        Works through the old events in small slices, each a transaction of its own, and gives their pages back to the disk.
        """
        pruned, after = 0, 0
        while (slice_ := await self._prune_slice(after, delivered_before, dead_before)) is not None:
            after, count = slice_
            pruned += count
        return pruned

    async def _prune_slice(
        self, after_seq: int, delivered_before: datetime, dead_before: datetime
    ) -> tuple[int, int] | None:
        def step(connection: sqlite3.Connection) -> tuple[int, int] | None:
            oldest = {"after_seq": after_seq, "before_ms": _to_ms(delivered_before), "limit": _PRUNE_SLICE}
            seqs = [seq for (seq,) in connection.execute(_SQL["oldest_events"], oldest)]
            if not seqs:
                return None
            values = {"first_seq": seqs[0], "last_seq": seqs[-1], "dead_before_ms": _to_ms(dead_before)}
            count = connection.execute(_SQL["prune_events"], values).rowcount
            connection.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()
            return seqs[-1], count

        return await self.writer.ask(step)


def _attempt_row(delivery: Delivery, attempt: Attempt) -> dict[str, str | int | float | None]:
    row: dict[str, str | int | float | None] = {
        "id": delivery.id,
        "number": attempt.number,
        "started_ms": _to_ms(attempt.started_at),
        "duration_ms": round(attempt.duration / timedelta(milliseconds=1), 3),
        "status": None,
        "reason": None,
        "excerpt": None,
    }
    match attempt.outcome:
        case Answered(status=status, excerpt=excerpt):
            row |= {"status": status, "excerpt": excerpt}
    if not attempt.is_delivered:
        row["reason"] = _storable(attempt.outcome.reason)
    return row


def _delivery(row: tuple[str, str, str, str, int, int, bytes]) -> Delivery:
    id_, event_id, destination, routes, accepted_ms, attempts, body = row
    return Delivery(
        id=DeliveryId(id_),
        event_id=EventId(event_id),
        destination=DestinationName(destination),
        routes=tuple(json.loads(routes)),
        accepted_at=_from_ms(accepted_ms),
        attempts=attempts,
        body=body,
    )


def _storable(text: str) -> str:
    """Return the text without lone surrogates, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def _to_ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _from_ms(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
