"""The rows of `destinations`: what of a destination outlasts a restart. For how long it was seen to fail is in `state`."""

import sqlite3
from datetime import datetime

from forwarder.core.delivery import DestinationName
from forwarder.core.standing import FailureStretch, Pause, PausedBy, Standing
from forwarder.outbox.batch import Step
from forwarder.outbox.statements import SQL, from_ms, storable, to_ms

StandingRow = tuple[str, int | None, str | None, str | None, int | None, int | None]


_BEGAN, _LAST, _ATTEMPTS = "failures began ", "failures last ", "failures count "
"""Begin the names of the three rows of `state` that a stretch of failures takes; the name of the destination follows."""


def known_standings(connection: sqlite3.Connection) -> dict[DestinationName, Standing]:
    """Return what is kept of each destination that something is kept of."""
    of_stretches = {str(name): int(value) for name, value in connection.execute(SQL["failure_stretches"])}
    return {
        DestinationName(row[0]): _standing_of(row, _stretch_of(row[0], of_stretches))
        for row in connection.execute(SQL["known_destinations"])
    }


def note_standing(name: str, standing: Standing) -> Step[None]:
    """Keep it."""
    stretch = standing.stretch

    def write(connection: sqlite3.Connection) -> None:
        connection.execute(SQL["note_destination"], _row_of(name, standing))
        if stretch is None:
            forget_stretch(connection, name)
        else:
            values = to_ms(stretch.began), to_ms(stretch.last), stretch.attempts
            connection.executemany(SQL["note_failure_stretch"], list(zip(_names(name), values, strict=True)))

    return write


def forget_stretch(connection: sqlite3.Connection, name: str) -> None:
    """Forget for how long a destination was seen to fail."""
    connection.execute(SQL["forget_failure_stretch"], _names(name))


def _names(name: str) -> tuple[str, str, str]:
    return _BEGAN + name, _LAST + name, _ATTEMPTS + name


def _stretch_of(name: str, known: dict[str, int]) -> FailureStretch | None:
    began_ms, last_ms, attempts = (known.get(each + name) for each in (_BEGAN, _LAST, _ATTEMPTS))
    if began_ms is None or last_ms is None or attempts is None:
        return None
    return FailureStretch(began=from_ms(began_ms), last=from_ms(last_ms), attempts=attempts)


def _standing_of(row: StandingRow, stretch: FailureStretch | None) -> Standing:
    _, paused_ms, by, why, failing_since_ms, told_ms = row
    pause = None if paused_ms is None else Pause(since=from_ms(paused_ms), by=PausedBy(by or "person"), why=why or "")
    return Standing(pause=pause, failing_since=_at(failing_since_ms), told_at=_at(told_ms), stretch=stretch)


def _row_of(name: str, standing: Standing) -> StandingRow:
    pause = standing.pause
    return (
        name,
        None if pause is None else to_ms(pause.since),
        None if pause is None else str(pause.by),
        None if pause is None else storable(pause.why),
        _ms(standing.failing_since),
        _ms(standing.told_at),
    )


def _at(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)


def _ms(at: datetime | None) -> int | None:
    return None if at is None else to_ms(at)
