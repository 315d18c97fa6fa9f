"""The rows of `destinations`: what of a destination outlasts a restart."""

from datetime import datetime

from forwarder.core.standing import Pause, PausedBy, Standing
from forwarder.outbox.statements import from_ms, storable, to_ms

StandingRow = tuple[str, int | None, str | None, str | None, int | None, int | None]


def standing_of(row: StandingRow) -> Standing:
    """Return what a row stands for."""
    _, paused_ms, by, why, failing_since_ms, told_ms = row
    pause = None if paused_ms is None else Pause(since=from_ms(paused_ms), by=PausedBy(by or "person"), why=why or "")
    return Standing(pause=pause, failing_since=_at(failing_since_ms), told_at=_at(told_ms))


def row_of(name: str, standing: Standing) -> StandingRow:
    """Return the row for it."""
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
