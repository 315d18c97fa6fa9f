"""How far an old connection has to be read."""

import pytest

from forwarder.core.streams import overlap
from forwarder.core.streams.overlap import ENOUGH_IN_COMMON, FIRST_EVENTS, FirstEvents, ReadEvents
from tests.support.streams import numbered

FRAMES = [frame.encode() for frame in numbered(1000)]


def test_several_events_in_common_are_wanted_in_whatever_order_they_come() -> None:
    old, new = ReadEvents(), FirstEvents()
    for frame in FRAMES[:20]:
        old.note(frame)
    new.note(FRAMES[3])  # that a server sends one twice proves nothing
    assert not old.reaches(new.ids)
    for frame in FRAMES[20 : 20 + ENOUGH_IN_COMMON - 1]:
        assert not old.reaches(new.ids)
        old.note(frame)
        new.note(frame)
    assert old.reaches(new.ids)


def test_what_is_no_event_counts_for_nothing_and_is_not_looked_at_forever() -> None:
    new = FirstEvents()
    for _ in range(FIRST_EVENTS):
        new.note(b"pong")
    assert new.is_full
    assert not new.ids
    old = ReadEvents()
    old.note(b"pong")
    assert old.last_timestamp_s is None
    old.note(FRAMES[0])
    assert old.last_timestamp_s == 1712072400.0


def test_only_so_many_events_are_remembered_and_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "_MOST_REMEMBERED", 50)
    old, first, last = ReadEvents(), FirstEvents(), FirstEvents()
    for frame in FRAMES[:ENOUGH_IN_COMMON]:
        old.note(frame)
        first.note(frame)
    assert old.reaches(first.ids)
    for frame in FRAMES[ENOUGH_IN_COMMON : ENOUGH_IN_COMMON + 45]:
        old.note(frame)
    assert old.reaches(first.ids)
    for frame in FRAMES[-ENOUGH_IN_COMMON:]:
        old.note(frame)
        last.note(frame)
    assert not old.reaches(first.ids)
    assert old.reaches(last.ids)
