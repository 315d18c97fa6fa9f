"""Duplicates are dropped within the window, and memory is bounded."""

from datetime import UTC, datetime, timedelta

from forwarder.core.event import EventId, fingerprint
from forwarder.core.routing.dedupe import RecentEvents, id_number, id_numbers

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = timedelta(minutes=30)


def event_id(number: int) -> EventId:
    return EventId(fingerprint(str(number)))


def test_an_id_is_new_once_within_the_window() -> None:
    recent = RecentEvents(WINDOW)
    assert recent.is_new(event_id(1), now=NOW)
    assert not recent.is_new(event_id(1), now=NOW)
    assert not recent.is_new(event_id(1), now=NOW + WINDOW)
    assert recent.is_new(event_id(2), now=NOW)


def test_an_id_is_new_again_soon_after_the_window() -> None:
    recent = RecentEvents(WINDOW)
    recent.is_new(event_id(1), now=NOW)
    assert recent.is_new(event_id(1), now=NOW + 1.2 * WINDOW)


def test_never_more_are_kept_than_the_capacity() -> None:
    recent = RecentEvents(WINDOW, capacity=100)
    for number in range(1_000):
        recent.is_new(event_id(number), now=NOW + number * timedelta(seconds=10))
        assert len(recent) <= 1024


def test_what_an_earlier_process_saw_is_a_duplicate_until_the_window_is_over() -> None:
    seen = [event_id(number) for number in range(1_000)]
    numbers = id_numbers([id_[:16] for id_ in seen])
    assert list(numbers) == sorted(map(id_number, seen))
    recent = RecentEvents(WINDOW)
    recent.remember(numbers, latest_at=NOW)
    assert len(recent) == 1_000
    assert not any(recent.is_new(id_, now=NOW + WINDOW / 2) for id_ in seen)
    assert recent.is_new(event_id(1_000), now=NOW + WINDOW / 2)
    assert recent.is_new(seen[0], now=NOW + 1.1 * WINDOW)
    assert not recent.is_new(event_id(1_000), now=NOW + 1.1 * WINDOW)


def test_nothing_is_remembered_without_a_window() -> None:
    recent = RecentEvents(timedelta())
    recent.remember(id_numbers([event_id(1)[:16]]), latest_at=NOW)
    assert recent.is_new(event_id(1), now=NOW)


def test_ids_of_an_earlier_process_are_forgotten_while_the_table_of_this_one_is_still_young() -> None:
    recent = RecentEvents(WINDOW)
    recent.is_new(event_id(1), now=NOW)
    recent.remember(id_numbers([event_id(2)[:16]]), latest_at=NOW - WINDOW)
    later = NOW + WINDOW / 100
    assert recent.is_new(event_id(3), now=later)
    forgetting = RecentEvents(WINDOW)
    forgetting.remember(id_numbers([event_id(2)[:16]]), latest_at=NOW - 0.95 * WINDOW)
    assert forgetting.is_new(event_id(1), now=NOW), "this begins a table that lasts longer than the old ids"
    assert not forgetting.is_new(event_id(2), now=NOW)
    assert forgetting.is_new(event_id(2), now=NOW + 0.06 * WINDOW)
    assert not forgetting.is_new(event_id(1), now=NOW + 0.06 * WINDOW)
