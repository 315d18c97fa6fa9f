"""Events come in: their rows, the ledger, and events that are larger than the file may ever be."""

import json
import sqlite3
from pathlib import Path
from time import monotonic

import pytest

from forwarder.core.capacity import NOT_KEPT, largest_event
from forwarder.core.delivery import Delivery, DeliveryStatus, new_delivery
from forwarder.core.destinations.content import CannotFormatError
from forwarder.core.destinations.request import Renderer
from forwarder.core.dispatch.retry import NAMED_POLICIES
from forwarder.core.event import Event, decode_event
from forwarder.core.ledger import LedgerEntry, SkipReason
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.outbox import BOT, NOW, attempt, audit, keep
from tests.support.process import look

MIB = 1024 * 1024


def event_of(size: int, *, key: str = "text") -> Event:
    """An event of `size` bytes, most of which are in one of its fields."""
    value: dict[str, object] = {"source": "x", "mid": "1", "sid": "1", "timestamp": 1, "payload": {"text": ""}}
    left = "y" * (size - len(json.dumps(value)))
    value |= {"payload": {"text": left}} if key == "text" else {key: left}
    return decode_event(json.dumps(value).encode())


def bring(
    outbox: SqliteOutbox, event: Event, became: DeliveryStatus | SkipReason, *, order_key: str | None = None
) -> Delivery:
    seq = outbox.new_seq()
    delivery = new_delivery(event, BOT, ("r",), event_seq=seq, accepted_at=NOW, order_key=order_key)
    outbox.enqueue(event, seq, {became: [delivery]}, entry=LedgerEntry.MATCHED, now=NOW, read_at=monotonic())
    return delivery


async def test_what_is_not_accounted_for_is_reported_line_by_line(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0)
        keep(outbox, 1)
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM deliveries WHERE event_seq = 1")
    connection.commit()
    connection.close()
    assert [(finding.what.split(" ")[0], finding.remainder) for finding in audit(path).findings] == [
        ("deliveries", 1),
        ("every", -1),
    ]


@pytest.mark.parametrize("max_mib", [1, 3, 16])
@pytest.mark.parametrize("key", ["text", "mid", "sid", "source"])
async def test_what_is_said_to_fit_does_fit_into_an_outbox_of_that_size(path: Path, max_mib: int, key: str) -> None:
    """With others before and behind it in the batch."""
    largest = largest_event(max_mib * MIB)
    size = largest if key == "text" else largest // 4
    async with open_outbox(FileSettings(path=path, max_size=max_mib * MIB)) as outbox:
        for number in range(20):
            keep(outbox, number)
        big = bring(outbox, event_of(size - 64, key=key), DeliveryStatus.IN_FLIGHT, order_key=None)
        for number in range(20):
            keep(outbox, number)
        assert await outbox.settle()
        outbox.complete(big, attempt(200))
        assert await outbox.settle()
    assert look(path, "SELECT max(length(body)) FROM events") == [(len(big.body),)]
    assert path.stat().st_size <= max_mib * MIB
    assert audit(path).is_balanced


@pytest.mark.parametrize("key", ["text", "mid", "sid", "source"])
@pytest.mark.parametrize("status", [DeliveryStatus.PENDING, DeliveryStatus.IN_FLIGHT, SkipReason.SAMPLED])
async def test_what_never_fits_is_set_aside_and_the_rest_is_written(
    path: Path, key: str, status: DeliveryStatus | SkipReason
) -> None:
    event = event_of(2 * MIB, key=key)
    async with open_outbox(FileSettings(path=path, max_size=MIB)) as outbox:
        before = [keep(outbox, number) for number in range(5)]
        big = bring(outbox, event, status, order_key=event.sid)
        behind = [keep(outbox, number) for number in range(500)]
        assert await outbox.settle()
        assert outbox._queue.trouble is None
        if status is DeliveryStatus.IN_FLIGHT:  # the lane has it in memory, and gives up
            outbox.bury(big, attempt(503), reason="no")
        for delivery in (*before, *behind):
            outbox.complete(delivery, attempt(200))
        assert await outbox.settle()
    counts = dict(look(path, "SELECT status, count(*) FROM deliveries GROUP BY status"))
    ended = "skipped" if isinstance(status, SkipReason) else "dead"
    assert counts == {"delivered": 505, ended: 1}
    (reason,) = look(path, f"SELECT reason FROM deliveries WHERE status = '{ended}'")[0]  # noqa: S608 - our own word
    assert reason == {"pending": NOT_KEPT, "in_flight": "no", "sampled": "sampled"}[status]
    assert path.stat().st_size <= MIB
    assert audit(path).is_balanced


async def test_a_delivery_that_is_in_memory_is_made_and_ends_as_any_other(path: Path) -> None:
    async with open_outbox(FileSettings(path=path, max_size=MIB)) as outbox:
        big = bring(outbox, event_of(MIB), DeliveryStatus.IN_FLIGHT)
        assert len(big.body) == MIB
        outbox.complete(big, attempt(200))
    assert look(path, "SELECT status, length(body) FROM deliveries JOIN events ON seq = event_seq") == [
        ("delivered", 0)
    ]
    assert audit(path).is_balanced


async def test_what_was_not_kept_is_never_sent_without_its_text(path: Path) -> None:
    """A kill between the event and its outcome, or a replay: the lane claims it, and gives it up with the reason."""
    async with open_outbox(FileSettings(path=path, max_size=MIB)) as outbox:
        outbox.release(bring(outbox, event_of(MIB), DeliveryStatus.IN_FLIGHT))
        (delivery,) = (await outbox.claim(BOT, now=NOW, limit=1)).deliveries
        assert delivery.body == b""
        renderer = Renderer(headers={}, signing=None, policy=NAMED_POLICIES["live"])
        with pytest.raises(CannotFormatError, match=NOT_KEPT):
            renderer.render(delivery, now=NOW)
        outbox.bury(delivery, attempt(503), reason=NOT_KEPT)
    assert audit(path).is_balanced
