"""Keeps one stream connected: opens it again when it ends, at the pace of what ended it, and opens the next before it closes a good one.

A connection is renewed beside the old one when it is too old, when what it was opened with ends, when it has gone quiet, when the
machine slept, and when somebody asks for it. For a moment both bring everything; copies are dropped as doubles further on.
"""

import asyncio
import random
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from forwarder.core.event import EventId
from forwarder.core.overlap import Extent
from forwarder.core.pace import Pace
from forwarder.core.stream_state import StreamCondition
from forwarder.streams import faults
from forwarder.streams.connection import Connection, boot_time
from forwarder.streams.desk import Desk
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.pulse import Pulse
from forwarder.streams.stream import Stream

QUIET_AFTER = timedelta(seconds=30)
"""Our pings go every 20 s. Where no answer came within 10 s of one, the connection is as good as dead, and another is opened
beside it; should it live all the same, nothing was lost by that."""
OVERLAP = timedelta(seconds=2)
"""For so long at least a connection goes on beside the one that follows it: what the server had under way for it arrives. It goes on
for longer while it brings what the other does not."""
_SHORT_CONNECT, _LONG_CONNECT = timedelta(seconds=2), timedelta(seconds=10)
"""The kernel sends a lost SYN again after 1 s, then 3, then 7. While a path may come back at any moment each try lasts 2 s, so that
there is a SYN every second; when it has been down for long, as long as slow networks need."""
_PATIENT_AFTER_S = 60.0
_LEAST_AGE_S = 10.0
"""A token of a few seconds does not make for a renewal every few seconds: an open stream outlives it."""
_SUSPECT_AFTER = 3
"""Connections closed as soon as they open, in a row, after which the key is the likely cause."""
_ERRORS = frozenset({FaultKind.KEY_REFUSED, FaultKind.REDIRECTED, FaultKind.REPLACED})
"""What a person has to see to."""

log = structlog.get_logger(__name__)


