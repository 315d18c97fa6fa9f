"""A time in which the outbox cannot be written: said when it begins, now and then while it lasts, and when it is over."""

from time import monotonic

import structlog

from forwarder.outbox.problems import WriteFault

_BUSY_IS_USUAL_S = 2.0
"""For so long another program may hold the file without a word about it."""
_SAY_AGAIN_S = 30.0

log = structlog.get_logger(__name__)


class Trouble:
    """Begins with a first failure, and ends with a success."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._said_at = 0.0
        self.reason: str | None = None
        """Why nothing can be written now; `None` while all is well, or as good as."""

    def note(self, fault: WriteFault, reason: str, *, events_in_memory: int) -> None:
        """A write failed."""
        now = monotonic()
        self._since = self._since or now
        if fault is WriteFault.BUSY and now - self._since < _BUSY_IS_USUAL_S:
            return
        if self.reason is None or now - self._said_at >= _SAY_AGAIN_S:
            self._said_at = now
            log.error(
                "outbox.degraded",
                reason=reason,
                fault=fault.name.lower(),
                events_in_memory=events_in_memory,
                note="cannot be written now; delivering goes on from memory, and what is waiting is kept and tried again",
            )
        self.reason = reason

    def end(self) -> None:
        """A write was well."""
        since, self._since = self._since, None
        if self.reason is not None and since is not None:
            self.reason = None
            log.info("outbox.recovered", after_s=round(monotonic() - since, 1))
