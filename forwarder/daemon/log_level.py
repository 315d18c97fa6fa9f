"""Changes the level of the log while the daemon runs, because a person asks for it."""

import asyncio
from datetime import timedelta

import structlog

from forwarder.clocks.wall_clock import utc_now
from forwarder.core.commands import LogLevelAnswer, LogLevelChange
from forwarder.logs.level import LEVEL

log = structlog.get_logger(__name__)


class LogLevelControl:
    """Changes the level, and changes it back after the time that was asked for."""

    def __init__(self) -> None:
        self._until: str | None = None
        self._ending: asyncio.Handle | None = None

    def change(self, asked: LogLevelChange, person: str = "") -> LogLevelAnswer:
        """Change it as asked, if a level is named; return what is active then."""
        if asked.level is not None:
            self._keep()
            if asked.for_s is not None:
                ends = utc_now() + timedelta(seconds=asked.for_s)
                self._until = ends.isoformat(timespec="seconds")
                self._ending = asyncio.get_running_loop().call_later(asked.for_s, self._end)
            self._set(asked.level, by=person or "person")
        return LogLevelAnswer(level=LEVEL.name, until=self._until, at_start=LEVEL.at_start)

    def _keep(self) -> None:
        """Forget the end that was planned."""
        if self._ending is not None:
            self._ending.cancel()
        self._until = self._ending = None

    def _end(self) -> None:
        self._keep()
        self._set(LEVEL.at_start, by="time")

    def _set(self, level: str, *, by: str) -> None:
        """Change the level, with a line that is written if either of the two levels has lines at info."""
        before, until = LEVEL.name, {} if self._until is None else {"until": self._until}
        if before in {"debug", "info"}:
            log.info("log.level_changed", level_before=before, level_now=level, by=by, **until)
            LEVEL.change(level)
        else:
            LEVEL.change(level)
            log.info("log.level_changed", level_before=before, level_now=level, by=by, **until)
