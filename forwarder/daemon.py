"""Builds the parts, starts, reloads, drains and stops them. The only place that names concrete ones."""

import asyncio
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic

import structlog

from forwarder import __version__, upkeep
from forwarder.admin.handler import Handler
from forwarder.admin.server import open_control_socket
from forwarder.attempts import Attempts
from forwarder.canary import Canaries
from forwarder.clock import ProcessClock, utc_now
from forwarder.core.changes import PauseChange
from forwarder.core.config import Config
from forwarder.core.delivery import DestinationName
from forwarder.core.tally import Tally
from forwarder.dispatch import Dispatcher, Lane, Observe
from forwarder.handover import HandOver
from forwarder.ingest import Ingest, OnEvent
from forwarder.logs import log_status
from forwarder.notify import ServiceManager
from forwarder.outbox.access import count_waiting
from forwarder.outbox.connection import FileSettings
from forwarder.outbox.sqlite import SqliteOutbox, open_outbox
from forwarder.parts import Parts, all_on_failure_of, canaries_of, on_failure_of, parts_of, streams_of
from forwarder.recall import first_words, recent_events, recovered_posts
from forwarder.reload import Reloader, Source
from forwarder.running import Running
from forwarder.stream_group import task_group
from forwarder.stream_side import StreamSide
from forwarder.streams.faults import StreamFaultError
from forwarder.streams.trial import try_once
from forwarder.summaries import Summaries
from forwarder.takeover import Takeover
from forwarder.watch import Watch

_COPIES_REACH_BACK = timedelta(minutes=1)
"""A server may send a new connection some of the last events again."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Who else hears of events and attempts: the demo."""

    on_event: OnEvent | None = None
    on_attempt: Observe | None = None


