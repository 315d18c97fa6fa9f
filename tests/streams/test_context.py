"""What a supervisor reports through: the time of something in the past, and a gap that is over already."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from forwarder.streams import context
from tests.support.streams import Notes

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_moment_in_the_past_is_that_much_before_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "boot_time", lambda: 1000.0)
    found = replace(Notes().context(), clock=lambda: NOW)
    assert found.wall_time(940.0) == NOW - timedelta(minutes=1)
    assert found.wall_time(1000.0) == NOW
    assert found.wall_time(1000.5) == NOW  # nothing is in the future


def test_a_gap_that_is_over_is_recorded_with_its_end() -> None:
    notes = Notes()
    notes.context().note_past_gap(NOW, NOW + timedelta(seconds=5), "the connection was silent")
    assert notes.away == [(NOW, NOW + timedelta(seconds=5), "the connection was silent")]
    assert notes.opened == [NOW + timedelta(seconds=5)]
