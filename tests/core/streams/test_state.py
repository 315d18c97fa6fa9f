"""What a stream shows of itself when its condition changes."""

from datetime import UTC, datetime, timedelta

from forwarder.core.streams.state import StreamCondition, StreamState, StreamStates

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
LAST = NOW + timedelta(minutes=2)


def changed(state: StreamState, condition: StreamCondition, now: datetime, reason: str = "") -> StreamState:
    state.change(condition, reason=reason, fault="closed" if reason else None, now=now)
    return state


def test_a_stream_is_away_from_its_first_condition_that_is_not_open_until_it_is_open() -> None:
    state = StreamState("main")
    assert (state.since, state.away_since) == (None, None)
    changed(state, StreamCondition.CONNECTING, NOW, "cut")
    changed(state, StreamCondition.WAITING, LATER, "refused")
    assert (state.since, state.away_since, state.reason, state.fault) == (LATER, NOW, "refused", "closed")
    assert not state.is_open
    changed(state, StreamCondition.OPEN, LAST)
    assert (state.since, state.away_since, state.reason, state.fault) == (LAST, None, "", None)
    assert state.is_open


def test_the_same_condition_again_changes_the_reason_and_not_the_time() -> None:
    state = changed(StreamState("main"), StreamCondition.WAITING, NOW, "refused")
    changed(state, StreamCondition.WAITING, LATER, "no route")
    assert (state.since, state.away_since, state.reason) == (NOW, NOW, "no route")


def test_after_a_change_no_next_try_is_known() -> None:
    state = changed(StreamState("main"), StreamCondition.WAITING, NOW, "refused")
    state.next_try_at = LATER
    changed(state, StreamCondition.WAITING, NOW, "refused")
    assert state.next_try_at is None


def test_the_state_of_a_stream_begins_when_it_is_asked_for_and_is_kept() -> None:
    states = StreamStates()
    assert states.by_name() == {}
    main = states.of("main")
    main.events += 1
    assert states.of("main") is main
    assert states.of("other").events == 0
    assert list(states.by_name()) == ["main", "other"]
    assert states.by_name()["main"] is main


def test_a_stream_that_was_removed_begins_again_and_keeps_its_counters() -> None:
    state = StreamState("main", connections=3)
    changed(state, StreamCondition.WAITING, NOW, "no answer")
    state.next_try_at = NOW
    state.note_removed()
    assert (state.condition, state.since, state.away_since) == (StreamCondition.CONNECTING, None, None)
    assert (state.reason, state.fault) == ("", None)
    assert state.connections == 3
    assert state.next_try_at is None
