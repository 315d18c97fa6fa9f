"""The active streams: each has a supervisor, and a reload replaces it without a moment in which none is connected."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog

from forwarder.clocks.boot_time import boot_time
from forwarder.core.commands import RequestRefusedError
from forwarder.core.event import EventId
from forwarder.core.ports import Clock, FrameSink, GapNotes
from forwarder.core.streams.state import StreamStates
from forwarder.core.yaml.problems import no_such
from forwarder.streams.connection import READ_OUT_S
from forwarder.streams.context import StreamContext
from forwarder.streams.pulse import Pulse
from forwarder.streams.stream import Stream
from forwarder.streams.supervisor import Supervisor

_TURNS = 5
"""After so many turns of the event loop, what was in the socket has come, or the first of it where it is much."""

log = structlog.get_logger(__name__)


class StreamGroup:
    """Runs one supervisor per stream, as tasks of `group`, and replaces them when the config changes."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        *,
        intake: FrameSink,
        gaps: GapNotes,
        states: StreamStates,
        clock: Clock,
        pulse: Pulse | None = None,
    ) -> None:
        self._group = group
        self._intake = intake
        self._gaps = gaps
        self._states = states
        self._clock = clock
        self._pulse = pulse
        self._active: dict[str, Supervisor] = {}
        self._tasks: dict[Supervisor, asyncio.Task[None]] = {}
        """All running supervisors, also those that have a successor."""

    @property
    def names(self) -> Sequence[str]:
        """The names of the active streams."""
        return list(self._active)

    @property
    def open_names(self) -> Sequence[str]:
        """The names of the streams by which events can come; a connection from before a reload counts until it is replaced."""
        return [name for name, supervisor in self._active.items() if supervisor.is_active]

    async def read_what_is_there(self) -> None:
        """Let the connections read what has arrived. Of one that brought nothing in a few turns of the loop, everything is read."""
        began = boot_time()
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        for supervisor in self._active.values():
            supervisor.note_looked(began)

    @property
    def read_until(self) -> Mapping[str, datetime]:
        """Until when everything that each open stream sent has surely been read. If we close it now, the rest may be lost."""
        every = {name: supervisor.read_until for name, supervisor in self._active.items()}
        return {name: moment for name, moment in every.items() if moment is not None}

    def is_hopeless(self, until: datetime) -> bool:
        """Whether no stream is connected, or will be before then: each has failed, and its next try is later."""
        return all(
            state.next_try_at is not None and state.next_try_at > until for state in map(self._states.of, self._active)
        )

    def start(self, streams: Iterable[Stream]) -> list[asyncio.Event]:
        """Hold these streams too; return for each an event that is set once its first connection was tried."""
        return [self._start(stream, None).tried for stream in streams]

    def follow(self, streams: Iterable[Stream]) -> set[str]:
        """Hold these streams and no others; return the names of those that changed or ended.

        A stream that changed keeps its old connection until it is connected with its new settings.
        """
        wanted = {stream.name: stream for stream in streams}
        changed: set[str] = set()
        for name in self.names:
            if name not in wanted:
                self._end(name)
                changed.add(name)
        for name, stream in wanted.items():
            present = self._active.get(name)
            if present is None or present.stream != stream:
                self._start(stream, present)
                if present is not None:
                    changed.add(name)
        return changed

    def _start(self, stream: Stream, predecessor: Supervisor | None) -> Supervisor:
        context = StreamContext(
            take=partial(self._intake.take, stream=stream.name, is_public=stream.is_public),
            on_odd_frame=self._intake.note_odd_frame,
            gaps=self._gaps,
            state=self._states.of(stream.name),
            clock=self._clock,
        )
        supervisor = Supervisor(stream, context, predecessor=predecessor, pulse=self._pulse)
        self._active[stream.name] = supervisor
        task = self._group.create_task(supervisor.run(), name=f"stream {stream.name}")
        self._tasks[supervisor] = task
        task.add_done_callback(lambda _: self._tasks.pop(supervisor))
        return supervisor

    def _end(self, name: str) -> None:
        """End all supervisors of the stream with that name."""
        read_until = self._active.pop(name).read_until
        for supervisor, task in self._tasks.items():
            if supervisor.stream.name == name:
                task.cancel()
        self._gaps.forget(name, read_until=read_until)
        self._states.of(name).note_removed()

    def end(self) -> None:
        """End all streams."""
        for task in self._tasks.values():
            task.cancel()

    # While another process takes over

    @property
    def first_events(self) -> Mapping[str, Collection[EventId]]:
        """The ids of the first events of each open connection, by the name of its stream."""
        return {name: each.first_events for name, each in self._active.items() if each.is_open}

    def remember_events(self) -> None:
        """Remember from now on which events come: another process is about to hold the streams as well."""
        for supervisor in self._active.values():
            supervisor.remember_events()

    async def read_out(self, least: timedelta, first_of: Callable[[str], Collection[EventId]]) -> None:
        """Return once everything is read that was sent before another process held the streams. It must hold them by now.

        `first_of` returns the ids of the first events that the other process received, by the name of the stream.
        """
        active = set(self._active.values())
        retired = [task for supervisor, task in self._tasks.items() if supervisor not in active]
        async with asyncio.TaskGroup() as reading:
            for name, supervisor in self._active.items():
                reading.create_task(supervisor.read_out(least, partial(first_of, name)))
            if retired:
                await asyncio.wait(retired, timeout=least.total_seconds() + READ_OUT_S)

    # Requests to renew and reconnect

    def renew(self, name: str, reason: str) -> None:
        """Replace the open connection of a stream, if it has one."""
        if (supervisor := self._active.get(name)) is not None:
            supervisor.renew(reason)

    def reconnect(self, name: str | None) -> dict[str, list[str]]:
        """Reconnect one stream, or all, even while they wait for a retry. Raises `RequestRefusedError`."""
        if name is not None and name not in self._active:
            raise RequestRefusedError(no_such("stream", name, sorted(self._active)))
        names = list(self.names) if name is None else [name]
        for each in names:
            self._active[each].reconnect("requested by forwarder reconnect")
        return {"streams": names}

    def come_back(self, reason: str) -> None:
        """Reconnect the streams that are away: another process that may have replaced their connections has ended."""
        for supervisor in self._active.values():
            supervisor.forget_events()
            if not supervisor.is_open:
                supervisor.reconnect(reason)

    def wake(self, reason: str) -> None:
        """React to a standstill of the process or the machine."""
        log.warning("daemon.stood_still", reason=reason, note="reconnecting all streams")
        for supervisor in self._active.values():
            supervisor.wake(reason)

    def note_heard(self) -> None:
        """Write into the states when something was last received."""
        for supervisor in self._active.values():
            supervisor.note_heard()
