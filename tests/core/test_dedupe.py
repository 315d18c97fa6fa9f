"""Doubles are dropped within the window, and memory is bounded."""

from datetime import UTC, datetime, timedelta

from forwarder.core.dedupe import RecentEvents
from forwarder.core.event import EventId, fingerprint

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
