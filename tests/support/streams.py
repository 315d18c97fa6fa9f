"""Fakes of what a stream and a supervisor report to, and events to send."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from forwarder.core.event import NotAnEvent
from forwarder.core.streams.state import StreamState
from forwarder.streams.context import StreamContext
from forwarder.streams.faults import StreamFaultError
from forwarder.streams.pulse import Pulse
from forwarder.streams.stream import Stream
from forwarder.streams.supervisor import Supervisor


async def _ignore(_frame: bytes) -> None:
    pass


@dataclass(kw_only=True)
class FakeListener:
    """A listener that calls functions."""

    take: Callable[[bytes], Awaitable[None]] = _ignore
    on_open: Callable[[], None] = lambda: None
    on_odd_frame: Callable[[NotAnEvent], None] = lambda _kind: None
    connect_within: timedelta = timedelta(seconds=10)
    probe: asyncio.Event = field(default_factory=asyncio.Event)
    ends_in: timedelta | None = None
    heard_times: int = 0

    def opened(self, *, ends_in: timedelta | None = None) -> None:
        self.ends_in = ends_in
        self.on_open()

    def heard(self) -> None:
        self.heard_times += 1

    def note_odd_frame(self, kind: NotAnEvent) -> None:
        self.on_odd_frame(kind)


@dataclass
class Notes:
    """Keeps what a supervisor reports of gaps, and what it takes."""

    state: StreamState = field(default_factory=lambda: StreamState("main"))
    away: list[tuple[datetime, datetime, str]] = field(default_factory=list)
    opened: list[datetime] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    odd: list[NotAnEvent] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def note_away(self, stream: str, *, began: datetime, noticed: datetime, reason: str) -> None:  # noqa: ARG002 - the arguments of the real one
        self.away.append((began, noticed, reason))
        self.changed.set()

    def note_open(self, stream: str, at: datetime) -> None:  # noqa: ARG002 - the arguments of the real one
        self.opened.append(at)
        self.changed.set()

    async def take(self, frame: bytes) -> None:
        self.frames.append(frame)
        self.changed.set()

    def context(self) -> StreamContext:
        return StreamContext(
            take=self.take,
            on_odd_frame=self.odd.append,
            gaps=self,
            state=self.state,
            clock=lambda: datetime.now(UTC),
        )

    async def until(self, holds: Callable[["Notes"], bool], *, limit_s: float = 90) -> None:
        """Return once that holds. It is checked whenever something is noted, and at intervals for the state."""
        async with asyncio.timeout(limit_s):
            while not holds(self):
                self.changed.clear()
                try:
                    async with asyncio.timeout(0.05):
                        await self.changed.wait()
                except TimeoutError:
                    continue


@asynccontextmanager
async def supervised(
    stream: Stream,
    notes: Notes,
    *,
    predecessor: Supervisor | None = None,
    chance: Callable[[], float] = lambda: 0.1,
    pulse: Pulse | None = None,
) -> AsyncIterator[Supervisor]:
    """Hold a stream for the length of the block."""
    supervisor = Supervisor(stream, notes.context(), predecessor=predecessor, chance=chance, pulse=pulse)
    task = asyncio.ensure_future(supervisor.run())
    try:
        yield supervisor
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


def numbered(count: int, *, first: int = 1, source: str = "x") -> Iterator[str]:
    """Yield that many distinct events."""
    for number in range(first, first + count):
        yield (
            f'{{"mid":"{number}","sid":"7","source":"{source}","timestamp":1712072400000,'
            f'"payload":{{"id":"{number}","text":"text {number}"}}}}'
        )


async def hold_once(stream: Stream, listener: FakeListener | None = None, *, limit_s: float = 90) -> StreamFaultError:
    """Return why one connection ended."""
    try:
        async with asyncio.timeout(limit_s):
            return await stream.hold(FakeListener() if listener is None else listener)
    except StreamFaultError as fault:
        return fault
