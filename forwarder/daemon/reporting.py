"""What is reported of deliveries: to the log and the counters, and as notices to destinations."""

import asyncio
from collections.abc import Callable

from forwarder.clocks.process_clock import ProcessClock
from forwarder.clocks.wall_clock import utc_now
from forwarder.core.delivery import DestinationName
from forwarder.core.monitoring.counters import Counters
from forwarder.daemon.runtime import ActiveRuntime, RuntimeConfig
from forwarder.ingest.ingest import Ingest
from forwarder.monitoring.attempts import AttemptReporter
from forwarder.monitoring.canaries import Canaries
from forwarder.monitoring.destinations import DestinationMonitor
from forwarder.monitoring.heartbeat import HeartbeatPinger
from forwarder.monitoring.held_back import HeldBackReporter
from forwarder.monitoring.live_feed import LiveFeed
from forwarder.monitoring.quiet_hours import QuietKeeper
from forwarder.outbox.store import OutboxStore


class Reporting:
    """Holds what watches over the destinations, and changes it when a config is activated."""

    def __init__(
        self,
        *,
        monitor: DestinationMonitor,
        canaries: Canaries,
        attempts: AttemptReporter,
        held_back: HeldBackReporter,
        quiet: QuietKeeper,
        heartbeat: HeartbeatPinger,
    ) -> None:
        self.monitor = monitor
        self.canaries = canaries
        self.attempts = attempts
        self.quiet = quiet
        self.heartbeat = heartbeat
        self._held_back = held_back

    async def run(self) -> None:
        """Report what is due, forever. The canaries and the heartbeat run by themselves: they end before everything else."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.monitor.run(), name="destination monitor")
            group.create_task(self._held_back.run(), name="held back")
            group.create_task(self.attempts.run(), name="delivery summary")
            group.create_task(self.quiet.run(), name="quiet hours")

    def follow(self, runtime: RuntimeConfig) -> set[str]:
        """See `Follower`."""
        self.monitor.follow(runtime.recipients)
        self.canaries.follow(runtime.canaries)
        self.heartbeat.follow(runtime.heartbeat)
        self._held_back.follow(_names(runtime))
        self.attempts.follow(frozenset(route.name for route in runtime.routing_table.router.routes), _names(runtime))
        self.quiet.follow(runtime.routing_table.quiet, _enabled(runtime))
        return set()

    def flush_on_stop(self) -> None:
        """Report what is in memory alone: the process ends."""
        self.monitor.flush_on_stop()
        self._held_back.flush_on_stop()


async def open_reporting(
    active: ActiveRuntime,
    *,
    outbox: OutboxStore,
    ingest: Ingest,
    counters: Counters,
    clock: ProcessClock,
    live: LiveFeed,
    look: Callable[[DestinationName], None],
) -> Reporting:
    """Build it with what the outbox knows of the destinations. `look` has a lane ask the outbox again."""
    monitor = DestinationMonitor(
        await outbox.known_destinations(),
        keep=outbox.note_destination,
        post=ingest.post,
        recipients=active.runtime.recipients,
        clock=clock,
        steady=clock.steady,
    )
    canaries = Canaries(
        policies=active.runtime.canaries,
        is_paused=monitor.is_paused,
        post=ingest.post_canary,
        notify=monitor.notify_of_canary,
        clock=clock,
    )
    return Reporting(
        monitor=monitor,
        canaries=canaries,
        attempts=AttemptReporter(counters, watch=monitor, canaries=canaries, live=live),
        held_back=HeldBackReporter(ingest.limiter, post=ingest.post, known=_names(active.runtime), clock=clock),
        quiet=QuietKeeper(
            outbox,
            post=ingest.post,
            look=look,
            counters=counters,
            plan=active.routing_table.quiet,
            known=_enabled(active.runtime),
            clock=clock,
        ),
        heartbeat=HeartbeatPinger(active.runtime.heartbeat, clock=utc_now),
    )


def _enabled(runtime: RuntimeConfig) -> frozenset[DestinationName]:
    return frozenset(destination.name for destination in runtime.destinations)


def _names(runtime: RuntimeConfig) -> frozenset[DestinationName]:
    return frozenset(map(DestinationName, runtime.config.destinations))
