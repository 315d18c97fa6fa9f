"""The clocks of a process: the wall clock, which may be set at any time, and a steady one that goes on whatever happens to it.

The steady clock begins where the last process left off (as far as the outbox knows), goes on with the clock since boot, and counts
sleep. A step of the wall clock is noticed whenever somebody reads it, and once a second in any case.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from forwarder.core.clock_steps import ClockStep, ClockSteps

STEP_S = 1.0
"""Less is no step: a clock that is slewed, or a thread that had to wait between the two readings."""
_LOOK_EVERY_S = 1.0
_READING_S = 0.1
_SHOWN_FOR = timedelta(hours=24)

log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """Return now, aware, in UTC."""
    return datetime.now(UTC)


def _boot_s() -> float:
    """Return monotonic seconds that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class ProcessClock:
    """Calling it reads the wall clock; `steady` is the other one."""

    def __init__(self, *, wall: Callable[[], datetime] = utc_now, boot_s: Callable[[], float] = _boot_s) -> None:
        self._wall = wall
        self._boot_s = boot_s
        self._steps = ClockSteps()
        self._offset = timedelta()
        self._began, self._began_s = wall(), boot_s()
        self._next_seq: Callable[[], int] | None = None
        self._keep: Callable[[ClockSteps], None] = lambda _steps: None

    def __call__(self) -> datetime:
        """Return now by the wall clock."""
        wall = self._wall()
        if self._next_seq is not None:
            self._look(wall, self._next_seq)
        return wall

    def steady(self) -> datetime:
        """Return now by the steady clock."""
        return self._began + timedelta(seconds=self._boot_s() - self._began_s)

    def wall_of(self, steady: datetime) -> datetime:
        """Return what the wall clock, as it is set now, says or said at a steady time."""
        return steady + self._offset

    def steady_of(self, wall: datetime) -> datetime:
        """Return the steady time at which the wall clock, as it is set now, says or said that."""
        return wall - self._offset

    @property
    def steps(self) -> ClockSteps:
        """All that are known."""
        return self._steps

    def adopt(
        self,
        steps: ClockSteps,
        *,
        latest: datetime | None,
        next_seq: Callable[[], int],
        keep: Callable[[ClockSteps], None],
    ) -> None:
        """Go on from what an outbox knows, before anything is read from it or written to it.

        `latest` is the last steady time that it knows of: where the wall clock says less, it was set back while no process ran.
        `next_seq` returns the number of the next event; `keep` writes the steps down.
        """
        wall = self._wall()
        self._steps, self._offset = steps, steps.offset
        self._began, self._began_s = wall - self._offset, self._boot_s()
        self._next_seq, self._keep = next_seq, keep
        if latest is not None and latest - self._began > timedelta(seconds=STEP_S):
            behind, self._began = self._began - latest, latest
            self._note(behind, next_seq())

    async def run(self) -> None:
        """For ever: look whether the wall clock was set."""
        while True:
            self()
            await asyncio.sleep(_LOOK_EVERY_S)

    def status(self) -> dict[str, object] | None:
        """Return the last step, while it is not long ago."""
        if not self._steps.steps:
            return None
        last, steady = self._steps.steps[-1], self.steady()
        if steady - last.at > _SHOWN_FOR:
            return None
        return {
            "at": self.wall_of(last.at).isoformat(timespec="seconds"),
            "by_s": round(last.by.total_seconds(), 1),
            "ago_s": round((steady - last.at).total_seconds()),
        }

    def _look(self, wall: datetime, next_seq: Callable[[], int]) -> None:
        by = wall - self.steady() - self._offset
        if abs(by.total_seconds()) <= STEP_S:
            return
        wall, took_s = self._read_wall()
        by = wall - self.steady() - self._offset
        is_sure = took_s < _READING_S  # or the process may have been stopped between the two readings
        if is_sure and abs(by.total_seconds()) > STEP_S:
            self._note(by, next_seq())

    def _read_wall(self) -> tuple[datetime, float]:
        """Return the wall clock, and how many seconds that took."""
        began_s = self._boot_s()
        return self._wall(), self._boot_s() - began_s

    def _note(self, by: timedelta, first_seq: int) -> None:
        self._steps = self._steps.plus(ClockStep(at=self.steady(), by=by, first_seq=first_seq))
        self._offset = self._steps.offset
        self._keep(self._steps)
        log.warning(
            "daemon.clock_jumped", by_s=round(by.total_seconds(), 1),
            note="the wall clock was set; what waits goes on as if it had not been",
        )  # fmt: skip
