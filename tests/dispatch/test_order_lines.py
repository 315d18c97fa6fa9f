"""A line for each order key: only its first delivery may be attempted, one at a time, and a place in it holds what follows."""

from datetime import timedelta

import pytest

from forwarder.core.delivery import Delivery, new_delivery
from forwarder.dispatch import order_lines
from forwarder.dispatch.order_lines import OrderLines
from forwarder.dispatch.work_queue import Work
from tests.support.lanes import BOT, event
from tests.support.outbox import NOW


def delivery(number: int, key: str = "a", *, padding: int = 0) -> Delivery:
    return new_delivery(event(number, padding=padding), BOT, ("r",), event_seq=number, accepted_at=NOW, order_key=key)


def bring(lines: OrderLines, *deliveries: Delivery) -> None:
    """Put fresh deliveries at the end of their lines."""
    for each in deliveries:
        assert lines.reserve(lines.line(str(each.order_key)), each)
        assert lines.start(each)


def take(lines: OrderLines) -> int | None:
    """Take the next one, fresh or not; return the number of its event."""
    work = lines.take_fresh() or lines.take_backlog()
    return None if work is None else work.delivery.event_seq


def finish(lines: OrderLines, key: str) -> int:
    """Remove the first one of a line, as its attempt was the last, and go on with the line."""
    line = lines.by_key[key]
    done = lines.pop(line)
    line.is_busy = False
    lines.go_on(key, line)
    return done.event_seq


def is_crowded(lines: OrderLines) -> bool:
    return lines.is_crowded


def test_of_each_line_only_the_first_is_taken_and_the_next_when_that_has_ended() -> None:
    lines = OrderLines()
    bring(lines, delivery(1), delivery(2), delivery(3, "b"))
    assert [take(lines), take(lines), take(lines)] == [1, 3, None]
    assert not lines.has_ready(may_be_backlog=True)
    assert finish(lines, "a") == 1
    assert lines.has_fresh()
    assert [take(lines), take(lines)] == [2, None]


def test_a_line_without_anything_is_forgotten_unless_the_outbox_has_more_of_it() -> None:
    lines = OrderLines()
    bring(lines, delivery(1), delivery(2, "b"))
    lines.line("b").is_in_outbox = True
    assert [take(lines), take(lines)] == [1, 2]
    finish(lines, "a")
    finish(lines, "b")
    assert list(lines.by_key) == ["b"]
    assert lines.by_key["b"].is_to_be_claimed


@pytest.mark.parametrize(
    ("change", "is_to_be_claimed"),
    [
        ({}, True),
        ({"is_in_outbox": False}, False),
        ({"is_claiming": True}, False),
        ({"wakes_at": NOW + timedelta(seconds=1)}, False),
    ],
)
def test_more_of_a_line_is_claimed_when_it_is_due_in_the_outbox_and_nobody_claims_it(
    change: dict[str, object], is_to_be_claimed: bool
) -> None:
    line = OrderLines().line("a")
    line.is_in_outbox = True
    for name, value in change.items():
        setattr(line, name, value)
    assert line.is_to_be_claimed is is_to_be_claimed


def test_nothing_is_claimed_while_something_of_the_line_is_in_memory() -> None:
    lines = OrderLines()
    line = lines.line("a")
    line.is_in_outbox = True
    lines.append(line, Work(delivery(1), is_backlog=True))
    assert not line.is_to_be_claimed


def test_a_delivery_with_only_a_place_holds_those_behind_it() -> None:
    lines = OrderLines()
    first, second = delivery(1), delivery(2)
    line = lines.line("a")
    assert lines.reserve(line, first)
    assert lines.reserve(line, second)
    assert lines.start(second)
    assert take(lines) is None
    lines.cancel(first)
    assert take(lines) == 2
    lines.cancel(first)  # its place is gone already
    assert not lines.start(first)


def test_a_place_in_the_middle_that_is_given_up_changes_nothing_for_the_first() -> None:
    lines = OrderLines()
    bring(lines, delivery(1))
    line = lines.line("a")
    assert lines.reserve(line, delivery(2))
    bring(lines, delivery(3))
    lines.cancel(delivery(2))
    assert take(lines) == 1
    finish(lines, "a")
    assert take(lines) == 3


