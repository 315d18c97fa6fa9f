"""The streams that are held: each by a supervisor, replaced by a reload without a moment in which neither is connected."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from forwarder.admin.server import RequestRefusedError
from forwarder.core.event import EventId, NotAnEvent
from forwarder.core.ports import Clock
from forwarder.core.stream_state import StreamState
from forwarder.streams.connection import READ_OUT_S
from forwarder.streams.desk import Desk, Gaps
from forwarder.streams.pulse import Pulse
from forwarder.streams.stream import Stream
from forwarder.streams.supervisor import Supervisor

log = structlog.get_logger(__name__)


class Intake(Protocol):
    """Takes what comes."""

    async def take(self, frame: bytes, *, stream: str) -> None:
        """Take a frame that a stream brought."""
        ...

    def note_odd_frame(self, kind: NotAnEvent, detail: str = "") -> None:
        """Take note of one that is no event."""
        ...


class GapNotes(Gaps, Protocol):
    """What hears of gaps also hears when a stream is no more."""

    def forget(self, stream: str) -> None:
        """A reload has taken it away."""
        ...


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """Give a task group of which what the block itself raises comes out as it is, and not in a group of exceptions."""
    raised: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            try:
                yield group
            except Exception as error:
                raised = error
                raise
    except BaseExceptionGroup as several:
        if raised is not None and several.exceptions == (raised,):
            raise raised from raised.__cause__
        raise


class StreamGroup:
    """Starts supervisors as tasks of `group`, and has them end."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        *,
        intake: Intake,
        gaps: GapNotes,
        state_of: Callable[[str], StreamState],
        clock: Clock,
        pulse: Pulse | None = None,
    ) -> None:
        """`state_of` returns what the state of a stream of that name is kept in, over reloads as well."""
        self._group = group
        self._intake = intake
        self._gaps = gaps
        self._state_of = state_of
        self._clock = clock
        self._pulse = pulse
        self._in_force: dict[str, Supervisor] = {}
        self._tasks: dict[Supervisor, asyncio.Task[None]] = {}
        """Also those that are followed by another one."""

    @property
    def names(self) -> Sequence[str]:
        """Of the streams in force."""
        return list(self._in_force)

    @property
    def open_names(self) -> Sequence[str]:
        """Of those by which events can come, be it by the connection of before a reload that the new settings could not replace."""
        return [name for name, supervisor in self._in_force.items() if supervisor.is_held]

    def is_hopeless(self, until: datetime) -> bool:
        """Whether none is connected, nor will be before then: each has failed, and its next try comes later."""
        return all(
            state.next_try_at is not None and state.next_try_at > until for state in map(self._state_of, self._in_force)
        )

    def start(self, streams: Iterable[Stream]) -> list[asyncio.Event]:
        """Hold these too; return what tells of each that its first connection was tried."""
        return [self._start(stream, None).tried for stream in streams]

    def follow(self, streams: Iterable[Stream]) -> set[str]:
        """Hold these and no others; return the names of those that changed.

        One that changed goes on as it was until it is connected as it is now.
        """
        wanted = {stream.name: stream for stream in streams}
        changed: set[str] = set()
        for name in self.names:
            if name not in wanted:
                self._end(name)
                changed.add(name)
        for name, stream in wanted.items():
            present = self._in_force.get(name)
            if present is None or present.stream != stream:
                self._start(stream, present)
                changed.add(name)
        return changed

    def _start(self, stream: Stream, predecessor: Supervisor | None) -> Supervisor:
        desk = Desk(
            take=partial(self._intake.take, stream=stream.name),
            on_odd_frame=self._intake.note_odd_frame,
            gaps=self._gaps,
            state=self._state_of(stream.name),
            clock=self._clock,
        )
        supervisor = Supervisor(stream, desk, predecessor=predecessor, pulse=self._pulse)
        self._in_force[stream.name] = supervisor
        task = self._group.create_task(supervisor.run(), name=f"stream {stream.name}")
        self._tasks[supervisor] = task
        task.add_done_callback(lambda _: self._tasks.pop(supervisor))
        return supervisor

    def _end(self, name: str) -> None:
        """End whatever holds a stream of that name."""
        del self._in_force[name]
        for supervisor, task in self._tasks.items():
            if supervisor.stream.name == name:
                task.cancel()
        self._gaps.forget(name)

    def end(self) -> None:
        """Take nothing more."""
        for task in self._tasks.values():
            task.cancel()

    # While another process takes over

    @property
    def first_events(self) -> Mapping[str, Collection[EventId]]:
        """By the names of those that are connected: the ids of the first events that the connection brought."""
        return {name: each.first_events for name, each in self._in_force.items() if each.is_open}

    def note_what_is_read(self) -> None:
        """Another process is about to hold the streams as well: remember which events come from now on."""
        for supervisor in self._in_force.values():
            supervisor.note_what_is_read()

    async def read_out(self, least: timedelta, first_of: Callable[[str], Collection[EventId]]) -> None:
        """Return once everything is read that was sent before another process held the streams, which has to do so now.

        `first_of` returns, by the name of a stream, the ids of the first events that it brought there.
        """
        in_force = set(self._in_force.values())
        retired = [task for supervisor, task in self._tasks.items() if supervisor not in in_force]
        async with asyncio.TaskGroup() as reading:
            for name, supervisor in self._in_force.items():
                reading.create_task(supervisor.read_out(least, partial(first_of, name)))
            if retired:
                await asyncio.wait(retired, timeout=least.total_seconds() + READ_OUT_S)

    # What somebody wants of those in force

    def renew(self, name: str, reason: str) -> None:
        """Have a connection that is open followed by another one."""
        if (supervisor := self._in_force.get(name)) is not None:
            supervisor.renew(reason)

    def reconnect(self, name: str | None) -> dict[str, object]:
        """Have one of them, or all, connect anew, whatever they wait for. Raises `RequestRefusedError`."""
        if name is not None and name not in self._in_force:
            raise RequestRefusedError(f"no stream is called {name!r}; there are: {', '.join(sorted(self._in_force))}")
        names = self.names if name is None else [name]
        for each in names:
            self._in_force[each].reconnect("asked for by forwarder reconnect")
        return {"streams": names}

    def come_back(self, reason: str) -> None:
        """Connect those anew that are away, which may be for another process that was connected: it is gone."""
        for supervisor in self._in_force.values():
            supervisor.note_no_more()
            if not supervisor.is_open:
                supervisor.reconnect(reason)

    def wake(self, reason: str) -> None:
        """Time has passed without us."""
        log.warning("daemon.stood_still", reason=reason, note="the streams are connected anew")
        for supervisor in self._in_force.values():
            supervisor.wake(reason)

    def note_heard(self) -> None:
        """Bring the states up to date."""
        for supervisor in self._in_force.values():
            supervisor.note_heard()
