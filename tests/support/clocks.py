"""A wall clock and a clock since boot that go only when a test says so."""

from datetime import UTC, datetime, timedelta

from forwarder.clocks.process_clock import ProcessClock


class Clocks:
    """Of one machine."""

    def __init__(self) -> None:
        self._wall = datetime(2026, 1, 1, tzinfo=UTC)
        self._boot = timedelta(days=3)
        self.stop_after_wall = timedelta()
        """For so long the process stands still once, after the next reading of the wall clock."""

    def wall(self) -> datetime:
        """Return what the wall clock says."""
        found, stood_still = self._wall, self.stop_after_wall
        self.stop_after_wall = timedelta()
        self.pass_(stood_still)
        return found

    def boot_s(self) -> float:
        """Return the seconds since boot."""
        return self._boot.total_seconds()

    def pass_(self, time: timedelta) -> None:
        """Let time pass."""
        self._wall += time
        self._boot += time

    def set(self, by: timedelta) -> None:
        """Set the wall clock."""
        self._wall += by

    def process_clock(self) -> ProcessClock:
        """Return the clocks of a process on this machine."""
        return ProcessClock(wall=self.wall, boot_s=self.boot_s)
