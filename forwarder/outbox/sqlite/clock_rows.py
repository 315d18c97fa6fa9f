"""The steps of the wall clock, which are rows of `state`."""

import sqlite3
from contextlib import suppress
from datetime import datetime, timedelta

from forwarder.core.clock_steps import ClockStep, ClockSteps
from forwarder.outbox.sqlite.statements import SQL, from_ms, time_of, to_ms
from forwarder.outbox.sqlite.transactions import Step

_MS = timedelta(milliseconds=1)
_STEP = "clock step"
_OLDER = "clock older"


def clock_steps(connection: sqlite3.Connection) -> ClockSteps:
    """Return the steps that are stored."""
    steps: list[ClockStep] = []
    older = timedelta()
    for name, value in connection.execute(SQL["clock_steps"]):
        with suppress(ValueError, OverflowError, OSError):  # a damaged row
            match str(name).split(" "):
                case ["clock", "step", at_ms, first_seq]:
                    steps.append(ClockStep(at=from_ms(int(at_ms)), by=value * _MS, first_seq=int(first_seq)))
                case _:
                    older += value * _MS
    return ClockSteps(steps=tuple(sorted(steps, key=lambda step: (step.first_seq, step.at))), older=older)


def note_clock_steps(known: ClockSteps) -> Step[None]:
    """Return a step that writes these in place of those that are stored."""
    rows = {_OLDER: round(known.older / _MS)} if known.older else {}
    for step in known.steps:
        name = f"{_STEP} {to_ms(step.at)} {step.first_seq}"
        rows[name] = rows.get(name, 0) + round(step.by / _MS)

    def write(connection: sqlite3.Connection) -> None:
        connection.execute(SQL["forget_clock_steps"])
        connection.executemany(SQL["note_clock_step"], list(rows.items()))

    return write


def clock_offset_ms(connection: sqlite3.Connection) -> int:
    """Return how far the wall clock is ahead of the steady clock, by which deliveries are due."""
    return int(connection.execute(SQL["clock_offset"]).fetchone()[0])


def latest_steady(connection: sqlite3.Connection, known: ClockSteps) -> datetime | None:
    """Return the latest steady time in the file: of an event, or of a stream that was open."""
    found: list[datetime] = []
    if (last := connection.execute(SQL["last_accepted"]).fetchone()) is not None:
        found.append(known.steady_of(time_of(last[1]), last[0]))
    if (heard := connection.execute(SQL["last_heard"]).fetchone()) is not None:
        found.append(time_of(heard[0]) - known.offset)
    return max(found, default=None)