class Daemon:
    """One run of forwarder: `run` lasts until `stop`, or until an internal task fails, which it raises."""

    _watch: Watch
    _canaries: Canaries

    def __init__(
        self,
        source: Source,
        *,
        outbox_path: Path,
        socket_path: Path,
        service: ServiceManager,
        listeners: Listeners = Listeners(),
        takeover: Takeover | None = None,
    ) -> None:
        """`takeover`: another daemon runs, and this one comes in its place."""
        self._config = source.config
        self._outbox_path = outbox_path
        self._socket_path = socket_path
        self._service = service
        self._listeners = listeners
        self._takeover = takeover
        self._tally = Tally()
        self._dispatcher = Dispatcher()
        self._running: Running | None = None
        self._clock = ProcessClock()
        self._outbox: SqliteOutbox | None = None
        self._started_at = utc_now()
        self._starting: asyncio.Task[Tally] | None = None
        """What opens the outbox, until it is open."""
        self._stopped = asyncio.Event()
        self._streams = StreamSide(lambda: self._config, self._clock)
        self._reloader = Reloader(
            source,
            put_in_force=self._put_in_force,
            waiting=lambda: count_waiting(outbox_path),
            service=service,
            summary=self._summary,
            clock=utc_now,
        )
        self._hand_over = HandOver(
            outbox_path=outbox_path,
            service=service,
            grace=lambda: self._config.grace_period,
            streams=lambda: self._streams.group,
            is_stopping=self._stopped.is_set,
            leave=self._stopped.set,
            on_announced=self._note_announced,
            on_lost=self._note_lost,
        )

    def stop(self) -> None:
        """Drain and end `run`; a second call ends what is still under way at once."""
        if self._stopped.is_set():
            log.warning("daemon.stop_at_once", note="attempts under way end now; they are made again at the next start")
            if self._running is not None:
                self._running.hurry()
        self._stopped.set()
        if self._starting is not None:
            self._starting.cancel()

    def upgrade(self) -> None:
        """Start a successor, and leave it the place when it is ready; one that is not changes nothing."""
        self._hand_over.want_upgrade()

    def reload(self) -> None:
        """Read the config again; a bad one changes nothing."""
        self._reloader.want()

    async def run(self) -> Tally:
        """Run until `stop`, or until another process takes over; return what was counted.

        Raises `OutboxUnusableError`, `TakeoverError`, `SuccessorLostError`, and what any internal task raises.
        """
        self._starting = asyncio.current_task()
        parts = parts_of(self._config)
        async with task_group() as holding:
            self._streams.form(holding)
            if self._takeover is None:
                await self._run(parts, patience=None, tried=None)
            else:
                tried = self._streams.start(parts.streams)
                patience = await self._takeover.ask(tried, self._streams.group)
                meanwhile = [
                    holding.create_task(upkeep.feed_watchdog_while_starting(self._service)),
                    holding.create_task(self._takeover.tell_first_events(self._streams.group)),
                ]
                try:
                    await self._run(parts, patience=patience, tried=tried)
                except asyncio.CancelledError:  # told to stop before there was an outbox
                    self._drop_kept(is_noted=False)
                    raise
                for task in meanwhile:
                    task.cancel()
        if self._hand_over.is_left:
            self._hand_over.check_successor()
            log.info("daemon.handed_over", **self._tally.as_fields())
        else:
            log.info("daemon.stopped", **self._tally.as_fields())
        return self._tally

    async def _run(self, parts: Parts, *, patience: timedelta | None, tried: list[asyncio.Event] | None) -> None:
        """Run from the opening of the outbox to its end. `tried`: the streams are held already."""
        settings = self._config.outbox
        file = FileSettings(path=self._outbox_path, durability=settings.durability, max_size=settings.max_size)
        async with open_outbox(file, patience=patience) as outbox:
            self._clock.adopt(
                outbox.clock_steps,
                latest=outbox.latest_steady,
                next_seq=outbox.next_seq,
                keep=outbox.note_clock_steps,
            )
            self._outbox = outbox
            waiting = await outbox.recover()
            ingest = await self._ingest_of(outbox, parts)
            self._watch = Watch(
                await outbox.known_destinations(),
                keep=outbox.note_destination,
                post=ingest.post,
                on_failure=lambda name: on_failure_of(self._config, name),
                on_any_failure=lambda: all_on_failure_of(self._config),
                clock=self._clock,
                steady=self._clock.steady,
            )
            self._canaries = Canaries(
                policies=lambda: canaries_of(self._config),
                is_paused=lambda name: self._watch.standing(name).pause is not None,
                post=ingest.post_canary,
                tell=self._watch.tell,
                clock=self._clock,
            )
            attempts = Attempts(
                self._tally, watch=self._watch, canaries=self._canaries, on_attempt=self._listeners.on_attempt
            )
            outbox.note_revision(self._config.revision, now=self._clock())
            summaries = Summaries(
                ingest.limiter,
                post=ingest.post,
                is_known=lambda name: name in self._config.destinations,
                clock=self._clock,
            )
            await self._streams.begin(outbox, ingest)
            self._starting = None
            log.info(
                "daemon.started",
                outbox=str(self._outbox_path),
                durability=self._config.outbox.durability,
                waiting=sum(waiting.values()),
            )
            handler = Handler(
                outbox,
                destinations=self._dispatcher.lanes.keys,
                look=self._dispatcher.look,
                pause=self._pause_or_resume,
                status=self._status,
                reload=self._reloader.reload,
                diff=self._reloader.diff,
                succession=self._hand_over,
                reconnect=self._streams.reconnect,
                is_paused=lambda name: self._watch.standing(DestinationName(name)).pause is not None,
            )
            async with (
                open_control_socket(self._socket_path, handler.handle, group=self._config.admin.group),
                asyncio.TaskGroup() as group,
            ):
                background = [
                    group.create_task(outbox.watch()),
                    group.create_task(
                        upkeep.prune(outbox, lambda: self._config.outbox, clock=self._clock, is_needed=self._is_read)
                    ),
                    group.create_task(upkeep.keep_to_size(outbox)),
                    group.create_task(self._watch.run()),
                    group.create_task(self._clock.run()),
                    group.create_task(summaries.run()),
                    group.create_task(upkeep.feed_watchdog(self._service, outbox, self._summary)),
                    group.create_task(self._streams.run()),
                ]
                self._running = running = Running(
                    group,
                    outbox=outbox,
                    dispatcher=self._dispatcher,
                    ingest=ingest,
                    streams=self._streams.group,
                    standing=self._watch.standing,
                    observe=attempts.note,
                    tell=attempts.hear,
                    clock=self._clock,
                    steady=self._clock.steady,
                )
                running.start(parts, waiting.keys())
                opening = group.create_task(self._open())
                if tried is None:
                    tried = self._streams.start(parts.streams)
                self._warn_of_orphans(waiting)
                self._watch.report_pauses(self._dispatcher.lanes)
                background += [
                    group.create_task(self._announce(tried)),
                    group.create_task(self._hand_over.run()),
                ]
                reloading = group.create_task(self._reloader.run())
                flying = group.create_task(self._canaries.run())
                repairing = group.create_task(self._streams.repair())
                await self._stopped.wait()
                reloading.cancel()  # before anything else: it would start what nobody stops any more
                repairing.cancel()  # it takes in what then has to be given out
                flying.cancel()  # what has no lane any more is not late
                grace, began = self._config.grace_period, monotonic()
                await asyncio.wait([opening], timeout=grace.total_seconds() / 2)  # it may wait for room in memory
                opening.cancel()
                self._drop_kept(is_noted=True)
                grace = max(grace - timedelta(seconds=monotonic() - began), timedelta())
                self._watch.take_leave()
                self._streams.take_leave(is_handed_over=self._hand_over.is_left)
                summaries.take_leave()
                log.info("daemon.stopping", grace_s=round(grace.total_seconds(), 1))
                if not self._hand_over.is_left:
                    self._service.stopping()
                await running.end(grace)
                for task in background:
                    task.cancel()
            if self._hand_over.is_left:
                self._hand_over.conclude()

    async def _ingest_of(self, outbox: SqliteOutbox, parts: Parts) -> Ingest:
        return Ingest(
            router=parts.router,
            disabled=parts.disabled,
            orders=parts.orders,
            on_full=parts.on_full,
            first_words=await first_words(outbox, parts.router, self._clock.steady),
            outbox=outbox,
            lanes=self._dispatcher,
            recent=await recent_events(outbox, self._config.outbox.dedupe_window, self._clock.steady),
            recovered=await recovered_posts(outbox, self._config.outbox.dedupe_window, self._clock.steady),
            tally=self._tally,
            clock=self._clock,
            steady=self._clock.steady,
            on_event=self._listeners.on_event,
            on_arrival=self._streams.note_arrival,
        )

    async def _open(self) -> None:
        """Let what came since the streams are open go on, and whatever comes."""
        kept = await self._streams.open()
        if self._takeover is not None:
            log.info("takeover.done", frames_kept=kept)

    def _drop_kept(self, *, is_noted: bool) -> None:
        """Say what is lost of what came during a takeover: nobody can take it in any more."""
        if frames := self._streams.drop(is_noted=is_noted):
            log.error(
                "takeover.frames_lost", frames=frames, note="stopped before they could be taken in; forwarder gaps"
            )

    async def _announce(self, tried: list[asyncio.Event]) -> None:
        """Tell the service manager that we are up: not before the first connections were tried, and even if they failed."""
        for event in tried:
            await event.wait()
        self._service.ready(self._summary())
        log.info("daemon.ready")

    def _pause_or_resume(self, asked: PauseChange) -> None:
        self._watch.note_change(asked)
        log.info(f"destination.{asked.verb}d", destination=asked.destination, by="person", why=asked.why)
        lane = self._dispatcher.lanes.get(DestinationName(asked.destination))
        if lane is None:  # a reload has removed it meanwhile
            return
        if asked.verb == "pause":
            lane.pause()
        else:
            lane.resume()

    def _note_announced(self) -> None:
        """A successor knows copies of what both receive by what it reads in the outbox: that stays there."""
        if self._outbox is not None:
            self._outbox.need_history(utc_now() - _COPIES_REACH_BACK)

    def _note_lost(self) -> None:
        if self._outbox is not None:
            self._outbox.need_history(None)
        self._streams.come_back()

    def _is_read(self) -> bool:
        """Whether a successor is about to read what the outbox holds of the last minutes."""
        return self._hand_over.is_announced

    def _put_in_force(self, config: Config, parts: Parts) -> set[str] | None:
        """Have everything follow another config, in one turn of the loop."""
        if self._running is None or self._stopped.is_set():
            return None
        self._config = config
        self._streams.follow(config)
        return self._running.follow(parts)

    def _warn_of_orphans(self, waiting: dict[DestinationName, int]) -> None:
        for name, count in waiting.items():
            if name not in self._dispatcher.lanes:
                log.warning(
                    "outbox.no_such_destination",
                    destination=name,
                    waiting=count,
                    note="kept; delivered once the config has an enabled destination of this name",
                )

    def _status(self) -> dict[str, object]:
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started_at": self._started_at.isoformat(timespec="seconds"),
            "state": self._state(),
            "config": self._reloader.status(),
            "clock_jumped": self._clock.status(),
            **self._streams.status(),
            "destinations": {name: self._lane_status(lane) for name, lane in sorted(self._dispatcher.lanes.items())},
            "since_start": self._tally.as_fields(),
            "log": log_status(),
        }

    def _state(self) -> str:
        if self._hand_over.is_left:
            return "handing over"
        return "stopping" if self._stopped.is_set() else "running"

    def _lane_status(self, lane: Lane) -> dict[str, object]:
        standing = self._watch.standing(lane.destination.name)
        pause, since = standing.pause, standing.failing_since
        return lane.status() | {
            "paused": None
            if pause is None
            else {"since": pause.since.isoformat(timespec="seconds"), "by": str(pause.by), "why": pause.why},
            "failing_since": None if since is None else self._clock.wall_of(since).isoformat(timespec="seconds"),
            "last_failure": self._watch.last_failure(lane.destination.name),
            "canary": self._canaries.status(lane.destination.name),
        }

    def _summary(self) -> str:
        tally = self._tally
        return f"{tally.seen} events seen, {tally.delivered} delivered, {tally.dead} dead"


async def try_streams(config: Config) -> dict[str, StreamFaultError | None]:
    """Open each stream of the config once; return what is wrong with it, or `None`, by its name."""
    streams = streams_of(config)
    found = await asyncio.gather(*(try_once(stream) for stream in streams))
    return {stream.name: fault for stream, fault in zip(streams, found, strict=True)}
