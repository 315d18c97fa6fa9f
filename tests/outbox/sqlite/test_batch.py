"""One transaction: everything in it is written, or nothing."""

import asyncio
import sqlite3

import pytest

from forwarder.core.delivery import DeliveryStatus, DestinationName, new_delivery
from forwarder.outbox.sqlite import batch as batch_module
from forwarder.outbox.sqlite.batch import Batch, answer
from forwarder.outbox.sqlite.delivery_row import DeliveryRow, new_row
from tests.support.outbox import BOT, EVENTS, NOW, attempt


def row_of(seq: int, became: DeliveryStatus = DeliveryStatus.PENDING, *, to: str = BOT) -> DeliveryRow:
    delivery = new_delivery(EVENTS[0], DestinationName(to), (), event_seq=seq, accepted_at=NOW)
    return new_row(delivery, became, now_ms=0)


def batch_of(count: int) -> Batch:
    """Return a batch of so many events, each with a delivery."""
    batch = Batch()
    for seq in range(1, count + 1):
        batch.add_event((seq, f"{seq:032x}", "x", str(seq), "1", 1, 0, 1, b"{}"), size=2, planned=1, read_at=0)
    batch.add_rows([row_of(seq) for seq in range(1, count + 1)])
    batch.ledger[5].seen = count
    return batch


def counts(connection: sqlite3.Connection) -> tuple[int, int, int]:
    (found,) = connection.execute(
        "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM deliveries), (SELECT count(*) FROM attempts)"
    ).fetchall()
    return (int(found[0]), int(found[1]), int(found[2]))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 100, 127, 128, 129, 171])
def test_any_number_of_rows_is_written(connection: sqlite3.Connection, count: int) -> None:
    batch_of(count).write(connection)
    assert counts(connection) == (count, count, 0)
    assert connection.execute("SELECT minute, entry, count FROM books").fetchall() == [(5, "seen", count)]


def test_a_step_that_fails_rolls_everything_back(connection: sqlite3.Connection) -> None:
    batch = batch_of(3)
    batch.steps.append(lambda plain: plain.execute("SELECT * FROM no_such_table"))
    with pytest.raises(sqlite3.OperationalError):
        batch.write(connection)
    assert counts(connection) == (0, 0, 0)
    assert not connection.in_transaction
    batch.steps.clear()
    batch.write(connection)
    assert counts(connection) == (3, 3, 0)


def test_steps_see_the_rows_of_their_batch_and_their_results_are_in_order(connection: sqlite3.Connection) -> None:
    batch = batch_of(2)
    batch.steps += [lambda plain: plain.execute("SELECT count(*) FROM events").fetchone()[0], lambda _: "second"]
    batch.steps_apart.append(lambda _: "apart")
    batch.write(connection)
    assert (batch.results, batch.results_apart) == ([2, "second"], ["apart"])


def test_a_row_that_changed_again_is_written_once_as_it_is_now(connection: sqlite3.Connection) -> None:
    batch, row = batch_of(1), row_of(1, DeliveryStatus.IN_FLIGHT)
    row.note(attempt(503))
    batch.add_rows([row])
    row.note(attempt(502, 2))
    row.end(DeliveryStatus.DEAD, reason="no", at_ms=9)
    batch.add_rows([row])
    assert row.earlier == []
    assert batch.outcome_of(row.key) == ("dead", "no")
    assert batch.outcome_of((404, BOT)) is None
    batch.write(connection)
    assert connection.execute("SELECT status, http_status FROM deliveries").fetchall() == [("dead", 502)]
    assert connection.execute("SELECT number, http_status FROM attempts").fetchall() == [(1, 503)]


def test_ended_deliveries_of_earlier_events_can_be_taken_out_and_put_back() -> None:
    batch = Batch()
    rows = [row_of(seq, DeliveryStatus.IN_FLIGHT) for seq in (3, 1, 2)]
    for row in rows:
        row.note(attempt(503))
        row.note(attempt(503, 2))
    for row in rows[:2]:
        row.end(DeliveryStatus.DEAD, reason="no", at_ms=9)
    batch.add_rows(rows)
    assert batch.ended(before_seq=4) == [(1, BOT), (3, BOT)]
    assert batch.ended(before_seq=3) == [(1, BOT)]
    piece = batch.take_out([(1, BOT)])
    assert (list(piece.deliveries), [values[0] for values in piece.attempts]) == ([(1, BOT)], [1])
    assert sorted(batch.deliveries) == [(2, BOT), (3, BOT)]
    batch.put_back(piece)
    assert sorted(batch.deliveries) == [(1, BOT), (2, BOT), (3, BOT)]
    assert sorted(int(values[0]) for values in batch.attempts) == [1, 2, 3]


def test_of_too_many_attempts_that_cannot_be_written_the_oldest_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_module, "_MAX_ATTEMPTS", 2)
    batch, row = Batch(), row_of(1, DeliveryStatus.IN_FLIGHT)
    for number in range(1, 6):
        row.note(attempt(503, number))
        batch.add_rows([row])
    assert [tuple(values)[2] for values in batch.attempts] == [3, 4]


def test_a_batch_is_on_disk_if_its_last_event_is_or_without_events_if_its_number_is(
    connection: sqlite3.Connection,
) -> None:
    events, steps = batch_of(2), Batch(number=7)
    steps.steps.append(lambda _: None)
    assert not events.is_on_disk(connection)
    assert not steps.is_on_disk(connection)
    events.write(connection)
    assert (events.is_on_disk(connection), steps.is_on_disk(connection)) == (True, False)
    steps.write(connection)
    assert steps.is_on_disk(connection)
    assert not Batch(number=8).is_on_disk(connection)


def test_one_event_for_many_destinations_is_a_few_statements_of_many_rows(connection: sqlite3.Connection) -> None:
    batch, done = Batch(), list[str]()
    batch.add_event((1, f"{1:032x}", "x", "1", "1", 1, 0, 100, b"{}"), size=2, planned=100, read_at=0)
    batch.add_rows([row_of(1, to=f"bot{number}") for number in range(100)])
    connection.set_trace_callback(done.append)
    batch.write(connection)
    connection.set_trace_callback(None)
    assert [statement.split()[0] for statement in done] == [
        "BEGIN",
        *["INSERT"] * (1 + 3),
        "COMMIT",
    ]  # 64, 32 and 4 rows
    assert counts(connection) == (1, 100, 0)


async def test_whoever_gave_up_waiting_is_left_out_of_the_answers() -> None:
    loop = asyncio.get_running_loop()
    waits, gone = loop.create_future(), loop.create_future()
    gone.cancel()
    answer([gone, waits], ["lost", "found"])
    assert await waits == "found"
