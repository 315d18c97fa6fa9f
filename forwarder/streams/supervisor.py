"""Keeps one stream connected: reconnects when a connection ends, and opens the next one before it closes a good one.

A connection is renewed when it is too old, when its token expires, when it has gone quiet, when the machine slept, and when
a person asks for it. The old connection stays open until the new one is. For a moment both bring everything; the duplicates are
dropped by ingest.
"""

import asyncio
import random
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from forwarder.clocks.boot_time import boot_time
from forwarder.core.event import EventId
from forwarder.streams.connection import StreamConnection
from forwarder.streams.context import StreamContext
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.overlap import Overlap
from forwarder.streams.pulse import Pulse
from forwarder.streams.reconnect_schedule import ReconnectSchedule
from forwarder.streams.renewal import next_look_s, reason_to_renew
from forwarder.streams.reporter import StreamReporter
from forwarder.streams.stream import Stream

_SHORT_CONNECT, _LONG_CONNECT = timedelta(seconds=2), timedelta(seconds=10)
"""The kernel repeats a lost SYN after 1 s, then after 3 and 7. While a path may come back at any moment each try lasts 2 s, so that
there is a SYN every second. When it has been down for long, a try lasts as long as slow networks need."""
_PATIENT_AFTER_S = 60.0

log = structlog.get_logger(__name__)


