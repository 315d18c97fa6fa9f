"""What the outbox reads from its file once, when it is opened: where its numbers go on, and what the clock has done."""

import sqlite3
from datetime import datetime

import msgspec

from forwarder.core.clock_steps import ClockSteps
from forwarder.outbox.sqlite.clock_rows import clock_steps, latest_steady
from forwarder.outbox.sqlite.statements import SQL, time_of


class StoredState(msgspec.Struct, frozen=True, kw_only=True):
    """The counters and the clock of the file."""

    last_seq: int
    """The number of the newest event."""
    last_gap_id: int
    """The number of the newest gap."""
    last_heard: datetime | None
    """When an earlier process last had a stream open; `None` where none had."""
    clock_steps: ClockSteps
    """The steps of the wall clock that are known."""
    latest_steady: datetime | None
    """The latest steady time in the file; `None` in a new one."""


def read_state(connection: sqlite3.Connection) -> StoredState:
    """Return what is stored."""
    steps = clock_steps(connection)
    heard = connection.execute(SQL["last_heard"]).fetchone()
    return StoredState(
        last_seq=int(connection.execute(SQL["last_seq"]).fetchone()[0]),
        last_gap_id=int(connection.execute(SQL["last_gap_id"]).fetchone()[0]),
        last_heard=None if heard is None else time_of(heard[0]),
        clock_steps=steps,
        latest_steady=latest_steady(connection, steps),
    )
