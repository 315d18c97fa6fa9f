"""What the daemon does now and then for as long as it runs."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from forwarder.clocks.periodic import periodic
from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.config.runtime import ActiveConfig
from forwarder.core.monitoring.counters import Counters
from forwarder.core.monitoring.status import StatusReport
from forwarder.core.monitoring.verdict import judge
from forwarder.outbox.store import OutboxStore
from forwarder.systemd import ServiceManager

_PRUNE_EVERY = timedelta(minutes=5)
_SIZE_EVERY = timedelta(seconds=5)
_SHOW_EVERY = timedelta(seconds=5)
_LONGEST_VERDICT = 500
"""Characters of the verdict that `systemctl status` shows."""

log = structlog.get_logger(__name__)


async def prune(
    outbox: OutboxStore,
    active: ActiveConfig,
    *,
    clock: ProcessClock,
    is_needed: Callable[[], bool] = lambda: False,
) -> None:
    """Remove history past its time; `is_needed`: a successor is about to read it.

    What is older than a step of the clock forward looks older than it is, by the step: it stays as long as it would have.
    """

    async def look() -> None:
        if is_needed():
            return
        keep = active.config.outbox
        before = [clock.accepted_before(kept) for kept in (keep.keep_delivered, keep.keep_dead)]
        pruned = await outbox.prune(delivered_before=before[0], dead_before=before[1])
        if pruned:
            log.info("outbox.pruned", events=pruned)

    await periodic(_PRUNE_EVERY, look)


async def keep_to_size(outbox: OutboxStore) -> None:
    """Remove history before its time, where there is no room for it."""

    async def look() -> None:
        if pruned := await outbox.prune_to_size():
            log.warning("outbox.pruned_for_room", events=pruned, note="delivered history, before its time")

    await periodic(_SIZE_EVERY, look)


class ServiceStatus:
    """Reports to the service manager how the service is: the verdict, with a line of counts."""

    def __init__(self, service: ServiceManager, counters: Counters) -> None:
        self._service = service
        self._counters = counters
        self._shown = ""
        """The verdict and the counts that were shown last."""

    def ready(self) -> None:
        """The service is up, or has finished reloading."""
        self._service.ready(self._shown or self._counters.summary())

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it."""
        self._service.reloading()

    async def feed_watchdog_while_starting(self) -> None:
        """Report that the event loop moves, while the outbox is taken over: the watchdog of a running service is active meanwhile."""
        interval = self._service.watchdog_interval
        if interval is not None:
            await periodic(interval, self._service.watchdog)

    async def feed_watchdog(self, outbox: OutboxStore) -> None:
        """Report that the event loop and the writer both move; the service manager restarts us when we stop reporting."""
        interval = self._service.watchdog_interval
        if interval is None:
            return
        before = outbox.beats
        outbox.wake()

        def look() -> None:
            nonlocal before
            if outbox.beats != before:
                self._service.watchdog()
            before = outbox.beats
            outbox.wake()

        await periodic(interval, look)

    async def show_verdict(self, report: Callable[[], StatusReport], now: Callable[[], datetime]) -> None:
        """Show the service manager the verdict with a line of counts, within 5 s of each change; `now` is by the wall clock."""
        if not self._service.is_there:
            return

        def look() -> None:
            text = f"{judge(report(), now=now()).line[:_LONGEST_VERDICT]}; {self._counters.summary()}"
            if text != self._shown:
                self._shown = text
                self._service.status(text)

        await periodic(_SHOW_EVERY, look)
