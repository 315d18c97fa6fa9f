"""Builds the parts, starts, reloads, drains and stops them. The only place that names concrete ones."""

import asyncio
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog

from forwarder import __version__, upkeep
from forwarder.admin.handler import Handler
from forwarder.admin.server import open_control_socket
from forwarder.canary import Canaries
from forwarder.core.changes import PauseChange
from forwarder.core.config import Config
from forwarder.core.dedupe import GENERATIONS, RecentEvents
from forwarder.core.delivery import Attempt, Delivery, DestinationName, Trigger
from forwarder.core.describe import describe
from forwarder.core.destination import Destination
from forwarder.core.news import News, TooOld
from forwarder.core.preference import CAPACITY, WINDOW, FirstWords
from forwarder.core.retry import Dead, Decision, Done, Expired, Postponed
from forwarder.core.tally import Tally
from forwarder.destinations.http import open_sender
from forwarder.dispatch import Dispatcher, Lane, Observe
from forwarder.ingest import Ingest, OnEvent
from forwarder.notify import ServiceManager
from forwarder.outbox.connection import FileSettings
from forwarder.outbox.sqlite import SqliteOutbox, open_outbox
from forwarder.parts import (
    canaries_of,
    destinations_of,
    disabled_in,
    on_failure_of,
    on_full_of,
    orders_of,
    router_of,
    streams_of,
)
from forwarder.streams.faults import StreamFaultError
from forwarder.streams.supervisor import supervise, try_once
from forwarder.streams.websocket import WebSocketStream
from forwarder.summaries import Summaries
from forwarder.watch import Watch

_MAX_RECENT = 1_000_000

