"""What the daemon does now and then for as long as it runs."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from forwarder.clock import ProcessClock
from forwarder.core.config.model import OutboxConfig
from forwarder.notify import ServiceManager
from forwarder.outbox.sqlite import SqliteOutbox

_PRUNE_EVERY = timedelta(minutes=5)
_SIZE_EVERY = timedelta(seconds=5)

log = structlog.get_logger(__name__)


async def prune(
    outbox: SqliteOutbox,
    settings: Callable[[], OutboxConfig],
    *,
    clock: ProcessClock,
    is_needed: Callable[[], bool] = lambda: False,
) -> None:
    """Remove history past its time; `settings` are those in force. `is_needed`: a successor is about to read it.

    What is older than a step of the clock forward looks older than it is, by the step: it stays as long as it would have.
    """
    while True:
        await asyncio.sleep(_PRUNE_EVERY.total_seconds())
        if is_needed():
            continue
        now, steady, keep = clock(), clock.steady(), settings()
        before = [
            now - kept - clock.steps.forward_since(steady - kept) for kept in (keep.keep_delivered, keep.keep_dead)
        ]
        pruned = await outbox.pruner.prune(delivered_before=before[0], dead_before=before[1])
        if pruned:
            log.info("outbox.pruned", events=pruned)


async def keep_to_size(outbox: SqliteOutbox) -> None:
    """Remove history before its time, where there is no room for it."""
    while True:
        await asyncio.sleep(_SIZE_EVERY.total_seconds())
        if pruned := await outbox.pruner.prune_to_size():
            log.warning("outbox.pruned_for_room", events=pruned, note="delivered history, before its time")


async def feed_watchdog_while_starting(service: ServiceManager) -> None:
    """Tell the service manager that the loop moves, while the outbox is taken over: the watchdog of a service that is up goes on."""
    interval = service.watchdog_interval
    while interval is not None:
        await asyncio.sleep(interval.total_seconds())
        service.watchdog()


async def feed_watchdog(service: ServiceManager, outbox: SqliteOutbox, summary: Callable[[], str]) -> None:
    """Tell the service manager that the loop and the writer both move; it restarts us when we stop telling."""
    interval = service.watchdog_interval
    while interval is not None:
        before = outbox.writer.beats
        outbox.writer.wake()
        await asyncio.sleep(interval.total_seconds())
        if outbox.writer.beats != before:
            service.watchdog()
        service.status(summary())
