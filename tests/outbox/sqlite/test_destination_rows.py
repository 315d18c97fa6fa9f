"""The rows of a destination: its state is replaced as a whole, with its stretch of failures."""

import sqlite3
from datetime import timedelta

import pytest

from forwarder.core.dispatch.destination_state import DestinationState, FailureStretch, Pause, PausedBy
from forwarder.outbox.sqlite.destination_rows import forget_stretch, known_states, note_state, pause_end
from tests.support.outbox import BOT, NOW

STRETCH = FailureStretch(began=NOW - timedelta(days=1), last=NOW, attempts=70)
FULL = DestinationState(
    pause=Pause(since=NOW, by=PausedBy.FAILURES, why="HTTP 503"),
    failing_since=NOW - timedelta(days=1),
    reported_at=NOW,
    stretch=STRETCH,
    dead_reported_at=NOW - timedelta(minutes=3),
)


@pytest.mark.parametrize("by", PausedBy)
def test_a_state_is_the_same_again_whoever_paused_it(connection: sqlite3.Connection, by: PausedBy) -> None:
    state = DestinationState(pause=Pause(since=NOW, by=by, why="é"))
    note_state(BOT, state)(connection)
    assert known_states(connection) == {BOT: state}


def test_the_end_of_a_pause_is_kept_with_it_and_goes_with_it(connection: sqlite3.Connection) -> None:
    ends = DestinationState(pause=Pause(since=NOW, by=PausedBy.PERSON, until=NOW + timedelta(hours=2)))
    note_state(BOT, ends)(connection)
    note_state("bot 2", ends)(connection)
    assert known_states(connection) == {BOT: ends, "bot 2": ends}
    note_state(BOT, DestinationState(pause=Pause(since=NOW, by=PausedBy.PERSON)))(connection)
    assert pause_end(connection, BOT) is None
    assert pause_end(connection, "bot 2") == round((NOW + timedelta(hours=2)).timestamp() * 1000)
    note_state("bot 2", DestinationState())(connection)
    assert known_states(connection)[BOT].pause == Pause(since=NOW, by=PausedBy.PERSON)
    assert pause_end(connection, "bot 2") is None


def test_the_next_state_leaves_nothing_of_the_one_before(connection: sqlite3.Connection) -> None:
    note_state(BOT, FULL)(connection)
    note_state("bot 2", FULL)(connection)
    note_state(BOT, DestinationState(failing_since=NOW))(connection)
    assert known_states(connection) == {BOT: DestinationState(failing_since=NOW), "bot 2": FULL}


def test_all_of_a_state_is_the_same_again(connection: sqlite3.Connection) -> None:
    note_state(BOT, FULL)(connection)
    assert known_states(connection) == {BOT: FULL}


def test_a_stretch_of_failures_is_forgotten_alone(connection: sqlite3.Connection) -> None:
    note_state(BOT, FULL)(connection)
    forget_stretch(connection, BOT)
    (left,) = known_states(connection).values()
    assert (left.stretch, left.pause) == (None, FULL.pause)


def test_a_stretch_of_which_a_row_is_missing_is_none(connection: sqlite3.Connection) -> None:
    note_state(BOT, FULL)(connection)
    connection.execute("DELETE FROM state WHERE name = 'failures last bot'")
    assert known_states(connection)[BOT].stretch is None
