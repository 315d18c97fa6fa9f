"""The parts of a daemon, put together in the process of a test: a real outbox, real lanes and streams, without signals or a socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from forwarder.clocks.process_clock import ProcessClock
from forwarder.clocks.wall_clock import utc_now
from forwarder.configfile import read
from forwarder.core.delivery import Attempt, Delivery
from forwarder.core.dispatch.retry import Decision, Done
from forwarder.core.monitoring.counters import Counters
from forwarder.daemon.inbound import Inbound, StreamsAtStart, open_inbound
from forwarder.daemon.outbound import Outbound
from forwarder.daemon.reporting import Reporting, open_reporting
from forwarder.daemon.runtime import ActiveRuntime, RuntimeConfig, runtime_of
from forwarder.daemon.signals import DaemonSignals
from forwarder.dispatch.dispatcher import Dispatcher
from forwarder.monitoring.live_feed import Listeners, LiveFeed
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox

MINUTE = timedelta(minutes=1)


@dataclass
class Attempts:
    """Keeps what the lanes report of their attempts."""

    made: list[tuple[Delivery, Attempt, Decision]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        self.made.append((delivery, attempt, decision))
        self.changed.set()

    @property
    def done(self) -> int:
        """How many were delivered."""
        return sum(isinstance(decision, Done) for *_, decision in self.made)

    async def until(self, holds: Callable[["Attempts"], bool], limit_s: float = 60) -> None:
        """Return once it holds, asked after each attempt."""
        async with asyncio.timeout(limit_s):
            while not holds(self):
                self.changed.clear()
                await self.changed.wait()


@dataclass
class DaemonParts:
    """What a daemon consists of, for a config in a file."""

    file: Path
    outbox_path: Path
    group: asyncio.TaskGroup
    clock: ProcessClock
    active: ActiveRuntime
    outbox: SqliteOutbox
    dispatcher: Dispatcher
    streams: StreamsAtStart
    inbound: Inbound
    reporting: Reporting
    outbound: Outbound
    signals: DaemonSignals
    counters: Counters
    attempts: Attempts

    async def bring(self, *numbers: int, sid: str = "7") -> None:
        """Take in an event for each number."""
        for number in numbers:
            await self.inbound.ingest.take(
                json.dumps(
                    {"mid": str(number), "sid": sid, "source": "x", "timestamp": 1, "payload": {"text": str(number)}}
                ).encode(),
                stream="main",
            )

    def load(self, text: str) -> RuntimeConfig:
        """Write another config into the file; return what is built of it."""
        self.file.write_text(text, encoding="utf-8")
        return built(self.file)

    def reload(self, text: str) -> set[str]:
        """Have the lanes change to another config; return what they restarted or ended."""
        runtime = self.load(text)
        self.active.activate(runtime, at=utc_now())
        return self.outbound.follow(runtime)


def built(file: Path) -> RuntimeConfig:
    """Return what is built of the config in a file."""
    loaded = read.load(file)
    assert loaded.config is not None, loaded.problems
    return runtime_of(loaded.config)


@asynccontextmanager
async def daemon_parts(
    folder: Path, text: str, *, clock: ProcessClock | None = None, durability: str = "normal"
) -> AsyncIterator[DaemonParts]:
    """Put the parts together for a config. The lanes run from `Outbound.start` on; those that run at the end are stopped."""
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    active = ActiveRuntime(built(file), at=utc_now())
    clock = ProcessClock() if clock is None else clock
    path, counters, signals, attempts = folder / "outbox.db", Counters(), DaemonSignals(), Attempts()
    async with open_outbox(FileSettings(path=path, durability=durability)) as outbox:
        clock.adopt(
            outbox.clock_steps, latest=outbox.latest_steady, next_seq=outbox.next_seq, keep=outbox.note_clock_steps
        )
        waiting = await outbox.recover()
        dispatcher = Dispatcher()
        async with asyncio.TaskGroup() as group:
            streams = StreamsAtStart(group, clock)
            inbound = await open_inbound(
                streams, active, outbox=outbox, lanes=dispatcher, counters=counters, watch=None
            )
            reporting = await open_reporting(
                active,
                outbox=outbox,
                ingest=inbound.ingest,
                counters=counters,
                clock=clock,
                live=LiveFeed(clock, Listeners(on_attempt=attempts.note)),
                look=dispatcher.look,
            )
            outbound = Outbound(
                group, outbox=outbox, dispatcher=dispatcher, reporting=reporting, clock=clock, hurry=signals.hurry
            )
            outbound.start(active, waiting)
            try:
                yield DaemonParts(
                    file,
                    path,
                    group,
                    clock,
                    active,
                    outbox,
                    dispatcher,
                    streams,
                    inbound,
                    reporting,
                    outbound,
                    signals,
                    counters,
                    attempts,
                )
            finally:
                streams.group.end()
                await outbound.end(timedelta())


def config_to(*destinations: str, to: str | None = None, rest: str = "", stream: str = "ws://127.0.0.1:9/ws") -> str:
    """Return a config with these destinations, each as `name: {…}`; all of them get every event unless `to` says which do."""
    names = [each.partition(":")[0] for each in destinations]
    lines = "".join(f"  {each}\n" for each in destinations)
    return (
        f"streams: [{{name: main, api_key: test-key, url: '{stream}'}}]\ndestinations:\n{lines}"
        f"routes: [{{name: all, to: [{to or ', '.join(names)}]}}]\n{rest}"
    )
