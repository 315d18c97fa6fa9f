"""Events and attempts to put into an outbox."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from forwarder.core.delivery import Answered, Attempt, Delivery, DeliveryStatus, DestinationName, WaitsFor, new_delivery
from forwarder.core.event import Event, decode_event
from forwarder.core.gaps.gap import GapId
from forwarder.core.ledger import Audit, LedgerEntry, SkipReason
from forwarder.core.ports import Outbox
from forwarder.emulator.script import packaged_events
from tests.support.process import look

BOT = DestinationName("bot")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVENTS = [decode_event(frame) for frame in dict.fromkeys(packaged_events())]


def keep(
    outbox: Outbox,
    number: int,
    status: DeliveryStatus | SkipReason = DeliveryStatus.IN_FLIGHT,
    *,
    at: datetime = NOW,
    order_key: str | None = None,
    waits_until: datetime | None = None,
    waits_for: WaitsFor = WaitsFor.FULL_TEXT,
    is_high: bool = False,
    gap: GapId | None = None,
) -> Delivery:
    """Enqueue one event with one delivery."""
    event = EVENTS[number % len(EVENTS)]
    seq = outbox.new_seq()
    delivery = new_delivery(
        event,
        BOT,
        ("r",),
        event_seq=seq,
        accepted_at=at,
        order_key=order_key,
        waits_until=waits_until,
        waits_for=waits_for,
        is_high=is_high,
        is_recovered=gap is not None,
    )
    outbox.enqueue(event, seq, {status: [delivery]}, entry=LedgerEntry.MATCHED, now=at, read_at=monotonic(), gap=gap)
    return delivery


def keep_unmatched(outbox: Outbox, number: int, *, at: datetime = NOW) -> None:
    """Enqueue one event that no route wanted."""
    event = EVENTS[number % len(EVENTS)]
    outbox.enqueue(event, outbox.new_seq(), {}, entry=LedgerEntry.UNMATCHED, now=at, read_at=monotonic())


def keep_large(outbox: Outbox, *, values: int) -> Event:
    """Enqueue one event with so many small values that no route wanted; return it."""
    payload = {"text": "the large one", "author": {"screen_name": "whale"}, "link": "https://example.com/large"}
    frame = {"source": "x", "mid": "7", "sid": "8", "timestamp": 1767225600000, "payload": payload}
    event = decode_event(json.dumps(frame | {"payload": payload | {"values": [{"a": "b"}] * values}}).encode())
    outbox.enqueue(event, outbox.new_seq(), {}, entry=LedgerEntry.UNMATCHED, now=NOW, read_at=monotonic())
    return event


def attempt(status: int, number: int = 1) -> Attempt:
    """Return an attempt that was answered."""
    return Attempt(
        number=number,
        started_at=NOW,
        duration=timedelta(milliseconds=12),
        outcome=Answered(status=status, excerpt="no"),
    )


def audit(path: Path) -> Audit:
    """Read the audit of a file."""
    cause = "iif(status = 'skipped', reason, status)"
    ((incomplete,),) = look(
        path,
        "SELECT count(*) FROM events WHERE planned != (SELECT count(*) FROM deliveries WHERE event_seq = seq)",
    )
    return Audit(
        entries=dict(look(path, "SELECT entry, sum(count) FROM books GROUP BY entry")),
        events=look(path, "SELECT count(*) FROM events")[0][0],
        deliveries=dict(look(path, f"SELECT {cause}, count(*) FROM deliveries GROUP BY 1")),  # noqa: S608 - our own words
        incomplete_events=incomplete,
    )
