"""The rows of a destination: its state is replaced as a whole, with its stretch of failures."""

import sqlite3
from datetime import timedelta

import pytest

from forwarder.core.dispatch.destination_state import DestinationState, FailureStretch, Pause, PausedBy
from forwarder.outbox.sqlite.destination_rows import forget_stretch, known_states, note_state
from tests.support.outbox import BOT, NOW

STRETCH = FailureStretch(began=NOW - timedelta(days=1), last=NOW, attempts=70)
FULL = DestinationState(
    pause=Pause(since=NOW, by=PausedBy.FAILURES, why="HTTP 503"),
    failing_since=NOW - timedelta(days=1),
    reported_at=NOW,
    stretch=STRETCH,
)


@pytest.mark.parametrize("by", PausedBy)
def test_a_state_is_the_same_again_whoever_paused_it(connection: sqlite3.Connection, by: PausedBy) -> None:
    state = DestinationState(pause=Pause(since=NOW, by=by, why="é"))
    note_state(BOT, state)(connection)
    assert known_states(connection) == {BOT: state}


def test_the_next_state_leaves_nothing_of_the_one_before(connection: sqlite3.Connection) -> None:
    note_state(BOT, FULL)(connection)
    note_state("bot 2", FULL)(connection)
    note_state(BOT, DestinationState(failing_since=NOW))(connection)
    assert known_states(connection) == {BOT: DestinationState(failing_since=NOW), "bot 2": FULL}


def test_a_stretch_of_failures_is_forgotten_alone(connection: sqlite3.Connection) -> None:
    note_state(BOT, FULL)(connection)
    forget_stretch(connection, BOT)
    (left,) = known_states(connection).values()
    assert (left.stretch, left.pause) == (None, FULL.pause)


def test_a_stretch_of_which_a_row_is_missing_is_none(connection: sqlite3.Connection) -> None:
    note_state(BOT, FULL)(connection)
    connection.execute("DELETE FROM state WHERE name = 'failures last bot'")
    assert known_states(connection)[BOT].stretch is None
