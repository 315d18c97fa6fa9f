"""The clocks of a process: the wall clock, which may be set at any time, and a steady clock that does not follow such steps.

The steady clock begins where the last process stopped (as far as the outbox knows), runs with the clock since boot, and counts sleep. A
step of the wall clock is noticed at each reading, and once a second in any case.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from forwarder.clocks.boot_time import boot_time
from forwarder.clocks.periodic import periodic
from forwarder.clocks.wall_clock import utc_now
from forwarder.core.clock_steps import ClockStep, ClockSteps
from forwarder.core.monitoring.status import ClockJumpReport

STEP_S = 1.0
"""The smallest step. A smaller difference comes from a slewed clock, or from a thread that had to wait between two readings."""
_LOOK_EVERY = timedelta(seconds=1)
_READING_S = 0.1
_SHOWN_FOR = timedelta(hours=24)

log = structlog.get_logger(__name__)


class ProcessClock:
    """Reads the wall clock (by a call) and the steady clock (`steady`), and notices steps of the wall clock."""

    def __init__(self, *, wall: Callable[[], datetime] = utc_now, boot_s: Callable[[], float] = boot_time) -> None:
        self._wall = wall
        self._boot_s = boot_s
        self._steps = ClockSteps()
        self._offset = timedelta()
        self._began, self._began_s = wall(), boot_s()
        self._ahead_s = self._steady_ahead_s = 0.0
        """How many seconds the wall clock and the steady clock are ahead of the clock since boot, as far as steps are known."""
        self._note_ahead()
        self._next_seq: Callable[[], int] | None = None
        self._keep: Callable[[ClockSteps], None] = lambda _steps: None

    def __call__(self) -> datetime:
        """Return now by the wall clock."""
        return self.both()[0]

    def both(self) -> tuple[datetime, datetime]:
        """Return now by the wall clock and by the steady clock, of one reading."""
        wall, boot_s = self._wall(), self._boot_s()
        if self._next_seq is not None and abs(wall.timestamp() - boot_s - self._ahead_s) > STEP_S:
            self._look(self._next_seq)
        return wall, datetime.fromtimestamp(boot_s + self._steady_ahead_s, UTC)

    def steady(self) -> datetime:
        """Return now by the steady clock."""
        return datetime.fromtimestamp(self._boot_s() + self._steady_ahead_s, UTC)

    def wall_of(self, steady: datetime) -> datetime:
        """Return the wall time of a steady time, with the wall clock as it is set now."""
        return steady + self._offset

    def steady_of(self, wall: datetime) -> datetime:
        """Return the steady time of a wall time, with the wall clock as it is set now."""
        return wall - self._offset

    def accepted_before(self, age: timedelta) -> datetime:
        """Return the wall time before which everything was accepted that is older than `age`.

        What came before a step of the clock forward looks older than it is, by the step.
        """
        wall, steady = self.both()
        return wall - age - self._steps.forward_since(steady - age)

    @property
    def steps(self) -> ClockSteps:
        """All known steps of the wall clock."""
        return self._steps

    def adopt(
        self,
        steps: ClockSteps,
        *,
        latest: datetime | None,
        next_seq: Callable[[], int],
        keep: Callable[[ClockSteps], None],
    ) -> None:
        """Continue from the times in an outbox, before anything else is read from it or written to it.

        `latest` is the last steady time in it. If the wall clock is behind that, it was set back while no process ran.
        `next_seq` returns the number of the next event; `keep` stores the steps.
        """
        wall = self._wall()
        self._steps, self._offset = steps, steps.offset
        self._began, self._began_s = wall - self._offset, self._boot_s()
        self._next_seq, self._keep = next_seq, keep
        if latest is not None and latest - self._began > timedelta(seconds=STEP_S):
            behind, self._began = self._began - latest, latest
            self._note_ahead()
            self._note(behind, next_seq())
        else:
            self._note_ahead()

    async def run(self) -> None:
        """Look whether the wall clock was set, forever."""
        self._notice()
        await periodic(_LOOK_EVERY, self._notice)

    def status(self) -> ClockJumpReport | None:
        """Return the last step, if it was in the last 24 hours."""
        if not self._steps.steps:
            return None
        last, steady = self._steps.steps[-1], self.steady()
        if steady - last.at > _SHOWN_FOR:
            return None
        return ClockJumpReport(
            at=self.wall_of(last.at).isoformat(timespec="seconds"),
            by_s=round(last.by.total_seconds(), 1),
            ago_s=round((steady - last.at).total_seconds()),
        )

    def _notice(self) -> None:
        """Read the wall clock, which notices that it was set."""
        self()

    def _look(self, next_seq: Callable[[], int]) -> None:
        """Read the clocks again: if the wall clock was set, and the process not stopped between two readings, note it."""
        wall, took_s = self._read_wall()
        by = wall - self.steady() - self._offset
        if took_s < _READING_S and abs(by.total_seconds()) > STEP_S:
            self._note(by, next_seq())

    def _read_wall(self) -> tuple[datetime, float]:
        """Return the wall time, and how many seconds the reading took."""
        began_s = self._boot_s()
        return self._wall(), self._boot_s() - began_s

    def _note_ahead(self) -> None:
        self._steady_ahead_s = self._began.timestamp() - self._began_s
        self._ahead_s = self._steady_ahead_s + self._offset.total_seconds()

    def _note(self, by: timedelta, first_seq: int) -> None:
        self._steps = self._steps.plus(ClockStep(at=self.steady(), by=by, first_seq=first_seq))
        self._offset = self._steps.offset
        self._note_ahead()
        self._keep(self._steps)
        log.warning(
            "daemon.clock_jumped", by_s=round(by.total_seconds(), 1),
            note="the wall clock was set; waits and ages are not affected",
        )  # fmt: skip
