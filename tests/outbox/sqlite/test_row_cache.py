"""Rows in memory: written once however often they change, and given to one lane."""

from pathlib import Path

from forwarder.core.delivery import DeliveryStatus, new_delivery
from forwarder.outbox.sqlite.delivery_row import DeliveryRow, new_row
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.row_cache import RowCache
from tests.support.outbox import BOT, EVENTS, NOW, attempt, audit, keep
from tests.support.process import look


def row_of(became: DeliveryStatus) -> DeliveryRow:
    delivery = new_delivery(EVENTS[0], BOT, ("r",), event_seq=1, accepted_at=NOW)
    return new_row(delivery, became, now_ms=0)


def test_a_row_is_kept_until_its_lane_and_the_disk_are_done_with_it() -> None:
    rows, row = RowCache(), row_of(DeliveryStatus.IN_FLIGHT)
    rows.add(row)
    assert rows.free(BOT) == []
    assert rows.collect() == [row]
    rows.written([row])
    assert rows.get(row.key) is row  # its lane has it
    rows.release(row)
    assert rows.get(row.key) is None
    rows.lease(row)
    assert rows.get(row.key) is row
    rows.change(row, keep=False)
    assert (rows.changed, rows.unwritten, rows.unwritten_on_disk) == (1, 1, 1)
    rows.written(rows.collect())
    assert (len(rows), rows.unwritten_on_disk) == (0, 0)


def test_a_row_that_is_replaced_is_free_for_no_lane() -> None:
    rows, row = RowCache(), row_of(DeliveryStatus.PENDING)
    rows.add(row)
    assert rows.free(BOT) == [row]
    assert rows.waiting_unwritten() == {BOT: [1]}
    assert rows.replace(row.key)
    assert rows.waiting_unwritten() == {}
    assert rows.free(BOT) == []
    assert row.key in rows
    rows.forget_replaced(row.key)
    assert rows.free(BOT) == [row]
    rows.lease(row)
    assert not rows.replace(row.key)


async def test_what_ends_before_its_commit_is_written_once_and_what_ends_later_too(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        soon = keep(outbox, 0)
        outbox.complete(soon, attempt(200))
        late = keep(outbox, 1)
        await outbox.settle()
        commits = outbox._writer.commits
        outbox.reschedule(late, attempt(503), at=NOW, keep=True)
        outbox.reschedule(late, attempt(502, 2), at=NOW, keep=True)
        outbox.complete(late, attempt(200, 3))
        await outbox.settle()
        assert outbox._writer.commits == commits + 1
        assert outbox._writer.commit_lag.count == 2
    assert look(path, "SELECT status, attempts, http_status FROM deliveries ORDER BY event_seq") == [
        ("delivered", 1, 200),
        ("delivered", 3, 200),
    ]
    assert look(path, "SELECT event_seq, number, http_status FROM attempts") == [(2, 1, 503), (2, 2, 502)]
    assert audit(path).is_balanced