class Supervisor:
    """Keeps one stream connected while `run` runs: until `retire`, or until it is cancelled."""

    def __init__(
        self,
        stream: Stream,
        context: StreamContext,
        *,
        predecessor: "Supervisor | None" = None,
        chance: Callable[[], float] = random.random,
        pulse: Pulse | None = None,
    ) -> None:
        """`predecessor` holds the stream with its settings from before a reload; it is retired once this one has a connection."""
        self.stream = stream
        self.tried = asyncio.Event()
        """Set once the first connection is open or has failed."""
        self._context = context
        self._reporter = StreamReporter(context)
        self._predecessor = predecessor
        self._pulse = Pulse() if pulse is None else pulse
        self._overlap = Overlap(context, answers_within=stream.answers_within)
        self._closing: set[asyncio.Task[None]] = set()
        """Old connections that are being read and closed."""
        self._successor: Supervisor | None = None
        if predecessor is not None:
            predecessor.note_successor(self)
        self._schedule = ReconnectSchedule(chance)
        self._present: StreamConnection | None = None
        self._following: StreamConnection | None = None
        """The connection that is being opened, alongside the present one or after its end."""
        self._down_since = boot_time()
        self._is_suspect = False
        """The present connection may be dead."""
        self._probed_at = 0.0
        """When the present connection was last asked for a sign of life, by `boot_time`."""
        self._has_stood_still = False
        """The process stood still since the present connection was opened: what is read from it may be old."""
        self._wanted = asyncio.Event()
        """Set when another connection is to be opened now."""
        self._retired = asyncio.Event()
        self._is_taken_over = False
        """Another process is about to hold the stream as well."""

    @property
    def is_open(self) -> bool:
        """Whether events can come by its own connection."""
        return self._present is not None and self._present.is_open

    @property
    def is_active(self) -> bool:
        """Whether events can come by its own connection, or by one of a predecessor."""
        return self.is_open or (self._predecessor is not None and self._predecessor.is_active)

    @property
    def read_until(self) -> datetime | None:
        """Until when everything that was sent has surely been read; `None` if no event can come anyway."""
        if self._present is not None and self._present.is_open:
            return self._context.wall_time(self._present.read_until)
        return None if self._predecessor is None else self._predecessor.read_until

    def note_looked(self, since: float) -> None:
        """The event loop has had its turns since then, by `boot_time`."""
        if self._present is not None:
            self._present.note_looked(since)
        if self._predecessor is not None:
            self._predecessor.note_looked(since)

    def renew(self, reason: str, *, is_suspect: bool = False) -> None:
        """Replace the open connection: open another one, then close it. Without an open connection, do nothing.

        `is_suspect`: the present one may be dead, which makes a gap unless something is received on it.
        """
        if not self.is_open or self._wanted.is_set():
            return
        log.info("stream.renewing", stream=self.stream.name, reason=reason)
        self._is_suspect |= is_suspect
        self._wanted.set()

    def wake(self, reason: str) -> None:
        """React to a standstill of the process or the machine: an open connection may be dead, and every wait is over."""
        if self.is_open:
            self._is_suspect = self._has_stood_still = True
            self.renew(reason, is_suspect=True)
        else:
            self._wanted.set()

    def reconnect(self, reason: str) -> None:
        """Open a new connection now, because a person asks for it."""
        self._schedule.forgive()
        self.renew(reason)
        self._wanted.set()

    def retire(self) -> None:
        """End `run`, and that of its predecessor, after the overlap: a successor has an open connection."""
        self._retired.set()
        if self._predecessor is not None:
            self._predecessor.retire()
            self._predecessor = None

    def note_successor(self, successor: "Supervisor") -> None:
        """Remember which supervisor holds the stream as soon as it has a connection."""
        self._successor = successor

    @property
    def following(self) -> StreamConnection | None:
        """The connection that is being opened, if there is one."""
        return self._following

    def note_heard(self) -> None:
        """Write into the state when something was last received."""
        if self._present is not None:
            self._reporter.heard(self._present)

    async def run(self) -> None:
        """Hold the stream."""
        async with asyncio.TaskGroup() as group:
            holding = group.create_task(self._hold(group), name=f"stream {self.stream.name} supervisor")
            await self._retired.wait()
            holding.cancel()
            if self._present is not None:
                await self._overlap.read_out(self._present, self._first_of_successor)
            for connection in (self._present, self._following):
                if connection is not None:
                    await connection.close()

    async def _hold(self, group: asyncio.TaskGroup) -> None:
        while True:
            await self._wait_for_turn()
            following = await self._open(group)
            if following is None:
                continue
            old, self._present, self._following = self._present, following, None
            self._schedule.clear()
            self._note_open()
            is_over_unnoted = old is not None and not old.is_end_noted and self._has_stood_still
            if old is not None and (old.is_open or is_over_unnoted):  # its end was taken for one that is followed
                self._close_old(group, old, following)
            self._is_suspect = self._has_stood_still = False
            self._wanted.clear()
            if following.is_over:
                self._note_end(following)
            await self._watch(following)

    def _close_old(self, group: asyncio.TaskGroup, old: StreamConnection, following: StreamConnection) -> None:
        """Read and close an old connection, as a task of the group."""
        closing = self._overlap.close_old(
            old,
            following,
            suspect_since=self._probed_at if self._is_suspect else None,
            must_answer=self._has_stood_still,
        )
        task = group.create_task(closing, name=f"stream {self.stream.name} overlap")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    # While another process takes over

    @property
    def first_events(self) -> Collection[EventId]:
        """The ids of the first events that the present connection brought."""
        return () if self._present is None else self._present.first_events

    def remember_events(self) -> None:
        """Remember from now on which events come: another process is about to hold the stream as well."""
        self._is_taken_over = True
        if self._present is not None:
            self._present.remember_events()
        if self._predecessor is not None:
            self._predecessor.remember_events()

    def forget_events(self) -> None:
        """Stop remembering which events come: the other process has ended."""
        self._is_taken_over = False
        if self._present is not None:
            self._present.forget_events()
        if self._predecessor is not None:
            self._predecessor.forget_events()

    async def read_out(self, least: timedelta, first_of_next: Callable[[], Collection[EventId]]) -> None:
        """Return once everything is read that was sent before another process held the stream. It must hold it by now."""
        async with asyncio.TaskGroup() as group:
            if self._present is not None and self._present.is_open:
                group.create_task(self._overlap.read_out(self._present, first_of_next, least=least))
            if self._predecessor is not None:
                group.create_task(self._predecessor.read_out(least, first_of_next))
            if self._closing:
                await asyncio.wait(self._closing)

    # Opening

    async def _open(self, group: asyncio.TaskGroup) -> StreamConnection | None:
        """Return a connection that is open, or `None` if the try has failed, which is noted.

        A request that comes from here on is not forgotten if this try fails: another one follows at once.
        """
        self._wanted.clear()
        self._following = connection = StreamConnection(
            self.stream,
            take=self._context.take,
            on_odd_frame=self._context.on_odd_frame,
            connect_within=_SHORT_CONNECT if self._may_be_back_soon() else _LONG_CONNECT,
            on_end=self._note_end,
            pulse=self._pulse,
        )
        if self._present is not None:
            self._present.remember_events()
        if self._is_taken_over:
            connection.remember_events()
        connection.start(group)
        await connection.settled.wait()
        if connection.opened_at is not None:
            return connection
        await connection.over(within_s=None)
        fault = connection.fault
        if fault is not None:  # it would be None where we are being cancelled
            if fault.is_reached:
                self._schedule.note_reached(fault.connections)
            if self._present is not None:
                self._note_end(self._present)  # where this one was to take its place
            self._note_failure(fault, connection)
        if self._present is not None and not self._is_taken_over:
            self._present.forget_events()
        self.tried.set()
        return None

    def _may_be_back_soon(self) -> bool:
        return self._schedule.is_path_new and boot_time() - self._down_since < _PATIENT_AFTER_S

    async def _wait_for_turn(self) -> None:
        """Wait as long as the last fault asks for, or until a connection is wanted at once."""
        next_try = self._schedule.take()
        if next_try is None:
            return
        self._reporter.waiting(next_try, is_active=self.is_active)
        with suppress(TimeoutError):
            async with asyncio.timeout(next_try.wait_s):
                await self._wanted.wait()

    def _note_failure(self, fault: StreamFaultError, connection: StreamConnection) -> None:
        self._reporter.failed(fault)
        self._schedule.note_failure(fault, connection)

    # Open

    def _note_open(self) -> None:
        self._schedule.note_reached()
        self._reporter.connected()
        self.tried.set()
        if self._predecessor is not None:
            self._predecessor.retire()
            self._predecessor = None

    async def _watch(self, connection: StreamConnection) -> None:
        """Return when the connection has ended, or when another one is wanted."""
        wanted = asyncio.ensure_future(self._wanted.wait())
        max_age = self.stream.max_age
        try:
            while not connection.is_over and not self._wanted.is_set():
                await connection.over(within_s=next_look_s(connection, max_age), or_else=wanted)
                self.note_heard()
                if connection.is_open and (reason := reason_to_renew(connection, max_age)) is not None:
                    self.renew(reason.sentence, is_suspect=reason.is_suspect)
        finally:
            wanted.cancel()
        self._probed_at = boot_time()
        connection.probe.set()

    def _note_end(self, connection: StreamConnection) -> None:
        """Note the end of the present connection. An old one is closed by us, and a new one is not present yet."""
        fault = connection.fault
        if fault is None or connection is not self._present or connection.is_end_noted or self._is_followed(fault):
            return
        connection.is_end_noted = True
        self._down_since = boot_time()
        self._reporter.disconnected(connection, fault)
        self._schedule.note_reached(fault.connections - 1)
        self._note_failure(fault, connection)

    def _is_followed(self, fault: StreamFaultError) -> bool:
        """Whether another connection of ours is open already, or is the one that has replaced it."""
        if self._retired.is_set() or (self._successor is not None and self._successor.is_open):
            return True
        following = self._following if self._successor is None else self._successor.following
        if following is None:
            return False
        return following.is_open or (fault.kind is FaultKind.REPLACED and not following.is_over)

    def _first_of_successor(self) -> Collection[EventId]:
        return () if self._successor is None else self._successor.first_events
