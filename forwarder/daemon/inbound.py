"""The inbound side: streams, ingest, the record of gaps and their repair, and what watches over the streams."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.counted import counted
from forwarder.core.monitoring.counters import Counters
from forwarder.core.routing.first_word import WINDOW, FirstWords
from forwarder.core.streams.state import StreamStates
from forwarder.daemon.runtime import ActiveRuntime, RuntimeConfig
from forwarder.gaps.recorder import GapRecorder, gaps_left
from forwarder.gaps.repair import Repairer
from forwarder.ingest.ingest import EventWatch, Ingest, IngestListeners, IngestMemory, Lanes
from forwarder.ingest.startup_buffer import StartupBuffer, StartupGapNotes
from forwarder.monitoring.stream_stats import StreamStats
from forwarder.monitoring.streams import StreamWatchdog
from forwarder.outbox.restore import first_words, recent_events, recovered_posts, words_since
from forwarder.outbox.store import OutboxStore
from forwarder.streams.group import StreamGroup
from forwarder.streams.pulse import Pulse
from forwarder.streams.suspend_detector import watch_standstill


class StreamsAtStart:
    """The stream group, and the buffers that keep what the streams report until there is an outbox."""

    def __init__(self, tasks: asyncio.TaskGroup, clock: ProcessClock) -> None:
        """The streams become tasks of `tasks`; none is started yet."""
        self.clock = clock
        self.began = clock()
        self.states = StreamStates()
        self.frames = StartupBuffer(clock)
        self.gap_notes = StartupGapNotes()
        self.pulse = Pulse()
        self.group = StreamGroup(
            tasks, intake=self.frames, gaps=self.gap_notes, states=self.states, clock=clock, pulse=self.pulse
        )

    def drop(self, *, is_noted: bool) -> int:
        """Give up the frames that are still in the buffer; return how many they are.

        `is_noted`: they are recorded as a gap. Without an outbox to write it to, the next start finds a gap that has them in it.
        """
        dropped = self.frames.drop()
        for stream, what in dropped.items() if is_noted else ():
            self.gap_notes.note_away(
                stream,
                began=what.since,
                noticed=self.clock(),
                reason=f"forwarder was stopped during a takeover, with {counted(what.frames, 'frame')} not taken in",
            )
        return sum(what.frames for what in dropped.values())


class Inbound:
    """Takes events in: holds everything between the streams and the lanes, and changes it when a config is activated."""

    def __init__(
        self,
        streams: StreamsAtStart,
        *,
        ingest: Ingest,
        recorder: GapRecorder,
        repairer: Repairer,
        stats: StreamStats,
        watchdog: StreamWatchdog,
    ) -> None:
        self.streams = streams.group
        self.ingest = ingest
        self.stats = stats
        self._at_start = streams
        self._recorder = recorder
        self._repairer = repairer
        self._watchdog = watchdog

    async def open(self) -> int:
        """Hand what the streams have received so far to ingest, and from then on everything that follows; return how many frames were kept."""
        return await self._at_start.frames.open(self.ingest)

    async def run(self) -> None:
        """Watch over the streams, forever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._recorder.run(), name="gaps")
            group.create_task(self._watchdog.run(), name="stream watchdog")
            group.create_task(self.stats.run(), name="stream stats")
            group.create_task(watch_standstill(self.streams.wake, self._at_start.pulse), name="standstill")

    def gaps(self) -> dict[str, int]:
        """Return how many gaps of each stream were recorded since the start."""
        return self._recorder.recorded()

    def repair_off(self) -> dict[str, str]:
        """Return why gaps are not repaired now although the config asks for it, by the name of the stream."""
        return self._repairer.off()

    async def repair(self) -> None:
        """Repair gaps, forever."""
        await self._repairer.run()

    def follow(self, runtime: RuntimeConfig) -> set[str]:
        """See `Follower`."""
        self.ingest.follow(runtime.routing_table.router.limits)
        self.stats.follow(runtime.config.streams, runtime.config.expect)
        self._recorder.follow(runtime.gap_settings)
        self._repairer.follow(runtime.repair)
        return {f"stream {name}" for name in self.streams.follow(runtime.streams)}

    async def flush_on_stop(self, *, is_handed_over: bool) -> None:
        """Record that what is open will be away, unless a successor holds it already."""
        await self.streams.read_what_is_there()
        self._recorder.flush_on_stop(self.streams.read_until, is_handed_over=is_handed_over)


async def open_inbound(
    streams: StreamsAtStart,
    active: ActiveRuntime,
    *,
    outbox: OutboxStore,
    lanes: Lanes,
    counters: Counters,
    watch: EventWatch | None,
) -> Inbound:
    """Build the inbound side with what the outbox knows of the time before, and hand it what the streams reported meanwhile.

    The frames stay in the buffer until `Inbound.open`.
    """
    clock = streams.clock
    router, window = active.routing_table.router, active.config.outbox.dedupe_window
    memory = IngestMemory(
        recent=await recent_events(outbox, window, clock.steady),
        recovered=await recovered_posts(outbox, window, clock.steady),
        first_words=await first_words(outbox, router, clock.steady),
    )
    memory.limiter.follow(router.limits)
    repair_wanted = asyncio.Event()
    recorder = GapRecorder(
        outbox.gaps,
        active.runtime.gap_settings,
        await gaps_left(outbox.gaps, began=streams.began),
        repair_wanted=repair_wanted,
        clock=clock,
    )
    stats = StreamStats(streams.states, clock, was_open=recorder.was_open)
    stats.follow(active.config.streams, active.config.expect)
    ingest = Ingest(
        active=active,
        memory=memory,
        outbox=outbox,
        lanes=lanes,
        counters=counters,
        clock=clock,
        listeners=IngestListeners(watch=watch, on_arrival=stats.note_arrival),
    )
    repairer = Repairer(
        book=outbox.gaps,
        intake=ingest,
        settings=active.runtime.repair,
        wanted=repair_wanted,
        recall=_recall_from(outbox, active, clock),
        clock=clock,
    )
    watchdog = StreamWatchdog(
        active=active,
        states=streams.states,
        met=stats.met,
        renew=streams.group.renew,
        post=ingest.post,
        clock=clock,
    )
    streams.gap_notes.open(recorder)
    return Inbound(streams, ingest=ingest, recorder=recorder, repairer=repairer, stats=stats, watchdog=watchdog)


def _recall_from(
    outbox: OutboxStore, active: ActiveRuntime, clock: ProcessClock
) -> Callable[[datetime], Awaitable[FirstWords]]:
    """Return what reads from the outbox which destinations had which posts since a moment."""

    async def recall(since: datetime) -> FirstWords:
        return await words_since(
            clock.steady_of(since) - WINDOW,
            outbox,
            active.routing_table.router,
            window=clock() - since + timedelta(days=1),
        )

    return recall
