"""The outcomes of deliveries that a lane has: each outcome changes the row in memory, and the writer stores it."""

from datetime import datetime

from forwarder.core.delivery import Attempt, Delivery, DeliveryStatus, DestinationName
from forwarder.outbox.sqlite.row_cache import RowCache
from forwarder.outbox.sqlite.statements import MAX_EXPEDITED, SQL, storable, to_ms
from forwarder.outbox.sqlite.write_queue import WriteQueue

_EXPEDITE_SLICE = 1_000


class Outcomes:
    """Records outcomes; see `core.ports.Outbox` for the verbs."""

    def __init__(self, queue: WriteQueue, rows: RowCache) -> None:
        self._queue = queue
        self._rows = rows

    def close(
        self, delivery: Delivery, attempt: Attempt, status: DeliveryStatus, *, reason: str | None, receipt: str | None
    ) -> None:
        """End a delivery with this attempt: as delivered, or as dead."""
        row = self._rows.of(delivery)
        if receipt is not None:  # a replay then makes a message of its own
            row.receipt, row.edits = storable(receipt), None
        row.note(attempt, is_delivered=status is DeliveryStatus.DELIVERED)
        row.end(status, reason=reason, at_ms=to_ms(attempt.started_at + attempt.duration))
        self._rows.change(row, keep=False)
        self._queue.wake()

    def expire(self, delivery: Delivery, attempt: Attempt | None, *, reason: str, now: datetime) -> None:
        row = self._rows.of(delivery)
        if attempt is not None:
            row.note(attempt)
        row.end(DeliveryStatus.EXPIRED, reason=reason, at_ms=to_ms(now))
        self._rows.change(row, keep=False)
        self._queue.wake()

    def postpone(self, delivery: Delivery, *, at: datetime | None, reason: str, keep: bool) -> None:
        row = self._rows.of(delivery)
        row.status = str(DeliveryStatus.PENDING)
        if row.started_ms is None:  # otherwise the reason is that of a counted attempt
            row.reason = storable(reason)
        if at is not None:
            row.due_ms = to_ms(at)
        self._rows.change(row, keep=keep)
        self._queue.wake()

    def reschedule(self, delivery: Delivery, attempt: Attempt, *, at: datetime, keep: bool, is_refusal: bool) -> None:
        row = self._rows.of(delivery)
        row.note(attempt)
        row.refusals += is_refusal
        row.status = str(DeliveryStatus.PENDING)
        row.due_ms = to_ms(at)
        self._rows.change(row, keep=keep)
        self._queue.wake()

    def release(self, delivery: Delivery) -> None:
        row = self._rows.of(delivery)
        if row.status == DeliveryStatus.IN_FLIGHT:
            row.status = str(DeliveryStatus.PENDING)
            self._rows.change(row, keep=False)
            self._queue.wake()
        else:
            self._rows.release(row)

    async def expedite(self, destination: DestinationName, *, now: datetime, offset_ms: int) -> None:
        """See `core.ports.Outbox.expedite`; `offset_ms` is how far the wall clock is ahead of the steady clock."""
        values = {
            "destination": destination,
            "now_ms": to_ms(now),
            "offset_ms": offset_ms,
            "most": MAX_EXPEDITED,
            "limit": _EXPEDITE_SLICE,
        }
        await self._queue.ask(lambda connection: connection.execute(SQL["expedite_in_order"], values), apart=True)
        # In slices, so that a large backlog does not hold up the commits of fresh events.
        while await self._queue.ask(
            lambda connection: connection.execute(SQL["expedite"], values).rowcount, apart=True
        ):
            pass

    def expedite_held(self, delivery: Delivery) -> bool:
        row = self._rows.of(delivery)
        if row.expedited >= MAX_EXPEDITED:
            return False
        row.expedited += 1
        row.due_ms = to_ms(delivery.accepted_at)
        self._rows.change(row, keep=True)
        self._queue.wake()
        return True
