"""Whether the outbox can be written, and the log lines when that begins, while it lasts, and when it is over."""

from time import monotonic

import structlog

from forwarder.outbox.sqlite.file.database import Database
from forwarder.outbox.sqlite.file.file_guard import FileGuard
from forwarder.outbox.sqlite.file.problems import WriteFault

_BUSY_IS_USUAL_S = 2.0
"""How long another program may hold the file before that is logged."""
_SAY_AGAIN_S = 30.0

log = structlog.get_logger(__name__)


class WriteOutage:
    """A time in which nothing can be written. It begins with a failed write and ends with a successful one."""

    def __init__(self, database: Database, guard: FileGuard) -> None:
        self._database = database
        self._guard = guard
        self._since: float | None = None
        self._said_at = 0.0
        self._reason: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written now, or not to the right place; `None` while writing works."""
        if self._database.is_stuck:
            return f"the disk has not answered for {self._database.stands_for_s:.0f} s"
        return self._guard.gone or self._reason

    def note_failure(self, fault: WriteFault, reason: str, *, events_in_memory: int) -> None:
        """Note that a write failed."""
        now = monotonic()
        self._since = self._since or now
        if fault is WriteFault.BUSY and now - self._since < _BUSY_IS_USUAL_S:
            return
        if self._reason is None or now - self._said_at >= _SAY_AGAIN_S:
            self._said_at = now
            log.error(
                "outbox.degraded",
                reason=reason,
                fault=fault.name.lower(),
                events_in_memory=events_in_memory,
                note="cannot be written now; delivery continues from memory, and what is waiting is kept and tried again",
            )
        self._reason = reason

    def note_success(self) -> None:
        """Note that a write succeeded."""
        since, self._since = self._since, None
        if self._reason is not None and since is not None:
            self._reason = None
            log.info("outbox.recovered", after_s=round(monotonic() - since, 1))
