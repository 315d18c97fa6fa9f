"""Builds the parts, starts, reloads, drains and stops them. The only place that names concrete ones."""

import asyncio
import os
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
from forwarder.core.recovered import CAPACITY as MOST_RECOVERED
from forwarder.core.recovered import RecoveredPosts
from forwarder.core.retry import Dead, Decision, Done, Expired, Postponed
from forwarder.core.stream_state import StreamState
from forwarder.core.tally import Tally
from forwarder.dispatch import Dispatcher, Lane, Observe
from forwarder.gap_keeper import GapKeeper, kept_of
from forwarder.ingest import Ingest, OnEvent
from forwarder.notify import ServiceManager
from forwarder.outbox.access import count_waiting
from forwarder.outbox.connection import FileSettings
from forwarder.outbox.sqlite import SqliteOutbox, open_outbox
from forwarder.parts import Parts, canaries_of, histories_of, on_failure_of, parts_of, streams_of
from forwarder.reload import Reloader, Source
from forwarder.repair import Repairer
from forwarder.running import Running
from forwarder.stream_group import StreamGroup
from forwarder.streams.faults import StreamFaultError
from forwarder.streams.standstill import watch_standstill
from forwarder.streams.supervisor import try_once
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
    _streams: StreamGroup
    _canaries: Canaries

    def __init__(
        self,
        source: Source,
        *,
        outbox_path: Path,
        socket_path: Path,
        service: ServiceManager,
        listeners: Listeners = Listeners(),
    ) -> None:
        self._config = source.config
        self._outbox_path = outbox_path
        self._socket_path = socket_path
        self._service = service
        self._listeners = listeners
        self._tally = Tally()
        self._log = log.bind()
        """Made once, where `log` is made again at every line: there is one for every attempt."""
        self._dispatcher = Dispatcher()
        self._running: Running | None = None
        self._started_at = utc_now()
        self._starting: asyncio.Task[Tally] | None = None
        """What opens the outbox, until it is open."""
        self._stopped = asyncio.Event()
        self._gaps = GapKeeper(
            streams=lambda: kept_of(
                [(each.name, each.api_key.reveal(), each.gap_repair) for each in self._config.streams]
            ),
            on_repairable=self._wake_repairer,
            clock=utc_now,
        )
        self._repairer: Repairer | None = None
        self._states: dict[str, StreamState] = {}
        self._reloader = Reloader(
            source,
            put_in_force=self._put_in_force,
            waiting=lambda: count_waiting(outbox_path),
            service=service,
            summary=self._summary,
            clock=utc_now,
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

    def reload(self) -> None:
        """Read the config again; a bad one changes nothing."""
        self._reloader.want()

    async def run(self) -> Tally:
        """Run until `stop`; return what was counted. Raises `OutboxUnusableError`, and what any internal task raises."""
        self._starting = asyncio.current_task()
        settings = self._config.outbox
        file = FileSettings(path=self._outbox_path, durability=settings.durability, max_size=settings.max_size)
        async with open_outbox(file) as outbox:
            waiting = await outbox.recover()
            parts = parts_of(self._config)
            ingest = await self._build_ingest(outbox, parts)
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
            await self._gaps.begin(outbox.gaps)
            self._repairer = repairer = Repairer(
                book=outbox.gaps,
                intake=ingest,
                sources=lambda: histories_of(self._config),
                recall=lambda since: _words_since(
                    since - WINDOW, outbox, ingest.router.once, window=utc_now() - since + timedelta(days=1)
                ),
                kept_for=lambda: self._config.outbox.keep_delivered,
                clock=utc_now,
                chance=random.random,
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
                reload=self._reloader.reload,
                diff=self._reloader.diff,
                reconnect=self._reconnect,
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
                self._streams = streams = StreamGroup(
                    group, intake=ingest, gaps=self._gaps, state_of=self._state_of, clock=utc_now
                )
                background += [
                    group.create_task(self._gaps.run()),
                    group.create_task(watch_standstill(streams.wake)),
                ]
                self._running = running = Running(
                    group,
                    outbox=outbox,
                    dispatcher=self._dispatcher,
                    ingest=ingest,
                    streams=streams,
                    standing=self._watch.standing,
                    observe=self._note_attempt,
                    tell=self._hear,
                    clock=utc_now,
                )
                tried = running.start(parts, waiting.keys())
                self._warn_of_orphans(waiting)
                reloading = group.create_task(self._reloader.run())
                flying = group.create_task(self._canaries.run())
                repairing = group.create_task(repairer.run())
                background.append(group.create_task(self._announce(tried)))
                await self._stopped.wait()
                reloading.cancel()  # before anything else: it would start what nobody stops any more
                repairing.cancel()  # it takes in what then has to be given out
                flying.cancel()  # what has no lane any more is not late
                self._watch.take_leave()
                self._gaps.take_leave()
                summaries.take_leave()
                log.info("daemon.stopping", grace_s=self._config.grace_period.total_seconds())
                self._service.stopping()
                await running.end(self._config.grace_period)
                for task in background:
                    task.cancel()
        log.info("daemon.stopped", **self._tally.as_fields())
        return self._tally

    async def _build_ingest(self, outbox: SqliteOutbox, parts: Parts) -> Ingest:
        window = self._config.outbox.dedupe_window
        recent = RecentEvents(window, capacity=_MAX_RECENT)
        begin = utc_now() - window
        for part in range(GENERATIONS):
            since, until = begin + part * window / GENERATIONS, begin + (part + 1) * window / GENERATIONS
            numbers = await outbox.recent_events(since=since, until=until, limit=_MAX_RECENT // GENERATIONS)
            recent.remember(numbers, latest_at=until)
        recovered = RecoveredPosts(window)
        recovered.recall(await outbox.gaps.recovered_events(since=begin, limit=MOST_RECOVERED))
        return Ingest(
            router=parts.router,
            disabled=parts.disabled,
            orders=parts.orders,
            on_full=parts.on_full,
            first_words=await _words_since(utc_now() - WINDOW, outbox, parts.router.once),
            outbox=outbox,
            lanes=self._dispatcher,
            recent=recent,
            recovered=recovered,
            tally=self._tally,
            clock=utc_now,
            on_event=self._listeners.on_event,
        )

    def _wake_repairer(self) -> None:
        if self._repairer is not None:
            self._repairer.wake()

    async def _announce(self, tried: list[asyncio.Event]) -> None:
        """Tell the service manager that we are up: not before the first connections were tried, and even if they failed."""
        for event in tried:
            await event.wait()
        self._service.ready(self._summary())
        log.info("daemon.ready")

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

    def _reconnect(self, stream: str | None) -> dict[str, object]:
        return self._streams.reconnect(stream)

    def _state_of(self, stream: str) -> StreamState:
        return self._states.setdefault(stream, StreamState(stream))

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

    def _put_in_force(self, config: Config, parts: Parts) -> set[str] | None:
        """Have everything follow another config, in one turn of the loop."""
        if self._running is None or self._stopped.is_set():
            return None
        self._config = config
        self._wake_repairer()
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
            "state": "stopping" if self._stopped.is_set() else "running",
            "config": self._reloader.status(),
            "streams": sorted(self._streams.names),
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


async def _words_since(
    since: datetime, outbox: SqliteOutbox, once: frozenset[str], *, window: timedelta = WINDOW
) -> FirstWords:
    """Return what is known of the first words and full texts since then; `once` are the routes that want one of the two."""
    words = FirstWords(window)
    if once:
        for brought in await outbox.recent_posts(since=since, limit=CAPACITY):
            words.recall(brought, once)
    return words


async def try_streams(config: Config) -> dict[str, StreamFaultError | None]:
    """Open each stream of the config once; return what is wrong with it, or `None`, by its name."""
    streams = streams_of(config)
    found = await asyncio.gather(*(try_once(stream) for stream in streams))
    return {stream.name: fault for stream, fault in zip(streams, found, strict=True)}
