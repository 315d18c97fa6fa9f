"""What is read once when the file is opened: where the numbers go on, and what the clock has done."""

import sqlite3
from datetime import timedelta
from pathlib import Path

from forwarder.core.clock_steps import ClockStep
from forwarder.core.gaps.gap import Gap
from forwarder.outbox.sqlite.access import reading
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.stored_state import read_state
from tests.support.outbox import NOW, attempt, keep

HOUR = timedelta(hours=1)


def test_a_new_file_begins_at_zero_and_knows_no_time(connection: sqlite3.Connection) -> None:
    state = read_state(connection)
    assert (state.last_seq, state.last_gap_id) == (0, 0)
    assert (state.last_heard, state.latest_steady, state.clock_steps.steps) == (None, None, ())


async def test_numbers_go_on_after_the_newest_ones(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        for number in range(3):
            keep(outbox, number, at=NOW + number * HOUR)
        outbox.gaps.note_gap(Gap(id=outbox.gaps.new_gap_id(), stream="main", began=NOW, noticed=NOW, reason="r"))
        outbox.gaps.note_heard(NOW + HOUR)
    with reading(path) as connection:
        state = read_state(connection)
    assert (state.last_seq, state.last_gap_id) == (3, 1)
    assert (state.last_heard, state.latest_steady) == (NOW + HOUR, NOW + 2 * HOUR)


async def test_the_latest_steady_time_is_that_of_an_open_stream_where_that_is_later(path: Path) -> None:
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.note_clock_steps(outbox.clock_steps.plus(ClockStep(at=NOW, by=24 * HOUR, first_seq=1)))
        outbox.complete(keep(outbox, 0, at=NOW + 24 * HOUR), attempt(200))
        outbox.gaps.note_heard(NOW + 25 * HOUR)
    with reading(path) as connection:
        state = read_state(connection)
    assert state.clock_steps.offset == 24 * HOUR
    assert state.latest_steady == NOW + HOUR
