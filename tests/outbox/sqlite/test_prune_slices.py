"""What one slice of pruning deletes, and where the next one begins."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.core.delivery import DeliveryStatus
from forwarder.outbox.sqlite.access import writing
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.prune_slices import (
    ANY_CLOSED,
    ANY_DELIVERED,
    Cutoff,
    delete_events,
    delivered_before,
    prune_slice,
)
from forwarder.outbox.sqlite.transactions import transaction
from tests.support.outbox import NOW, attempt, audit, keep, keep_unmatched


@pytest.fixture
async def filled(path: Path) -> Path:
    """Return an outbox with five events: delivered, dead, pending, unmatched, delivered; one a minute."""
    minute = timedelta(minutes=1)
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.complete(keep(outbox, 0), attempt(200))
        outbox.bury(keep(outbox, 1, at=NOW + minute), attempt(400), reason="r")
        keep(outbox, 2, DeliveryStatus.PENDING, at=NOW + 2 * minute)
        keep_unmatched(outbox, 3, at=NOW + 3 * minute)
        outbox.complete(keep(outbox, 4, at=NOW + 4 * minute), attempt(200))
    return path


def prune(connection: sqlite3.Connection, cutoff: Cutoff, *, limit: int = 100) -> list[tuple[int, int, bool]]:
    """Prune slice by slice; return the last number, the count and whether it was the last, of each."""
    slices: list[tuple[int, int, bool]] = []
    after = 0
    while not slices or not slices[-1][2]:
        with transaction(connection):
            done = prune_slice(connection, cutoff, after_seq=after, limit=limit)
        slices.append((done.last_seq, done.pruned, done.is_last))
        after = done.last_seq
    return slices


@pytest.mark.parametrize(
    ("cutoff", "left"),
    [
        (ANY_DELIVERED, [2, 3]),
        (ANY_CLOSED, [3]),
        (delivered_before(NOW + timedelta(minutes=4)), [2, 3, 5]),
        (delivered_before(NOW), [1, 2, 3, 4, 5]),
    ],
    ids=["any delivered", "any closed", "delivered before", "none"],
)
def test_closed_events_go_and_what_waits_stays(filled: Path, cutoff: Cutoff, left: list[int]) -> None:
    with writing(filled) as connection:
        prune(connection, cutoff)
        assert [seq for (seq,) in connection.execute("SELECT seq FROM events ORDER BY seq")] == left
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert audit(filled).is_balanced


def test_the_next_slice_goes_on_after_the_last_event_that_was_looked_at(filled: Path) -> None:
    with writing(filled) as connection:
        assert prune(connection, ANY_DELIVERED, limit=2) == [(2, 1, False), (4, 1, False), (5, 1, True)]
    assert audit(filled).is_balanced


def test_what_the_ledger_has_counted_as_pruned_is_not_counted_again(filled: Path) -> None:
    pruned = "SELECT coalesce(sum(count), 0) FROM books WHERE entry = 'pruned event'"
    with writing(filled) as connection:
        with transaction(connection):
            delete_events(connection, [1], is_noted=True)
            delete_events(connection, [])
        assert connection.execute(pruned).fetchone() == (0,)
        with transaction(connection):
            delete_events(connection, [4])
        assert connection.execute(pruned).fetchone() == (1,)
