"""Reports a backlog of a destination to whom its `on_failure` names, and its end."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from forwarder.clocks.periodic import periodic
from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.config.runtime import ActiveConfig, backlog_limits_of
from forwarder.core.destinations.destination import BacklogLimit
from forwarder.core.monitoring import notices
from forwarder.core.monitoring.backlog import excess, is_over
from forwarder.outbox.problems import OutboxUnreadableError
from forwarder.outbox.store import OutboxStore

_LOOK_EVERY = timedelta(seconds=10)

log = structlog.get_logger(__name__)


class Backlogs:
    """Looks how much waits. Which backlogs were reported is only in memory: after a restart one that lasts is reported again."""

    def __init__(
        self,
        outbox: OutboxStore,
        active: ActiveConfig,
        *,
        clock: ProcessClock,
        notify: Callable[[notices.Notice], None],
    ) -> None:
        """`notify` sends a notice to whom the `on_failure` of its destination names."""
        self._outbox = outbox
        self._active = active
        self._clock = clock
        self._notify = notify
        self._reported: dict[BacklogLimit, datetime] = {}
        """Which are above their limit, and since when, in steady time."""

    async def run(self) -> None:
        """Look every ten seconds, forever."""
        await periodic(_LOOK_EVERY, self.look)

    async def look(self) -> None:
        """Compare what waits with each limit, and report what has changed."""
        wanted = backlog_limits_of(self._active.config)
        self._reported = {limit: since for limit, since in self._reported.items() if limit in wanted}
        for limit in wanted:
            await self._compare(limit)

    async def _compare(self, limit: BacklogLimit) -> None:
        steady = self._clock.steady()
        before = self._clock.accepted_before(limit.age or timedelta())
        try:
            found = await self._outbox.backlog(limit, before=before)
        except OutboxUnreadableError:  # which is reported elsewhere
            return
        since = self._reported.get(limit)
        if since is None and (reason := excess(limit, found)):
            self._reported[limit] = steady
            log.warning("destination.backlog", destination=limit.of, reason=reason)
            self._notify(notices.BACKLOG.about(limit.of, reason=reason))
        elif since is not None and is_over(limit, found):
            del self._reported[limit]
            log.warning(
                "destination.caught_up", destination=limit.of, after_s=round((steady - since).total_seconds(), 1)
            )
            self._notify(notices.BACKLOG_OVER.about(limit.of, time=steady - since))
