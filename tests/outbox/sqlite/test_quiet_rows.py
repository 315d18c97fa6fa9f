"""What quiet hours keep, in the file: the digest reads it, an edit changes its end, and no lane takes it before."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from forwarder.core.commands import Resend
from forwarder.core.delivery import DIGEST_KEY, DeliveryStatus, WaitsFor
from forwarder.core.dispatch.ordering import Order
from forwarder.core.ledger import SkipReason
from forwarder.core.ports import FallbackSlice
from forwarder.core.routing.quiet import Kept, Then
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from forwarder.outbox.sqlite.statements import to_ms
from tests.support.outbox import BOT, EVENTS, NOW, audit, keep
from tests.support.process import look

HOUR = timedelta(hours=1)
END = NOW + 8 * HOUR


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
async def outbox(path: Path) -> AsyncIterator[SqliteOutbox]:
    async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
        yield outbox


def kept(outbox: SqliteOutbox, number: int, waits_for: WaitsFor) -> int:
    key = DIGEST_KEY if waits_for is WaitsFor.DIGEST else None
    return keep(outbox, number, DeliveryStatus.PENDING, waits_until=END, waits_for=waits_for, order_key=key).event_seq


async def claimed(outbox: SqliteOutbox, at: datetime, *, is_early: bool = False) -> list[int]:
    claim = await outbox.claim(BOT, now=at, limit=10, is_early=is_early)
    return [delivery.event_seq for delivery in claim.deliveries]


async def test_no_lane_takes_what_is_kept_before_its_time_or_for_a_digest(outbox: SqliteOutbox) -> None:
    each, listed = kept(outbox, 0, WaitsFor.QUIET_END), kept(outbox, 1, WaitsFor.DIGEST)
    for order in Order:
        assert await outbox.put_in_order(BOT, order) == []
    await outbox.expedite(BOT, now=NOW + HOUR)
    assert await claimed(outbox, NOW + HOUR, is_early=True) == []
    assert [row.event_seq for row in await outbox.kept_for_digest(BOT, now=END - HOUR, limit=10)] == []
    assert [row.event_seq for row in await outbox.kept_for_digest(BOT, now=END, limit=10)] == [listed]
    assert await claimed(outbox, END + HOUR) == [each]


async def test_what_is_kept_takes_its_place_in_the_order_when_it_is_due(outbox: SqliteOutbox) -> None:
    kept(outbox, 0, WaitsFor.QUIET_END)
    claim = await outbox.claim(BOT, now=END, limit=10, order=Order.STRICT)
    assert [delivery.order_key for delivery in claim.deliveries] == ["*"]


async def test_what_is_in_a_digest_is_skipped_and_accounted_for(path: Path) -> None:
    async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
        numbers = [kept(outbox, number, WaitsFor.DIGEST) for number in range(3)]
        rows = await outbox.kept_for_digest(BOT, now=END, limit=2)
        assert [row.event_seq for row in rows] == numbers[:2]
        assert rows[0].accepted_at == NOW
        assert rows[0].post == ("x", EVENTS[0].sid, EVENTS[0].mid)
        for row in rows:
            assert outbox.replace(BOT, row.event_seq, now=END, cause=SkipReason.DIGESTED)
        assert [row.event_seq for row in await outbox.kept_for_digest(BOT, now=END, limit=2)] == numbers[2:]
    async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
        await outbox.recover()
        assert [row.event_seq for row in await outbox.kept_for_digest(BOT, now=END, limit=2)] == numbers[2:]
    found = audit(path)
    assert found.is_balanced
    assert found.ended_as(SkipReason.DIGESTED) == 2


async def test_an_edit_gives_what_is_kept_another_end(outbox: SqliteOutbox, path: Path) -> None:
    each, listed = kept(outbox, 0, WaitsFor.QUIET_END), kept(outbox, 1, WaitsFor.DIGEST)
    full = keep(outbox, 2, DeliveryStatus.PENDING, waits_until=END).event_seq
    states = "SELECT event_seq, due_ms, awaits_full, order_key FROM deliveries ORDER BY 1"
    later = Kept(END + HOUR, Then.DIGEST)
    assert await outbox.keep_again(BOT, lambda _routes: later, now=NOW) == 2
    assert look(path, states) == [
        (each, to_ms(END + HOUR), 3, DIGEST_KEY),
        (listed, to_ms(END + HOUR), 3, DIGEST_KEY),
        (full, to_ms(END), 1, None),
    ]
    assert await outbox.keep_again(BOT, lambda _routes: later, now=NOW) == 0
    assert await outbox.keep_again(BOT, lambda routes: None if routes == ("r",) else later, now=NOW) == 2
    assert look(path, states) == [
        (each, to_ms(NOW), 2, None),
        (listed, to_ms(NOW), 2, None),
        (full, to_ms(END), 1, None),
    ]
    assert await outbox.keep_again(BOT, lambda _routes: later, now=NOW) == 0  # they are being sent
    assert await claimed(outbox, NOW) == [each, listed]


async def test_a_fallback_does_not_get_what_is_kept(outbox: SqliteOutbox) -> None:
    kept(outbox, 0, WaitsFor.QUIET_END)
    kept(outbox, 1, WaitsFor.DIGEST)
    late = keep(outbox, 2, DeliveryStatus.PENDING).event_seq
    asked = FallbackSlice(of=BOT, to="other", before=NOW + HOUR, now=NOW + HOUR, after_seq=0)
    done = await outbox.fall_back(asked)
    assert (done.changed, done.last_seq) == (1, late)


async def test_a_person_has_one_sent_at_once(outbox: SqliteOutbox) -> None:
    each, listed, full = (
        kept(outbox, 0, WaitsFor.QUIET_END),
        kept(outbox, 1, WaitsFor.DIGEST),
        keep(outbox, 2, DeliveryStatus.PENDING, waits_until=END).event_seq,
    )
    asked = Resend(keys=tuple((seq, str(BOT)) for seq in (each, listed, full)), now_ms=to_ms(NOW))
    done = await outbox.change(asked)
    assert (done.changed, done.left_alone) == (2, 1)
    assert await claimed(outbox, NOW) == [each, listed]
    assert await outbox.kept_for_digest(BOT, now=END, limit=10) == []
