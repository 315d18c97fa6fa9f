"""One run of forwarder, from its start to its stop. It builds every part; how a part is built says `daemon/` and the part's own room."""

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog

from forwarder.clocks.process_clock import ProcessClock
from forwarder.clocks.wall_clock import utc_now
from forwarder.core.actions import start_of
from forwarder.core.monitoring.counters import Counters
from forwarder.core.monitoring.verdict import judge_flow
from forwarder.daemon import housekeeping
from forwarder.daemon.admin_side import AdminParts, AdminSide
from forwarder.daemon.backlogs import Backlogs
from forwarder.daemon.fallbacks import Fallbacks
from forwarder.daemon.first_connections import announce, beat
from forwarder.daemon.housekeeping import ServiceStatus
from forwarder.daemon.inbound import StreamsAtStart, open_inbound
from forwarder.daemon.kept_frames import KeptFrames
from forwarder.daemon.orderly_stop import GracePeriod, OrderlyStop
from forwarder.daemon.outbound import Outbound
from forwarder.daemon.reload import ConfigSource, Reloader
from forwarder.daemon.reporting import open_reporting
from forwarder.daemon.runtime import ActiveRuntime, runtime_of
from forwarder.daemon.signals import DaemonSignals
from forwarder.daemon.status import StatusReporter
from forwarder.daemon.task_group import task_group
from forwarder.daemon.tracing import open_tracing
from forwarder.dispatch.dispatcher import Dispatcher
from forwarder.monitoring.live_feed import NOBODY, Listeners, LiveFeed
from forwarder.outbox.open import count_waiting, open_outbox
from forwarder.systemd import ServiceManager
from forwarder.upgrade.handover import Handover
from forwarder.upgrade.takeover import Takeover

log = structlog.get_logger(__name__)