class Supervisor:
    """Of one stream. `run` holds it until `retire`, or until it is cancelled."""

    def __init__(
        self,
        stream: Stream,
        desk: Desk,
        *,
        predecessor: "Supervisor | None" = None,
        chance: Callable[[], float] = random.random,
        pulse: Pulse | None = None,
    ) -> None:
        """`predecessor` holds the stream as it was set up before: it is retired once a connection of this one is open."""
        self.stream = stream
        self.tried = asyncio.Event()
        """Set once the first connection is open or has failed."""
        self._desk = desk
        self._state = desk.state
        self._predecessor = predecessor
        self._pulse = Pulse() if pulse is None else pulse
        self._letting_go: set[asyncio.Task[None]] = set()
        """Old connections that are read to where the present one began."""
        self._successor: Supervisor | None = None
        if predecessor is not None:
            predecessor.note_successor(self)
        self._pace = Pace(chance)
        self._present: Connection | None = None
        self._following: Connection | None = None
        """What is being opened, beside the present one or after its end."""
        self._last: tuple[StreamFaultError, float] | None = None
        """What the last try, or connection, came to, and how long to wait after it."""
        self._down_since = boot_time()
        self._closed_at_once = 0
        self._is_suspect = False
        self._has_stood_still = False
        """Since the present connection was opened: what is read of it may be old."""
        self._wanted = asyncio.Event()
        """Another connection is wanted, now."""
        self._retired = asyncio.Event()
        self._is_taken_over = False
        """Another process is about to hold the stream as well."""

    @property
    def is_open(self) -> bool:
        """Whether events can come by its own connection."""
        return self._present is not None and self._present.is_open

    @property
    def is_held(self) -> bool:
        """Whether they can come by that, or by one of what came before."""
        return self.is_open or (self._predecessor is not None and self._predecessor.is_held)

    def renew(self, reason: str, *, is_suspect: bool = False) -> None:
        """Open another connection beside the one that is open, and close that when it is. Where none is, nothing is changed.

        `is_suspect`: the present one may be dead, which makes a gap unless something is heard of it.
        """
        if not self.is_open or self._wanted.is_set():
            return
        log.info("stream.renewing", stream=self.stream.name, reason=reason)
        self._is_suspect |= is_suspect
        self._wanted.set()

    def wake(self, reason: str) -> None:
        """The process or the machine stood still: whatever is open may be dead, and whatever was waited for is over."""
        if self.is_open:
            self._is_suspect = self._has_stood_still = True
            self.renew(reason, is_suspect=True)
        else:
            self._wanted.set()

    def reconnect(self, reason: str) -> None:
        """Connect anew, at once: a person says so."""
        self._pace.forgive()
        self.renew(reason)
        self._wanted.set()

    def retire(self) -> None:
        """End `run` in good order, after the overlap, and that of what came before: a successor is open."""
        self._retired.set()
        if self._predecessor is not None:
            self._predecessor.retire()
            self._predecessor = None

    def note_successor(self, successor: "Supervisor") -> None:
        """Another one holds the stream from now on, as soon as it has a connection."""
        self._successor = successor

    @property
    def following(self) -> Connection | None:
        """The connection that is being opened, if one is."""
        return self._following

    def note_heard(self) -> None:
        """Bring the state up to date with what was heard."""
        if self._present is not None:
            self._state.last_heard = self._wall(self._present.heard_at)

    async def run(self) -> None:
        """Hold the stream."""
        async with asyncio.TaskGroup() as group:
            holding = group.create_task(self._hold(group), name=f"stream {self.stream.name} supervisor")
            await self._retired.wait()
            holding.cancel()
            if self._present is not None:
                await self._read_out(self._present, OVERLAP, self._first_of_successor)
            for connection in (self._present, self._following):
                if connection is not None:
                    await connection.close()

    @property
    def first_events(self) -> Collection[EventId]:
        """The ids of the first events that the present connection brought."""
        return () if self._present is None else self._present.first_events

    def note_what_is_read(self) -> None:
        """Another process is about to hold the stream as well: remember what is read from now on."""
        self._is_taken_over = True
        if self._present is not None:
            self._present.note_what_is_read()
        if self._predecessor is not None:
            self._predecessor.note_what_is_read()

    def note_no_more(self) -> None:
        """That process has ended."""
        self._is_taken_over = False
        if self._present is not None:
            self._present.note_no_more()
        if self._predecessor is not None:
            self._predecessor.note_no_more()

    async def read_out(self, least: timedelta, first_of_next: Callable[[], Collection[EventId]]) -> None:
        """Return once everything is read that was sent before another process held the stream, which has to do so now."""
        async with asyncio.TaskGroup() as group:
            if self._present is not None and self._present.is_open:
                group.create_task(self._read_out(self._present, least, first_of_next))
            if self._predecessor is not None:
                group.create_task(self._predecessor.read_out(least, first_of_next))
            if self._letting_go:
                await asyncio.wait(self._letting_go)

    async def _hold(self, group: asyncio.TaskGroup) -> None:
        while True:
            await self._wait_for_turn()
            following = await self._open(group)
            if following is None:
                continue
            old, self._present = self._present, following
            self._following = self._last = None
            self._note_open()
            is_over_unnoted = old is not None and not old.is_end_noted and self._has_stood_still
            if old is not None and (old.is_open or is_over_unnoted):  # its end was taken for one that is followed
                letting_go = self._let_go(
                    old,
                    following,
                    since=self._probed_at if self._is_suspect else None,
                    must_answer=self._has_stood_still,
                )
                task = group.create_task(letting_go, name=f"stream {self.stream.name} overlap")
                self._letting_go.add(task)
                task.add_done_callback(self._letting_go.discard)
            self._is_suspect = self._has_stood_still = False
            self._wanted.clear()
            if following.is_over:
                self._note_end(following)
            await self._watch(following)

    # Opening

    async def _open(self, group: asyncio.TaskGroup) -> Connection | None:
        """Return a connection that is open; `None`: it came to nothing, which is noted."""
        self._following = connection = Connection(
            self.stream,
            take=self._desk.take,
            on_odd_frame=self._desk.on_odd_frame,
            connect_within=_SHORT_CONNECT if self._may_be_back_soon() else _LONG_CONNECT,
            on_end=self._note_end,
            pulse=self._pulse,
        )
        if self._present is not None:
            self._present.note_what_is_read()
        if self._is_taken_over:
            connection.note_what_is_read()
        connection.start(group)
        await connection.settled.wait()
        if connection.opened_at is not None:
            return connection
        await connection.over(within_s=None)
        fault = connection.fault
        if fault is not None:  # it would be None where we are being cancelled
            if fault.is_reached:
                self._pace.note_reached(boot_time(), fault.connections)
            if self._present is not None:
                self._note_end(self._present)  # where this one was to take its place
            self._note_failure(fault, connection)
        if self._present is not None and not self._is_taken_over:
            self._present.note_no_more()
        self.tried.set()
        return None

    def _may_be_back_soon(self) -> bool:
        return self._pace.is_path_new and boot_time() - self._down_since < _PATIENT_AFTER_S

    async def _wait_for_turn(self) -> None:
        """Wait as long as the last fault asks for, or until it is wanted at once."""
        if self._last is None:
            return
        (fault, wait_s), self._last = self._last, None
        self._say_what_follows(fault, wait_s)
        self._wanted.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wanted.wait()

    def _note_failure(self, fault: StreamFaultError, connection: Connection) -> None:
        """Take what a try, or a connection, came to, and the wait that it asks for."""
        self._state.ends[str(fault.kind)] += 1
        connections = fault.connections
        fault = self._suspect(fault, connection)
        wait_s = self._pace.wait_s(
            fault.pace,
            now_s=boot_time(),
            lasted_s=connection.lasted_s,
            was_useful=connection.has_brought,
            connections=connections,
        )
        self._last = fault, max(wait_s, fault.minimum_wait.total_seconds())

    def _suspect(self, fault: StreamFaultError, connection: Connection) -> StreamFaultError:
        """Return the fault, or the likelier one of a bad key once it has looked like that three times in a row."""
        if connection.opened_at is None:
            return fault
        self._closed_at_once = self._closed_at_once + 1 if fault.may_be_key else 0
        if self._closed_at_once >= _SUSPECT_AFTER:
            return faults.key_refused(f"closed as soon as it was open, {self._closed_at_once} times in a row")
        return fault

    def _say_what_follows(self, fault: StreamFaultError, wait_s: float) -> None:
        gives_way = fault.kind is FaultKind.REPLACED and self._pace.gives_way
        if not self.is_held:
            away = StreamCondition.WAITING if wait_s else StreamCondition.CONNECTING
            self._set(StreamCondition.YIELDED if gives_way else away, fault.sentence, fault.kind)
            self._state.next_try_at = self._desk.clock() + timedelta(seconds=wait_s)
        else:
            self._state.reason = f"it cannot be renewed: {fault.sentence}"
        if gives_way:
            note = f"it leaves the place to the other one, and tries again now and then; at once: forwarder reconnect {self.stream.name}"
            log.error(
                "stream.yielded",
                stream=self.stream.name,
                reason=fault.sentence,
                next_try_in_s=round(wait_s, 1),
                note=note,
            )
            return
        level = log.error if fault.kind in _ERRORS else log.warning
        level(
            "stream.unavailable",
            stream=self.stream.name,
            kind=fault.kind,
            reason=fault.sentence,
            next_try_in_s=round(wait_s, 1),
        )

    # Open

    def _note_open(self) -> None:
        self._pace.note_reached(boot_time())
        self._state.connections += 1
        self._desk.gaps.note_open(self.stream.name, self._desk.clock())
        self._set(StreamCondition.OPEN, "")
        log.info("stream.connected", stream=self.stream.name)
        self.tried.set()
        if self._predecessor is not None:
            self._predecessor.retire()
            self._predecessor = None

    def _set(self, condition: StreamCondition, reason: str, fault: FaultKind | None = None) -> None:
        state = self._state
        if condition is not state.condition or state.since is None:
            state.condition, state.since = condition, self._desk.clock()
            if condition is StreamCondition.OPEN:
                state.away_since = None
            elif state.away_since is None:
                state.away_since = state.since
        state.reason, state.next_try_at, state.fault = reason, None, None if fault is None else str(fault)

    async def _watch(self, connection: Connection) -> None:
        """Return when it has ended, or when another one is wanted beside it."""
        wanted = asyncio.ensure_future(self._wanted.wait())
        try:
            while not connection.is_over and not self._wanted.is_set():
                await connection.over(within_s=self._until_next_look_s(connection), or_else=wanted)
                self.note_heard()
                if connection.is_open:
                    self._look(connection)
        finally:
            wanted.cancel()
        self._probed_at = boot_time()
        connection.probe.set()

    _probed_at = 0.0

    def _until_next_look_s(self, connection: Connection) -> float:
        now = boot_time()
        due = min([connection.heard_at + QUIET_AFTER.total_seconds(), *self._ends(connection)])
        return max(due - now, 1.0 if connection.is_taking else 0.0) + 0.01

    def _ends(self, connection: Connection) -> list[float]:
        """Return when it is to be renewed whatever comes."""
        age = self.stream.max_age
        ends = [] if age is None or connection.opened_at is None else [connection.opened_at + age.total_seconds()]
        if connection.ends_at is None or connection.opened_at is None:
            return ends
        return [*ends, max(connection.ends_at, connection.opened_at + _LEAST_AGE_S)]

    def _look(self, connection: Connection) -> None:
        now = boot_time()
        if now >= min(self._ends(connection), default=now + 1):
            self.renew("it is as old as it may be")
        elif now - connection.heard_at >= QUIET_AFTER.total_seconds() and not connection.is_taking:
            self.renew(f"nothing was heard for {QUIET_AFTER.total_seconds():g} s", is_suspect=True)

    def _note_end(self, connection: Connection) -> None:
        """Take the end of the present connection, and of no other: an old one is let go, and a new one is not yet present."""
        fault = connection.fault
        if fault is None or connection is not self._present or connection.is_end_noted or self._is_followed(fault):
            return
        connection.is_end_noted = True
        log.warning(
            "stream.disconnected",
            stream=self.stream.name,
            kind=fault.kind,
            reason=fault.sentence,
            lasted_s=round(connection.lasted_s, 1),
        )
        self._down_since = boot_time()
        self._desk.gaps.note_away(
            self.stream.name,
            began=self._wall(connection.sure_until),
            noticed=self._desk.clock(),
            reason=fault.sentence,
        )
        self._pace.note_reached(boot_time(), fault.connections - 1)
        self._note_failure(fault, connection)
        self._set(StreamCondition.CONNECTING, fault.sentence, fault.kind)

    def _is_followed(self, fault: StreamFaultError) -> bool:
        """Whether another connection of ours is open already, or is what has taken its place."""
        if self._retired.is_set() or (self._successor is not None and self._successor.is_open):
            return True
        following = self._following if self._successor is None else self._successor.following
        if following is None:
            return False
        return following.is_open or (fault.kind is FaultKind.REPLACED and not following.is_over)

    def _wall(self, boot_s: float) -> datetime:
        return self._desk.clock() - timedelta(seconds=max(boot_time() - boot_s, 0.0))

    def _first_of_successor(self) -> Collection[EventId]:
        return () if self._successor is None else self._successor.first_events

    async def _let_go(self, old: Connection, following: Connection, *, since: float | None, must_answer: bool) -> None:
        """Close an old connection once it is read. If nothing was heard of one that is suspect `since` then, that is a gap.

        `must_answer`: what was heard of it may have been sent long before, so it is asked for a sign of life when it is read.
        """
        opened = self._desk.clock()
        extent = await self._read_out(old, OVERLAP, lambda: following.first_events)
        is_dead = False
        if since is not None and extent is not Extent.OVERLAPPED:
            if must_answer:
                is_dead = not await old.answers(within_s=self.stream.answers_within.total_seconds())
            else:
                is_dead = old.heard_at < since
        self._state.ends[str(FaultKind.SILENT) if is_dead else "renewed"] += 1
        if is_dead:
            fault = old.fault
            reason = "nothing was heard of it any more" if fault is None else fault.sentence
            self._note_gap(self._wall(old.sure_until), opened, reason)
        await old.close()

    async def _read_out(
        self, old: Connection, least: timedelta, first_of_next: Callable[[], Collection[EventId]]
    ) -> Extent:
        """Read a connection to where the next one, which is open since now, begins. What is cut off is a gap."""
        opened = self._desk.clock()
        extent = await old.read_out(least_s=least.total_seconds(), first_of_next=first_of_next)
        if extent is Extent.CUT_OFF:
            began = self._sent_until(old, opened)
            log.warning(
                "stream.cut_off", stream=self.stream.name, note="the connection before brought more than is waited for"
            )
            if began < opened:
                self._note_gap(began, opened, "the connection before was closed while it still brought events")
        return extent

    def _sent_until(self, old: Connection, opened: datetime) -> datetime:
        """Return when the last event was sent that an old connection brought: by its timestamp, within what is known for certain."""
        surely = min(self._wall(old.drained_at), opened)
        timestamp_s = old.last_timestamp_s
        if timestamp_s is None or timestamp_s <= surely.timestamp():
            return surely
        return opened if timestamp_s >= opened.timestamp() else datetime.fromtimestamp(timestamp_s, UTC)

    def _note_gap(self, began: datetime, ended: datetime, reason: str) -> None:
        gaps, name = self._desk.gaps, self.stream.name
        gaps.note_away(name, began=began, noticed=ended, reason=reason)
        gaps.note_open(name, ended)
