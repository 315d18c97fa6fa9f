"""How rows of the file look to a script."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from forwarder.core.delivery import DeliveryStatus
from forwarder.core.event import decode_event
from forwarder.core.gaps.gap import Gap, GapId, Repair
from forwarder.core.history import AWAITS_FULL, Query, Record
from forwarder.core.ledger import LedgerEntry, SkipReason
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.history.queries import open_history
from forwarder.outbox.sqlite.history.records import gap_record, text_of
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.outbox import NOW, attempt, keep

NOW_TEXT = "2026-01-01T00:00:00.000+00:00"


def deliveries(path: Path) -> list[Record]:
    """Return the records of all deliveries, oldest event first."""
    with open_history(path) as history:
        return list(history.deliveries(Query()))[::-1]


async def test_only_a_delivery_that_is_still_to_be_made_is_due(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    async with open_outbox(FileSettings(path=path)) as outbox:
        keep(outbox, 0, DeliveryStatus.PENDING)
        keep(outbox, 1)
        outbox.complete(keep(outbox, 2), attempt(200))
        keep(outbox, 3, SkipReason.SAMPLED)
    found = deliveries(path)
    assert [each["due_at"] for each in found] == [NOW_TEXT, NOW_TEXT, None, None]
    assert [each["closed_at"] is not None for each in found] == [False, False, True, True]
    assert [each["reason"] for each in found] == [None, None, None, "sampled"]
    assert all(json.loads(json.dumps(each)) == each for each in found)


@pytest.mark.parametrize(("hours", "reason"), [(1, AWAITS_FULL), (-1, None)])
async def test_first_words_wait_for_the_full_text_until_they_are_due(
    tmp_path: Path, hours: int, reason: str | None
) -> None:
    path = tmp_path / "outbox.db"
    async with open_outbox(FileSettings(path=path)) as outbox:
        until = datetime.now(UTC) + timedelta(hours=hours)
        keep(outbox, 0, DeliveryStatus.PENDING, waits_until=until)
    (found,) = deliveries(path)
    assert found["reason"] == reason


async def test_the_attempts_before_a_replay_are_counted_and_listed(outbox: SqliteOutbox, path: Path) -> None:
    delivery = keep(outbox, 0)
    outbox.reschedule(delivery, attempt(503), at=NOW, keep=True)
    outbox.bury(delivery, attempt(400, 2), reason="HTTP 400: no")
    await outbox.settle()
    with open_history(path) as history:
        (found,) = history.find_deliveries(delivery.id)
    assert found["attempts_made"] == 2
    assert found["attempts"] == [
        {
            "number": number,
            "started_at": NOW_TEXT,
            "duration_ms": 12.0,
            "http_status": status,
            "reason": reason,
            "excerpt": "no",
        }
        for number, status, reason in ((1, 503, "HTTP 503: no"), (2, 400, "HTTP 400: no"))
    ]


async def test_a_body_that_is_not_utf_8_is_written_out_as_it_came(outbox: SqliteOutbox, path: Path) -> None:
    event = decode_event(b'{"mid":"1","sid":"1","source":"x","timestamp":1,"payload":{"text":"\xc3\xa9"}}')
    outbox.enqueue(event, outbox.new_seq(), {}, entry=LedgerEntry.UNMATCHED, now=NOW, read_at=monotonic())
    await outbox.settle()
    await outbox._database.run(
        lambda connection: connection.execute("UPDATE events SET body = ?", (b'{"text":"\xff"}',)).rowcount
    )
    with open_history(path) as history:
        (found,) = history.events(Query())
    assert found["body"].encode("utf-8", "surrogateescape") == b'{"text":"\xff"}'
    assert (found["recovered"], found["gap_id"], found["deliveries"]) == (False, None, [])


def test_a_gap_that_lasts_has_no_end_and_no_length() -> None:
    gap = Gap(id=GapId(1), stream="main", began=NOW, noticed=NOW + timedelta(seconds=1), reason="reset")
    lasts = gap_record(gap)
    assert (lasts["ended_at"], lasts["length_s"], lasts["covered"], lasts["repair"]) == (None, None, False, "off")
    ended = Gap(
        id=GapId(1),
        stream="main",
        began=NOW,
        noticed=NOW,
        ended=NOW + timedelta(seconds=2.53),
        reason="reset",
        repair=Repair.NOT_NEEDED,
    )
    assert gap_record(ended)["length_s"] == 2.53
    assert gap_record(ended)["began_at"] == NOW_TEXT


def test_a_time_is_iso_8601_to_the_millisecond() -> None:
    assert text_of(1_767_225_600_007) == "2026-01-01T00:00:00.007+00:00"
    assert text_of(None) is None