def test_one_that_joins_late_gets_its_place_by_the_number_of_its_event() -> None:
    lines = OrderLines()
    bring(lines, delivery(2), delivery(5))
    line = lines.line("a")
    lines.insert("a", line, Work(delivery(3), is_backlog=True))
    lines.insert("a", line, Work(delivery(1), is_backlog=True))
    lines.insert("a", line, Work(delivery(9), is_backlog=True))
    assert [work.delivery.event_seq for work in line.waiting] == [1, 2, 3, 5, 9]


def test_but_never_before_one_that_is_under_way() -> None:
    lines = OrderLines()
    bring(lines, delivery(2))
    assert take(lines) == 2
    line = lines.line("a")
    lines.insert("a", line, Work(delivery(1), is_backlog=True))
    assert [work.delivery.event_seq for work in line.waiting] == [2, 1]
    assert take(lines) is None


def test_one_that_joins_at_the_front_ends_the_wait_of_its_line() -> None:
    lines = OrderLines()
    line = lines.line("a")
    lines.append(line, Work(delivery(2), is_backlog=True))
    line.wakes_at = NOW + timedelta(hours=1)
    assert not lines.is_ready(line)
    lines.insert("a", line, Work(delivery(1), is_backlog=True))
    assert lines.ready_backlog == 1
    assert take(lines) == 1


def test_fresh_deliveries_and_those_of_the_backlog_are_taken_separately() -> None:
    lines = OrderLines()
    line = lines.line("old")
    lines.append(line, Work(delivery(1, "old"), is_backlog=True))
    lines.make_ready("old", line)
    assert not lines.has_ready(may_be_backlog=False)
    assert lines.has_ready(may_be_backlog=True)
    assert not lines.has_fresh()
    assert lines.take_fresh() is None
    bring(lines, delivery(2, "new"))
    assert lines.has_fresh()
    work = lines.take_backlog()
    assert work is not None
    assert work.delivery.event_seq == 1
    assert take(lines) == 2


def test_the_line_that_a_delivery_is_the_first_of_is_found() -> None:
    lines = OrderLines()
    bring(lines, delivery(1), delivery(2))
    assert lines.first_in(delivery(1)) is lines.line("a")
    assert lines.first_in(delivery(2)) is None
    assert lines.first_in(delivery(1, "b")) is None
    without_order = new_delivery(event(1), BOT, ("r",), event_seq=1, accepted_at=NOW)
    assert lines.first_in(without_order) is None


def test_there_is_room_for_so_many_and_so_many_bytes_in_all_lines_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_lines, "MAX_FRESH", 2)
    lines = OrderLines()
    bring(lines, delivery(1, "a"), delivery(2, "b"))
    assert not lines.reserve(lines.line("c"), delivery(3, "c"))
    assert not is_crowded(lines)
    lines.append(lines.line("c"), Work(delivery(3, "c"), is_backlog=True))  # what is claimed is never refused
    assert is_crowded(lines)
    assert lines.pop(lines.line("c"), is_last=True).event_seq == 3
    assert not is_crowded(lines)
    lines.pop(lines.line("a"))
    assert lines.reserve(lines.line("d"), delivery(4, "d"))


def test_one_that_is_larger_than_all_the_room_gets_it_when_there_is_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(order_lines, "MAX_FRESH_BYTES", 1000)
    lines = OrderLines()
    assert lines.reserve(lines.line("a"), delivery(1, padding=5000))
    assert not lines.reserve(lines.line("a"), delivery(2))
    lines.cancel(delivery(1, padding=5000))
    assert lines.reserve(lines.line("a"), delivery(2))


def test_all_but_what_is_under_way_is_given_back_and_waits_in_the_outbox_then() -> None:
    lines = OrderLines()
    bring(lines, delivery(1), delivery(2))
    assert take(lines) == 1
    assert lines.reserve(lines.line("b"), delivery(3, "b"))
    bring(lines, delivery(4, "c"))
    assert [each.event_seq for each in lines.give_back()] == [2, 4]
    assert [work.delivery.event_seq for work in lines.line("a").waiting] == [1]
    assert all(lines.by_key[key].is_in_outbox for key in "abc")
    assert not lines.start(delivery(3, "b"))
    assert not lines.has_ready(may_be_backlog=True)
    assert lines.give_back() == []