class Daemon:
    """One run of forwarder: `run` lasts until `stop`, or until an internal task fails, which it raises."""

    def __init__(
        self,
        source: ConfigSource,
        *,
        outbox_path: Path,
        socket_path: Path,
        service: ServiceManager,
        listeners: Listeners = NOBODY,
        takeover: Takeover | None = None,
    ) -> None:
        """`takeover`: another daemon runs, and this one takes its place."""
        self._source = source
        self._outbox_path = outbox_path
        self._socket_path = socket_path
        self._service = service
        self._listeners = listeners
        self._takeover = takeover
        self._signals = DaemonSignals()
        self.counters = Counters()
        self._opening: asyncio.Task[Counters] | None = None
        """What opens the outbox, until it is open: a stop cancels it."""

    def stop(self) -> None:
        """Finish the attempts under way and end `run`; a second call does not wait for them."""
        if self._signals.stopped.is_set():
            log.warning("daemon.stop_at_once", note="attempts under way end now; they are made again at the next start")
            self._signals.hurry.set()
        self._signals.stopped.set()
        if self._opening is not None:
            self._opening.cancel()

    def upgrade(self) -> None:
        """Start a successor and hand over to it when it is ready; a successor that fails changes nothing."""
        self._signals.upgrade_wanted.set()

    def reload(self) -> None:
        """Read the config again; a bad one changes nothing."""
        self._signals.reload_wanted.set()

    async def run(self) -> Counters:
        """Run until `stop`, or until another process takes over; return what was counted.

        Raises `OutboxUnusableError`, `TakeoverError`, `SuccessorLostError`, and what any internal task raises.
        """
        self._opening = asyncio.current_task()
        active = ActiveRuntime(runtime_of(self._source.config), at=utc_now())
        service = ServiceStatus(self._service, self.counters)
        async with task_group() as tasks:
            streams = StreamsAtStart(tasks, ProcessClock())
            if self._takeover is None:
                handover = await self._run(active, streams, service, patience=None, tried=None, meanwhile=[])
            else:
                tried = streams.group.start(active.runtime.streams)
                patience = await self._takeover.ask(tried, streams.group)
                meanwhile = [
                    tasks.create_task(service.feed_watchdog_while_starting()),
                    tasks.create_task(self._takeover.report_first_events(streams.group)),
                ]
                try:
                    handover = await self._run(
                        active, streams, service, patience=patience, tried=tried, meanwhile=meanwhile
                    )
                except asyncio.CancelledError:  # asked to stop before there was an outbox
                    KeptFrames(streams).drop(is_noted=False)
                    raise
        if handover.is_left:
            handover.check_successor()
            log.info("daemon.handed_over", **self.counters.as_fields())
        else:
            log.info("daemon.stopped", **self.counters.as_fields())
        return self.counters

    async def _run(
        self,
        active: ActiveRuntime,
        streams: StreamsAtStart,
        service: ServiceStatus,
        *,
        patience: timedelta | None,
        tried: list[asyncio.Event] | None,
        meanwhile: "list[asyncio.Task[None]]",
    ) -> Handover:
        """Run from the opening of the outbox to its end. `tried`: the streams are started already, and these are set once each was tried.

        `meanwhile`: what ends once the outbox is taken over.
        """
        clock, counters, settings = streams.clock, self.counters, active.config.outbox
        async with OrderlyStop() as stop:
            # Open first.
            tracer = await stop.enter_async_context(open_tracing(active.config.tracing, clock))
            outbox = await stop.enter_async_context(
                open_outbox(
                    self._outbox_path, durability=settings.durability, max_size=settings.max_size, patience=patience
                )
            )
            clock.adopt(
                outbox.clock_steps,
                latest=outbox.latest_steady,
                next_seq=outbox.next_seq,
                keep=outbox.note_clock_steps,
            )
            waiting = await outbox.recover()
            if tracer is not None:
                outbox.watch_commits(tracer.note_committed)
            live = LiveFeed(clock, self._listeners, tracer=tracer)
            dispatcher = Dispatcher()
            inbound = await open_inbound(
                streams, active, outbox=outbox, lanes=dispatcher, counters=counters, watch=live
            )
            reporting = await open_reporting(
                active,
                outbox=outbox,
                ingest=inbound.ingest,
                counters=counters,
                clock=clock,
                live=live,
                look=dispatcher.look,
            )
            self._opening = None  # from here on a stop is an orderly one
            log.info(
                "daemon.started",
                outbox=str(self._outbox_path),
                durability=settings.durability,
                waiting=sum(waiting.values()),
            )
            digest = self._source.loaded.digest
            outbox.note_config(digest, start_of(digest), now=utc_now())

            # Then build whole.
            handover = Handover(
                outbox_path=self._outbox_path,
                outbox=outbox,
                streams=streams.group,
                active=active,
                service=self._service,
                stopped=self._signals.stopped,
                upgrade_wanted=self._signals.upgrade_wanted,
            )
            stop.on_stop(lambda: handover.conclude() if handover.is_left else None)
            group = await stop.enter_async_context(task_group())
            outbound = Outbound(
                group,
                outbox=outbox,
                dispatcher=dispatcher,
                reporting=reporting,
                clock=clock,
                hurry=self._signals.hurry,
                tracer=tracer,
            )
            reloader = Reloader(
                self._source,
                active=active,
                followers=(inbound, reporting, outbound),
                signals=self._signals,
                waiting=partial(count_waiting, self._outbox_path),
                service=service,
                clock=utc_now,
                note_config=lambda digest, edit: outbox.note_config(digest, edit, now=utc_now()),
            )
            reporter = StatusReporter(
                started_at=streams.began,
                clock=clock,
                counters=counters,
                inbound=inbound,
                dispatcher=dispatcher,
                reporting=reporting,
                active=active,
            )
            admin = AdminSide(
                AdminParts(
                    active=active,
                    outbox=outbox,
                    outbox_path=self._outbox_path,
                    outbound=outbound,
                    streams=streams.group,
                    reloader=reloader,
                    handover=handover,
                    reporter=reporter,
                    live=live,
                    tracing=lambda: None if tracer is None else tracer.status(),
                    stopped=self._signals.stopped,
                )
            )
            await stop.enter_async_context(admin.open_socket(self._socket_path))
            stop.on_stop(live.close)

            # Then start. Each step registers what the stop does about it.
            background = [
                group.create_task(outbox.watch()),
                group.create_task(housekeeping.prune(outbox, active, clock=clock, is_needed=handover.needs_history)),
                group.create_task(housekeeping.keep_to_size(outbox)),
                group.create_task(service.feed_watchdog(outbox)),
                group.create_task(service.show_verdict(admin.report, utc_now)),
                group.create_task(clock.run()),
                group.create_task(reporting.run()),
                group.create_task(inbound.run()),
                group.create_task(handover.run()),
                group.create_task(outbound.hurry()),
                group.create_task(outbound.end_pauses()),
                group.create_task(Backlogs(outbox, active, clock=clock, notify=reporting.monitor.notify).run()),
                group.create_task(Fallbacks(outbox, active, clock=clock, look=outbound.look).run()),
                *admin.start_web(group),
            ]
            stop.on_stop(lambda: _cancel(background))
            if meanwhile:  # from here on the watchdog is fed only while the writer moves, first after an interval
                self._service.watchdog()
                _cancel(meanwhile)
            outbound.start(active, waiting)
            grace = GracePeriod(lambda: active.config.grace_period)
            stop.on_stop(lambda: outbound.end(grace.left()))
            stop.on_stop(streams.group.end)
            stop.on_stop(lambda: self._announce_stop(handover, grace))
            stop.on_stop(lambda: inbound.flush_on_stop(is_handed_over=handover.is_left))
            stop.on_stop(reporting.flush_on_stop)
            kept = KeptFrames(streams)
            opening = group.create_task(kept.hand_on(inbound, is_takeover=self._takeover is not None))
            stop.on_stop(lambda: kept.finish(opening, grace))
            if tried is None:
                tried = streams.group.start(active.runtime.streams)
            background.append(group.create_task(announce(tried, service)))
            first_to_end = [
                group.create_task(reloader.run()),  # it would start what nobody stops any more
                group.create_task(reloader.watch()),
                group.create_task(inbound.repair()),  # it takes in what then has to be given out
                group.create_task(reporting.canaries.run()),  # what has no lane any more is not late
                group.create_task(beat(tried, reporting.heartbeat, lambda: judge_flow(admin.report(), now=utc_now()))),
            ]
            stop.on_stop(lambda: _cancel(first_to_end))
            await self._signals.stopped.wait()
        return handover

    def _announce_stop(self, handover: Handover, grace: GracePeriod) -> None:
        log.info("daemon.stopping", grace_s=round(grace.left().total_seconds(), 1))
        if not handover.is_left:
            self._service.stopping()


def _cancel(tasks: "list[asyncio.Task[None]]") -> None:
    for task in tasks:
        task.cancel()
