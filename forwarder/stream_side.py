"""The stream side of a daemon: its streams, the record of when they were away, the repair of that, and the watch over them."""

import asyncio
import random
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta

from forwarder.clock import ProcessClock
from forwarder.core.config import Config
from forwarder.core.delivery import DestinationName
from forwarder.core.event import Event
from forwarder.core.preference import WINDOW
from forwarder.gap_keeper import GapKeeper, kept_of
from forwarder.ingest import Ingest
from forwarder.outbox.sqlite import SqliteOutbox
from forwarder.parts import histories_of
from forwarder.recall import words_since
from forwarder.repair import Repairer
from forwarder.silence import SilenceWatch
from forwarder.stream_group import StreamGroup
from forwarder.stream_watch import StreamWatch
from forwarder.streams.gate import Gate
from forwarder.streams.pulse import Pulse
from forwarder.streams.standstill import watch_standstill
from forwarder.streams.stream import Stream


class StreamSide:
    """Built before there is an outbox: streams may be held already, and what they bring is kept until `open`."""

    group: StreamGroup
    _ingest: Ingest
    _repairer: Repairer

    def __init__(self, config: Callable[[], Config], clock: ProcessClock) -> None:
        """`config` is the one in force."""
        self._config = config
        self._clock = clock
        self._gate = Gate(clock)
        self._pulse = Pulse()
        self._is_begun = False
        self._gaps = GapKeeper(
            streams=lambda: kept_of(
                [(each.name, each.api_key.reveal(), each.gap_repair) for each in self._config().streams]
            ),
            on_repairable=self._wake_repairer,
            clock=clock,
        )
        self._watch = StreamWatch(clock, was_open=self._gaps.was_open)
        self._watch.follow(config().streams)
        self._silence = SilenceWatch(
            config=config, state_of=self._watch.state_of, renew=self._renew, post=self._post, clock=clock
        )

    def form(self, group: asyncio.TaskGroup) -> None:
        """Have the streams be tasks of this group; none is held yet."""
        self.group = StreamGroup(
            group,
            intake=self._gate,
            gaps=self._gaps,
            state_of=self._watch.state_of,
            clock=self._clock,
            pulse=self._pulse,
        )

    def start(self, streams: Iterable[Stream]) -> list[asyncio.Event]:
        """Hold these; return what tells of each that its first connection was tried."""
        return self.group.start(streams)

    async def begin(self, outbox: SqliteOutbox, ingest: Ingest) -> None:
        """Have an outbox from now on, and what takes events in."""
        self._ingest = ingest
        self._repairer = Repairer(
            book=outbox.gaps,
            intake=ingest,
            sources=lambda: histories_of(self._config()),
            recall=lambda since: words_since(
                self._clock.steady_of(since) - WINDOW,
                outbox,
                ingest.router,
                window=self._clock() - since + timedelta(days=1),
            ),
            kept_for=lambda: self._config().outbox.keep_delivered,
            clock=self._clock,
            chance=random.random,
        )
        self._is_begun = True
        await self._gaps.begin(outbox.gaps)

    async def open(self) -> int:
        """Let what came since the streams are open go on, and whatever comes; return how many frames were kept."""
        return await self._gate.open(self._ingest)

    def drop(self, *, is_noted: bool) -> int:
        """Give up what came since the streams are open and was not let go on; return how many frames that are.

        `is_noted`: as a gap. Without an outbox to write it to, it is part of the one that the next start finds.
        """
        dropped = self._gate.drop()
        for stream, what in dropped.items() if is_noted else ():
            self._gaps.note_away(
                stream,
                began=what.since,
                noticed=self._clock(),
                reason=f"forwarder was stopped during a takeover, with {what.frames} frames not taken in",
            )
        return sum(what.frames for what in dropped.values())

    async def run(self) -> None:
        """For ever: watch over the streams."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._gaps.run(), name="gaps")
            group.create_task(self._silence.run(), name="silence")
            group.create_task(self._watch.run(), name="stream watch")
            group.create_task(watch_standstill(self.group.wake, self._pulse), name="standstill")

    async def repair(self) -> None:
        """For ever: repair gaps."""
        await self._repairer.run()

    def follow(self, config: Config) -> None:
        """Follow another config; the streams themselves are `group`'s."""
        self._watch.follow(config.streams)
        self._wake_repairer()

    def take_leave(self, *, is_handed_over: bool) -> None:
        """Note that what is open will be away, unless a successor holds it already."""
        self._gaps.take_leave(is_handed_over=is_handed_over)

    def note_arrival(self, event: Event, stream: str, is_new: bool) -> None:
        """Take note of a copy of an event."""
        self._watch.note_arrival(event, stream, is_new)
        self._silence.note_arrival(event, stream, is_new)

    # What the operator sees and asks for

    @property
    def open_names(self) -> Collection[str]:
        """The streams that are connected."""
        return self.group.open_names

    def come_back(self) -> None:
        """Connect again what another process has displaced: it has ended."""
        self.group.come_back("the process that was to take over has ended")

    def reconnect(self, stream: str | None) -> dict[str, object]:
        """Have a stream, or all, connect anew."""
        return self.group.reconnect(stream)

    def status(self) -> dict[str, object]:
        """Return how they are."""
        self.group.note_heard()
        return {"streams": self._watch.status(), "lag_ms": self._watch.lag()}

    def _wake_repairer(self) -> None:
        if self._is_begun:
            self._repairer.wake()

    def _renew(self, stream: str, reason: str) -> None:
        self.group.renew(stream, reason)

    def _post(self, event: Event, to: DestinationName, made_by: str) -> None:
        self._ingest.post(event, to, made_by)