log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """Return now, aware, in UTC."""
    return datetime.now(UTC)


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
        config: Config,
        *,
        outbox_path: Path,
        socket_path: Path,
        load: Callable[[], Config | None],
        service: ServiceManager,
        listeners: Listeners = Listeners(),
    ) -> None:
        self._config = config
        self._outbox_path = outbox_path
        self._socket_path = socket_path
        self._load = load
        self._service = service
        self._listeners = listeners
        self._tally = Tally()
        self._log = log.bind()
        """Made once, where `log` is made again at every line: there is one for every attempt."""
        self._dispatcher = Dispatcher()
        self._lane_tasks: dict[asyncio.Task[None], Lane] = {}
        """Also those that a reload has replaced, until what they have under way has ended."""
        self._stream_tasks: dict[str, tuple[WebSocketStream, asyncio.Task[None]]] = {}
        self._started_at = utc_now()
        self._starting: asyncio.Task[Tally] | None = None
        """What opens the outbox, until it is open."""
        self._stopped = asyncio.Event()
        self._reload_wanted = asyncio.Event()

    def stop(self) -> None:
        """Drain and end `run`; a second call ends what is still under way at once."""
        if self._stopped.is_set():
            log.warning("daemon.stop_at_once", note="attempts under way end now; they are made again at the next start")
            for lane in self._lane_tasks.values():
                lane.stop(timedelta())
        self._stopped.set()
        if self._starting is not None:
            self._starting.cancel()

    def reload(self) -> None:
        """Read the config again; a bad one changes nothing."""
        self._reload_wanted.set()

    async def run(self) -> Tally:
        """Run until `stop`; return what was counted. Raises `OutboxUnusableError`, and what any internal task raises."""
        self._starting = asyncio.current_task()
        settings = self._config.outbox
        file = FileSettings(path=self._outbox_path, durability=settings.durability, max_size=settings.max_size)
        async with open_outbox(file) as outbox:
            waiting = await outbox.recover()
            ingest = await self._build_ingest(outbox)
            self._watch = Watch(
                await outbox.known_destinations(),
                keep=outbox.note_destination,
                post=ingest.post,
                on_failure=lambda name: on_failure_of(self._config, name),
                clock=utc_now,
            )
            self._canaries = Canaries(
                policies=lambda: canaries_of(self._config),
                is_paused=lambda name: self._watch.standing(name).pause is not None,
                post=ingest.post_canary,
                tell=self._watch.tell,
                clock=utc_now,
            )
            outbox.note_revision(self._config.revision, now=utc_now())
            summaries = Summaries(
                ingest.limiter,
                post=ingest.post,
                is_known=lambda name: name in self._config.destinations,
                clock=utc_now,
            )
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
            )
            async with (
                open_control_socket(self._socket_path, handler.handle),
                asyncio.TaskGroup() as group,
            ):
                background = [
                    group.create_task(outbox.watch()),
                    group.create_task(upkeep.prune(outbox, lambda: self._config.outbox)),
                    group.create_task(upkeep.keep_to_size(outbox)),
                    group.create_task(self._watch.run()),
                    group.create_task(summaries.run()),
                    group.create_task(upkeep.feed_watchdog(self._service, outbox, self._summary)),
                ]
                for destination in destinations_of(self._config):
                    self._start_lane(group, outbox, destination, has_backlog=destination.name in waiting)
                self._warn_of_orphans(waiting)
                tried = [self._start_stream(group, ingest, stream) for stream in streams_of(self._config)]
                reloading = group.create_task(self._reload_when_wanted(group, outbox, ingest))
                flying = group.create_task(self._canaries.run())
                background.append(group.create_task(self._announce(tried)))
                await self._stopped.wait()
                reloading.cancel()  # before anything else: it would start what nobody stops any more
                flying.cancel()  # what has no lane any more is not late
                self._watch.take_leave()
                summaries.take_leave()
                await self._drain()
                for task in background:
                    task.cancel()
        log.info("daemon.stopped", **self._tally.as_fields())
        return self._tally

    async def _build_ingest(self, outbox: SqliteOutbox) -> Ingest:
        window = self._config.outbox.dedupe_window
        recent = RecentEvents(window, capacity=_MAX_RECENT)
        begin = utc_now() - window
        for part in range(GENERATIONS):
            since, until = begin + part * window / GENERATIONS, begin + (part + 1) * window / GENERATIONS
            numbers = await outbox.recent_events(since=since, until=until, limit=_MAX_RECENT // GENERATIONS)
            recent.remember(numbers, latest_at=until)
        router, first_words = router_of(self._config), FirstWords()
        if router.once:
            for brought in await outbox.recent_posts(since=utc_now() - WINDOW, limit=CAPACITY):
                first_words.recall(brought, router.once)
        return Ingest(
            router=router,
            disabled=disabled_in(self._config),
            orders=orders_of(self._config),
            on_full=on_full_of(self._config),
            first_words=first_words,
            outbox=outbox,
            lanes=self._dispatcher,
            recent=recent,
            tally=self._tally,
            clock=utc_now,
            on_event=self._listeners.on_event,
        )

    async def _announce(self, tried: list[asyncio.Event]) -> None:
        """Tell the service manager that we are up: not before the first connections were tried, and even if they failed."""
        for event in tried:
            await event.wait()
        self._service.ready(self._summary())
        log.info("daemon.ready")

    async def _drain(self) -> None:
        """Take in nothing more, give what is under way the grace period, give the rest back."""
        log.info("daemon.stopping", grace_s=self._config.grace_period.total_seconds())
        self._service.stopping()
        for _, task in self._stream_tasks.values():
            task.cancel()
        for lane in self._dispatcher.lanes.values():
            lane.stop(self._config.grace_period)
        if self._lane_tasks:
            await asyncio.wait(self._lane_tasks)

    def _start_lane(
        self,
        group: asyncio.TaskGroup,
        outbox: SqliteOutbox,
        destination: Destination,
        *,
        has_backlog: bool,
    ) -> None:
        lane = Lane(
            destination,
            outbox=outbox,
            clock=utc_now,
            chance=random.random,
            observe=partial(self._note_attempt, destination),
            tell=self._hear,
            standing=self._watch.standing(destination.name),
            follows=self._is_ending(destination.name),
            bucket=self._dispatcher.bucket(destination),
            budgets=self._dispatcher.budgets(destination.allowances),
            courtesy=self._dispatcher.courtesy,
        )
        self._dispatcher.lanes[destination.name] = lane
        task = group.create_task(_run_lane(lane, has_backlog=has_backlog), name=f"lane {destination.name}")
        self._lane_tasks[task] = lane
        task.add_done_callback(self._note_lane_ended)

    def _note_lane_ended(self, task: "asyncio.Task[None]") -> None:
        name = self._lane_tasks.pop(task).destination.name
        if not self._is_ending(name):
            self._dispatcher.look_after_another(name)

    def _is_ending(self, name: DestinationName) -> bool:
        """Whether a lane of that name still has something under way beside the one in force."""
        in_force = self._dispatcher.lanes.get(name)
        return any(lane is not in_force and lane.destination.name == name for lane in self._lane_tasks.values())

    def _start_stream(self, group: asyncio.TaskGroup, ingest: Ingest, stream: WebSocketStream) -> asyncio.Event:
        tried = asyncio.Event()
        supervising = supervise(stream, ingest.take, on_odd_frame=ingest.note_odd_frame, tried=tried)
        self._stream_tasks[stream.name] = stream, group.create_task(supervising, name=f"stream {stream.name}")
        return tried

    def _pause_or_resume(self, asked: PauseChange) -> None:
        self._watch.note_change(asked, utc_now())
        log.info(f"destination.{asked.verb}d", destination=asked.destination, by="person", why=asked.why)
        lane = self._dispatcher.lanes.get(DestinationName(asked.destination))
        if lane is None:  # a reload has removed it meanwhile
            return
        if asked.verb == "pause":
            lane.pause()
        else:
            lane.resume()

    def _note_attempt(self, destination: Destination, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        match decision:
            case Done():
                self._tally.delivered += 1
            case Dead() | Expired():
                self._tally.failed_attempts += 1
                self._count_end(delivery, decision)
            case Postponed():
                self._tally.postponed += 1
            case _:
                self._tally.failed_attempts += 1
        name, fields = describe(delivery, attempt, decision)
        (self._log.warning if isinstance(decision, Dead | Expired) else self._log.info)(name, **fields)
        if not isinstance(decision, Done) or self._watch.last_failure(destination.name) is not None:
            self._watch.note_attempt(destination, delivery, attempt, decision)
        if delivery.trigger is Trigger.CANARY:
            self._canaries.note_attempt(delivery, attempt, decision)
        if self._listeners.on_attempt is not None:
            self._listeners.on_attempt(delivery, attempt, decision)

    def _hear(self, destination: Destination, news: News) -> None:
        self._watch.hear(destination, news)
        if isinstance(news, TooOld):
            self._count_end(news.delivery, Expired(reason=news.reason))
            self._canaries.note_too_old(news.delivery, news.reason)

    def _count_end(self, delivery: Delivery, decision: Dead | Expired) -> None:
        if delivery.trigger is Trigger.CANARY:
            self._tally.missed_canaries += 1
        elif isinstance(decision, Dead):
            self._tally.dead += 1
        else:
            self._tally.expired += 1

    async def _reload_when_wanted(self, group: asyncio.TaskGroup, outbox: SqliteOutbox, ingest: Ingest) -> None:
        while True:
            await self._reload_wanted.wait()
            self._reload_wanted.clear()
            self._service.reloading()
            config = await asyncio.to_thread(self._load)
            if config is not None and not self._stopped.is_set():
                self._apply(config, group, outbox, ingest)
            self._service.ready(self._summary())

    def _apply(self, config: Config, group: asyncio.TaskGroup, outbox: SqliteOutbox, ingest: Ingest) -> None:
        """Put a valid config in force, in one turn of the loop: what is unchanged keeps its connections and its memory."""
        for setting in _only_at_start(config, self._config):
            log.warning("reload.restart_needed", setting=setting, note="takes effect at the next start")
        self._config = config
        ingest.router, ingest.disabled = router_of(config), disabled_in(config)
        ingest.orders, ingest.on_full = orders_of(config), on_full_of(config)
        outbox.note_revision(config.revision, now=utc_now())
        wanted = {destination.name: destination for destination in destinations_of(config)}
        changed: set[str] = set()
        for lane in list(self._dispatcher.lanes.values()):
            name = lane.destination.name
            if wanted.get(name) != lane.destination:
                lane.stop(config.grace_period)
                del self._dispatcher.lanes[name]
                changed.add(f"destination {name}")
        for destination in wanted.values():
            if destination.name not in self._dispatcher.lanes:
                self._start_lane(group, outbox, destination, has_backlog=True)
                changed.add(f"destination {destination.name}")
        streams = {stream.name: stream for stream in streams_of(config)}
        for stream, task in list(self._stream_tasks.values()):
            if streams.get(stream.name) != stream:
                task.cancel()
                del self._stream_tasks[stream.name]
                changed.add(f"stream {stream.name}")
        for stream in streams.values():
            if stream.name not in self._stream_tasks:
                self._start_stream(group, ingest, stream)
                changed.add(f"stream {stream.name}")
        log.info("reload.done", routes=len(config.routes), restarted=sorted(changed))

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
            "state": "stopping" if self._stopped.is_set() else "running",
            "streams": sorted(self._stream_tasks),
            "destinations": {name: self._lane_status(lane) for name, lane in sorted(self._dispatcher.lanes.items())},
            "since_start": self._tally.as_fields(),
        }

    def _lane_status(self, lane: Lane) -> dict[str, object]:
        standing = self._watch.standing(lane.destination.name)
        pause, since = standing.pause, standing.failing_since
        return lane.status() | {
            "paused": None
            if pause is None
            else {"since": pause.since.isoformat(timespec="seconds"), "by": str(pause.by), "why": pause.why},
            "failing_since": None if since is None else since.isoformat(timespec="seconds"),
            "last_failure": self._watch.last_failure(lane.destination.name),
            "canary": self._canaries.status(lane.destination.name),
        }

    def _summary(self) -> str:
        tally = self._tally
        return f"{tally.seen} events seen, {tally.delivered} delivered, {tally.dead} dead"


def _only_at_start(new: Config, old: Config) -> list[str]:
    """Return the settings that changed and that a reload cannot put in force."""
    names = ("url", "durability", "max_size", "dedupe_window")
    changed = [f"outbox.{name}" for name in names if getattr(new.outbox, name) != getattr(old.outbox, name)]
    return changed + (["admin.socket"] if new.admin.socket != old.admin.socket else [])


async def try_streams(config: Config) -> dict[str, StreamFaultError | None]:
    """Open each stream of the config once; return what is wrong with it, or `None`, by its name."""
    streams = streams_of(config)
    found = await asyncio.gather(*(try_once(stream) for stream in streams))
    return {stream.name: fault for stream, fault in zip(streams, found, strict=True)}


async def _run_lane(lane: Lane, *, has_backlog: bool) -> None:
    destination = lane.destination
    async with open_sender(
        destination.url, transport=destination.transport, timeout=destination.timeout, clock=utc_now
    ) as sender:
        await lane.run(sender, has_backlog=has_backlog)
