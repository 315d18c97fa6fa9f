"""The clocks of a process, with a wall clock and a clock since boot that a test sets."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.clock_steps import ClockSteps
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.clocks import Clocks

DAY = timedelta(days=1)


def adopted(clocks: Clocks, steps: ClockSteps | None = None, *, latest: datetime | None = None) -> ProcessClock:
    clock = clocks.process_clock()
    clock.adopt(steps or ClockSteps(), latest=latest, next_seq=lambda: 7, keep=lambda _: None)
    return clock


@pytest.mark.parametrize("by", [timedelta(hours=-2), timedelta(hours=2), DAY, -DAY, 3650 * DAY])
def test_the_steady_clock_knows_no_step(by: timedelta) -> None:
    clocks = Clocks()
    clock = adopted(clocks)
    before = clock.steady()
    clocks.set(by)
    clocks.pass_(timedelta(seconds=3))
    assert clock() == clocks.wall()
    assert clock.steady() - before == timedelta(seconds=3)
    assert clock.wall_of(clock.steady()) == clocks.wall()
    (step,) = clock.steps.steps
    assert (step.by, step.first_seq) == (by, 7)
    status = clock.status()
    assert status is not None
    assert status.by_s == by.total_seconds()


def test_both_times_are_of_one_reading_and_a_step_that_it_shows_is_noted_first() -> None:
    clocks = Clocks()
    clock = adopted(clocks)
    assert clock.both() == (clocks.wall(), clock.steady())
    before = clock.steady()
    clocks.set(DAY)
    clocks.pass_(timedelta(seconds=3))
    assert clock.both() == (clocks.wall(), before + timedelta(seconds=3))
    assert [step.by for step in clock.steps.steps] == [DAY]


def test_a_step_is_noted_once_and_forgotten_by_the_status_after_a_day() -> None:
    clocks = Clocks()
    clock = adopted(clocks)
    assert clock.status() is None
    clocks.set(timedelta(hours=1))
    for _ in range(3):
        clock()
    assert len(clock.steps.steps) == 1
    clocks.pass_(25 * timedelta(hours=1))
    clock()
    assert clock.status() is None
    assert len(clock.steps.steps) == 1


def test_a_clock_that_is_slewed_makes_no_step_until_it_has_come_to_a_second() -> None:
    clocks = Clocks()
    clock = adopted(clocks)
    for _ in range(10):
        clocks.set(timedelta(milliseconds=101))
        clock()
    assert [step.by for step in clock.steps.steps] == [timedelta(milliseconds=1010)]


def test_a_process_that_is_stopped_between_the_two_readings_sees_no_step() -> None:
    clocks = Clocks()
    clock = adopted(clocks)
    clocks.stop_after_wall = timedelta(seconds=75)
    clock()
    clock()
    assert not clock.steps.steps


def test_a_clock_that_was_set_back_while_nothing_ran_does_not_turn_the_steady_time_back() -> None:
    clocks = Clocks()
    latest = clocks.wall() + timedelta(hours=2)
    clock = adopted(clocks, latest=latest)
    assert clock.steady() == latest
    assert [step.by for step in clock.steps.steps] == [timedelta(hours=-2)]


def test_the_next_process_goes_on_where_the_last_one_was() -> None:
    clocks = Clocks()
    first = adopted(clocks)
    clocks.set(timedelta(hours=-2))
    first()
    clocks.pass_(timedelta(minutes=1))
    last = first.steady()
    second = adopted(clocks, first.steps, latest=last)
    assert second.steady() == last
    assert len(second.steps.steps) == 1


async def _reopened(path: Path, use: Callable[[SqliteOutbox], None]) -> tuple[ClockSteps, datetime | None]:
    async with open_outbox(FileSettings(path=path, durability="full")) as outbox:
        use(outbox)
    async with open_outbox(FileSettings(path=path, durability="full")) as outbox:
        return outbox.clock_steps, outbox.latest_steady


async def test_steps_are_in_the_outbox(tmp_path: Path) -> None:
    clocks = Clocks()
    written: list[ClockSteps] = []

    def use(outbox: SqliteOutbox) -> None:
        clock = clocks.process_clock()
        clock.adopt(outbox.clock_steps, latest=None, next_seq=outbox.next_seq, keep=outbox.note_clock_steps)
        for hours in range(1, 41):
            clocks.set(timedelta(hours=hours))
            clocks.pass_(timedelta(seconds=1))
            clock()
        written.append(clock.steps)

    found, latest = await _reopened(tmp_path / "outbox.db", use)
    assert found == ClockSteps(steps=tuple(written[0].steps), older=written[0].older)
    assert found.offset == sum(range(1, 41)) * timedelta(hours=1)
    assert latest is None
    assert datetime(2020, 1, 1, tzinfo=UTC) < clocks.wall()
