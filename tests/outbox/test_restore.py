"""What is remembered over a start: also where the clock was set back in between."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forwarder.core.event import Event, decode_event
from forwarder.core.ledger import LedgerEntry
from forwarder.outbox.restore import recent_events
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.streams import numbered

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
WINDOW = timedelta(minutes=30)


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[SqliteOutbox]:
    async with open_outbox(FileSettings(path=tmp_path / "outbox.db")) as opened:
        yield opened


def events() -> list[Event]:
    return [decode_event(frame.encode()) for frame in numbered(5)]


async def accept(outbox: SqliteOutbox, event: Event, at: datetime) -> None:
    outbox.enqueue(event, outbox.new_seq(), {}, entry=LedgerEntry.UNMATCHED, now=at, read_at=0)
    await outbox.settle()


async def test_after_the_clock_was_set_back_what_came_before_is_still_known(outbox: SqliteOutbox) -> None:
    long_ago, before, ahead, further_ahead, new = events()
    await accept(outbox, long_ago, NOW - timedelta(hours=1))
    await accept(outbox, ahead, NOW + timedelta(hours=2))
    await accept(outbox, further_ahead, NOW + timedelta(days=400))
    await accept(outbox, before, NOW - timedelta(minutes=1))
    recent = await recent_events(outbox, WINDOW, lambda: NOW)
    assert not recent.is_new(ahead.id, now=NOW)
    assert not recent.is_new(further_ahead.id, now=NOW)
    assert not recent.is_new(before.id, now=NOW)
    assert recent.is_new(long_ago.id, now=NOW)
    assert recent.is_new(new.id, now=NOW)
    later = NOW + WINDOW + WINDOW / 8 + timedelta(seconds=1)
    assert recent.is_new(ahead.id, now=later)  # and is forgotten in its time
