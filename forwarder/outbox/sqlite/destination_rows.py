"""The rows of `destinations`: the state of a destination that outlasts a restart. Some of it is in `state`: its stretch of failures, the end of its pause, the last notice of dead letters."""

import sqlite3

from forwarder.core.delivery import DestinationName
from forwarder.core.dispatch.destination_state import DestinationState, FailureStretch, Pause, PausedBy
from forwarder.outbox.sqlite.statements import SQL, ms_or_none, storable, time_of, to_ms
from forwarder.outbox.sqlite.transactions import Step

_PAUSED_BY = frozenset(map(str, PausedBy))
StateRow = tuple[str, int | None, str | None, str | None, int | None, int | None]


_BEGAN, _LAST, _ATTEMPTS = "failures began ", "failures last ", "failures count "
"""The beginnings of the names of three rows of `state` for a stretch of failures; the name of the destination follows."""
_PAUSED_UNTIL = "paused until "
"""The beginning of the name of the row of `state` for the end of a pause."""
_DEAD_REPORTED = "dead reported "
"""The beginning of the name of the row of `state` for the last notice of dead letters."""


def known_states(connection: sqlite3.Connection) -> dict[DestinationName, DestinationState]:
    """Return the state of every destination that has one stored."""
    of_stretches = {str(name): int(value) for name, value in connection.execute(SQL["failure_stretches"])}
    ends = pause_ends(connection)
    reports = {str(name): int(value) for name, value in connection.execute(SQL["dead_reports"])}
    return {
        DestinationName(row[0]): _state_of(
            row, _stretch_of(row[0], of_stretches), ends.get(row[0]), reports.get(_DEAD_REPORTED + row[0])
        )
        for row in connection.execute(SQL["known_destinations"])
    }


def note_state(name: str, state: DestinationState) -> Step[None]:
    """Return a step that stores the state of a destination."""
    stretch = state.stretch

    def write(connection: sqlite3.Connection) -> None:
        connection.execute(SQL["note_destination"], _row_of(name, state))
        note_pause_end(connection, name, None if state.pause is None else ms_or_none(state.pause.until))
        _note_time(connection, _DEAD_REPORTED + name, ms_or_none(state.dead_reported_at))
        if stretch is None:
            forget_stretch(connection, name)
        else:
            values = to_ms(stretch.began), to_ms(stretch.last), stretch.attempts
            connection.executemany(SQL["note_state_value"], list(zip(_names(name), values, strict=True)))

    return write


def pause_ends(connection: sqlite3.Connection) -> dict[str, int]:
    """Return when pauses end by themselves, in Unix milliseconds, by the names of their destinations."""
    return {str(name).removeprefix(_PAUSED_UNTIL): int(value) for name, value in connection.execute(SQL["pause_ends"])}


def pause_end(connection: sqlite3.Connection, name: str) -> int | None:
    """Return when the pause of a destination ends by itself, in Unix milliseconds; `None` if it does not."""
    return pause_ends(connection).get(name)


def note_pause_end(connection: sqlite3.Connection, name: str, until_ms: int | None) -> None:
    """Store when the pause of a destination ends by itself."""
    _note_time(connection, _PAUSED_UNTIL + name, until_ms)


def _note_time(connection: sqlite3.Connection, name: str, at_ms: int | None) -> None:
    if at_ms is None:
        connection.execute(SQL["forget_state_value"], (name,))
    else:
        connection.execute(SQL["note_state_value"], (name, at_ms))


def forget_stretch(connection: sqlite3.Connection, name: str) -> None:
    """Delete the stretch of failures of a destination."""
    connection.execute(SQL["forget_failure_stretch"], _names(name))


def _names(name: str) -> tuple[str, str, str]:
    return _BEGAN + name, _LAST + name, _ATTEMPTS + name


def _stretch_of(name: str, known: dict[str, int]) -> FailureStretch | None:
    began_ms, last_ms, attempts = (known.get(each + name) for each in (_BEGAN, _LAST, _ATTEMPTS))
    if began_ms is None or last_ms is None or attempts is None:
        return None
    return FailureStretch(began=time_of(began_ms), last=time_of(last_ms), attempts=attempts)


def _state_of(
    row: StateRow, stretch: FailureStretch | None, until_ms: int | None, dead_reported_ms: int | None
) -> DestinationState:
    _, paused_ms, by, why, failing_since_ms, told_ms = row
    paused_by = PausedBy(by) if by in _PAUSED_BY else PausedBy.PERSON
    until = None if until_ms is None else time_of(until_ms)
    return DestinationState(
        pause=None if paused_ms is None else Pause(since=time_of(paused_ms), by=paused_by, why=why or "", until=until),
        failing_since=None if failing_since_ms is None else time_of(failing_since_ms),
        reported_at=None if told_ms is None else time_of(told_ms),
        stretch=stretch,
        dead_reported_at=None if dead_reported_ms is None else time_of(dead_reported_ms),
    )


def _row_of(name: str, state: DestinationState) -> StateRow:
    pause = state.pause
    return (
        name,
        None if pause is None else to_ms(pause.since),
        None if pause is None else str(pause.by),
        None if pause is None else storable(pause.why),
        ms_or_none(state.failing_since),
        ms_or_none(state.reported_at),
    )
