"""The row of a delivery: its columns, its attempts, and how it ends."""

import sqlite3
from datetime import timedelta

import pytest
from msgspec.structs import astuple

from forwarder.core.delivery import Delivery, DeliveryStatus, Trigger, new_delivery
from forwarder.core.ledger import SkipReason
from forwarder.outbox.sqlite.delivery_row import COLUMNS, DeliveryRow, delivery_of, new_row, row_on_disk, state_of
from forwarder.outbox.sqlite.statements import to_ms
from tests.support.outbox import BOT, EVENTS, NOW, attempt

EVENT = EVENTS[0]


def delivery(**fields: object) -> Delivery:
    values: dict[str, object] = {"event_seq": 1, "accepted_at": NOW, **fields}
    return new_delivery(EVENT, BOT, ("r", "é"), **values)  # type: ignore[arg-type] # each test names its own


def row_of(became: DeliveryStatus | SkipReason = DeliveryStatus.IN_FLIGHT, **fields: object) -> DeliveryRow:
    return new_row(delivery(**fields), became, now_ms=7)


def test_the_columns_are_those_of_the_table(connection: sqlite3.Connection) -> None:
    columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(deliveries)")]
    assert list(DeliveryRow.__struct_fields__[:COLUMNS]) == columns


@pytest.mark.parametrize(
    "given",
    [
        delivery(),
        delivery(order_key="x:1", trigger=Trigger.REPLAY),
        delivery(edits=4, is_recovered=True),
    ],
    ids=["plain", "in order", "an edit, recovered"],
)
def test_a_delivery_is_the_same_again_after_it_was_stored(given: Delivery) -> None:
    columns = astuple(new_row(given, DeliveryStatus.PENDING, now_ms=0))[:COLUMNS]
    row = row_on_disk(columns, is_recovered=given.is_recovered)
    assert delivery_of(row, EVENT.id, NOW, EVENT.body, source=EVENT.source) == given
    assert (row.is_on_disk, row.is_held) == (True, False)


def test_a_skipped_delivery_is_closed_and_no_lane_has_it() -> None:
    row = row_of(SkipReason.SAMPLED)
    assert (row.status, row.reason, row.closed_ms, row.is_held) == ("skipped", "sampled", 7, False)
    assert row_of(DeliveryStatus.IN_FLIGHT).is_held
    assert not row_of(DeliveryStatus.PENDING).is_held


def test_first_words_are_due_when_their_wait_is_over() -> None:
    until = NOW + timedelta(seconds=5)
    row = row_of(DeliveryStatus.PENDING, waits_until=until)
    assert (row.awaits_full, row.due_ms) == (1, to_ms(until))
    assert row_of(SkipReason.DISABLED, waits_until=until).awaits_full == 0


def test_the_attempt_before_the_last_one_moves_to_the_history() -> None:
    row = row_of()
    row.note(attempt(503))
    assert (row.http_status, row.reason, row.earlier) == (503, "HTTP 503: no", [])
    row.note(attempt(200, 2), is_delivered=True)
    assert (row.attempts, row.http_status, row.reason) == (2, 200, None)
    assert [tuple(values)[2:6] for values in row.earlier] == [(1, to_ms(NOW), 12.0, 503)]


def test_attempts_are_numbered_after_those_before_a_replay() -> None:
    row = row_of()
    row.earlier_attempts = 4
    row.note(attempt(503))
    row.note(attempt(503, 2))
    assert tuple(row.earlier[0])[2] == 5


def test_a_canary_that_is_given_up_is_skipped_and_no_dead_letter() -> None:
    row = row_of(trigger=Trigger.CANARY)
    row.note(attempt(400))
    row.end(DeliveryStatus.DEAD, reason="HTTP 400", at_ms=9)
    assert (row.status, row.reason, row.closed_ms) == ("skipped", SkipReason.MISSED_CANARY, 9)
    assert (row.started_ms, row.http_status, len(row.earlier)) == (None, None, 1)
    delivered = row_of(trigger=Trigger.CANARY)
    delivered.note(attempt(200))
    delivered.end(DeliveryStatus.DELIVERED, reason=None, at_ms=9)
    assert (delivered.status, delivered.http_status) == ("delivered", 200)


def test_a_reason_that_utf_8_cannot_hold_is_stored_without_the_mark() -> None:
    row = row_of()
    row.end(DeliveryStatus.DEAD, reason="no \ud800", at_ms=9)
    assert row.reason == "no ?"


@pytest.mark.parametrize(
    ("status", "is_open"), [("pending", True), ("in_flight", True), ("delivered", False), ("dead", False)]
)
def test_a_delivery_that_is_still_to_be_made_is_open(status: str, is_open: bool) -> None:
    state = state_of(status, to_ms(NOW), "m-1")
    assert (state.is_open, state.due_at, state.receipt) == (is_open, NOW, "m-1")
