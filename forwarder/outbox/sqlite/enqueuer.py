"""How an event comes into the outbox: its rows are made, the ledger counts it, and the writer stores it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import inf

import structlog

from forwarder.core.capacity import KEPT_CHARACTERS, NOT_KEPT, can_never_fit, least_suspect, row_bytes
from forwarder.core.delivery import Delivery, DeliveryStatus
from forwarder.core.event import Event
from forwarder.core.ledger import LedgerEntry, SkipReason
from forwarder.core.monitoring.attempt_log import author_of
from forwarder.outbox.sqlite.delivery_row import DeliveryRow, new_row
from forwarder.outbox.sqlite.row_cache import RowCache
from forwarder.outbox.sqlite.statements import storable, to_ms
from forwarder.outbox.sqlite.write_queue import WriteQueue

log = structlog.get_logger(__name__)

Deliveries = Mapping[DeliveryStatus | SkipReason, Sequence[Delivery]]


class Enqueuer:
    """Puts new events with their deliveries into the cache and the queue."""

    def __init__(self, queue: WriteQueue, rows: RowCache, max_size: int | None) -> None:
        """`max_size` is the largest size of the file in bytes."""
        self._queue = queue
        self._rows = rows
        self._max_size = max_size
        self._least_suspect = inf if max_size is None else least_suspect(max_size)

    def count_duplicate(self, *, now: datetime) -> None:
        """Count an event that came before, and is not kept again."""
        counts = self._queue.counts_of(to_ms(now) // 60_000)
        counts.seen += 1
        counts.duplicate += 1
        self._queue.wake()

    def add(
        self, event: Event, event_seq: int, deliveries: Deliveries, *, entry: LedgerEntry, now: datetime, read_at: float
    ) -> None:
        """Queue the event with its deliveries; see `core.ports.Outbox.enqueue`."""
        now_ms = to_ms(now)
        source, mid, sid, body = event.source, event.mid, event.sid, event.body
        size = len(body)
        is_kept = size < self._least_suspect or self._has_room_for(event, deliveries)
        if not is_kept:
            source, mid, sid = source[:KEPT_CHARACTERS], mid[:KEPT_CHARACTERS], sid[:KEPT_CHARACTERS]
            body, size = b"", 0
        planned = 0
        for became, those in deliveries.items():
            for delivery in those:
                planned += 1
                row = new_row(delivery, became, now_ms=now_ms)
                if not is_kept:
                    _drop_body_of(row, now_ms=now_ms)
                self._rows.add(row)
        counts = self._queue.counts_of(now_ms // 60_000)
        counts.seen += entry is not LedgerEntry.OWN
        counts.matched += entry is LedgerEntry.MATCHED
        counts.unmatched += entry is LedgerEntry.UNMATCHED
        counts.own += entry is LedgerEntry.OWN
        counts.planned += planned
        if not f"{source}{mid}{sid}".isascii():
            source, mid, sid = storable(source), storable(mid), storable(sid)
        row_of_event = event_seq, event.id, source, mid, sid, event.timestamp, now_ms, planned, body
        self._queue.add_event(row_of_event, size=size, planned=planned, read_at=read_at)

    def _has_room_for(self, event: Event, deliveries: Deliveries) -> bool:
        """Return whether the file can ever hold the event. One that never fits would keep all events after it from being written."""
        most = self._max_size
        keys = (delivery.order_key for those in deliveries.values() for delivery in those)
        size = row_bytes(event.body, (event.source, event.mid, event.sid), keys)
        if not can_never_fit(size, most):
            return True
        log.error(
            "outbox.event_too_large",
            event_id=event.id,
            **author_of(event.body),
            size=size,
            max_size=most,
            note="its text is not kept: it can be delivered as long as it is in memory, and is a dead letter else",
        )
        return False


def _drop_body_of(row: DeliveryRow, *, now_ms: int) -> None:
    """Make a delivery whose event is not kept a dead letter, unless a lane has it or it is skipped anyway."""
    if row.order_key is not None:
        row.order_key = row.order_key[:KEPT_CHARACTERS]
    if row.status == DeliveryStatus.PENDING:
        row.end(DeliveryStatus.DEAD, reason=NOT_KEPT, at_ms=now_ms)
