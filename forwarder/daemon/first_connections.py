"""What begins once each stream was tried for the first time: before that, a stream that is not open is not away."""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from forwarder.core.monitoring.verdict import Verdict
from forwarder.daemon.housekeeping import ServiceStatus
from forwarder.monitoring.heartbeat import HeartbeatPinger

log = structlog.get_logger(__name__)


async def announce(tried: Iterable[asyncio.Event], service: ServiceStatus) -> None:
    """Report to the service manager that we are up, even if a first connection failed. Each of `tried` is set once a stream was tried."""
    await _all(tried)
    service.ready()
    log.info("daemon.ready")


async def beat(tried: Iterable[asyncio.Event], heartbeat: HeartbeatPinger, verdict: Callable[[], Verdict]) -> None:
    """Send the heartbeat from then on, forever."""
    await _all(tried)
    await heartbeat.run(verdict)


async def _all(tried: Iterable[asyncio.Event]) -> None:
    for event in tried:
        await event.wait()
