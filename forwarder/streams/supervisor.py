"""Keeps one stream connected: opens it again when it ends, at the pace of what ended it, and opens the next before it closes a good one.

A connection is renewed beside the old one when it is too old, when what it was opened with ends, when it has gone quiet, when the
machine slept, and when somebody asks for it. For a moment both bring everything; copies are dropped as doubles further on.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from forwarder.core.pace import Pace
from forwarder.core.stream_state import StreamCondition
from forwarder.streams import faults
from forwarder.streams.connection import Connection, boot_time
from forwarder.streams.desk import Desk
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.stream import Stream

QUIET_AFTER = timedelta(seconds=30)
"""Our pings go every 20 s. Where no answer came within 10 s of one, the connection is as good as dead, and another is opened
beside it; should it live all the same, nothing was lost by that."""
OVERLAP = timedelta(seconds=2)
"""For so long a connection goes on beside the one that follows it: what the server had under way for it arrives."""
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
    ) -> None:
        """`predecessor` holds the stream as it was set up before: it is retired once a connection of this one is open."""
        self.stream = stream
        self.tried = asyncio.Event()
        """Set once the first connection is open or has failed."""
        self._desk = desk
        self._state = desk.state
        self._predecessor = predecessor
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
        self._wanted = asyncio.Event()
        """Another connection is wanted, now."""
        self._retired = asyncio.Event()

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
                await self._present.outlast(OVERLAP.total_seconds())
            for connection in (self._present, self._following):
                if connection is not None:
                    await connection.close()

    async def _hold(self, group: asyncio.TaskGroup) -> None:
        while True:
            await self._wait_for_turn()
            following = await self._open(group)
            if following is None:
                continue
            old, self._present = self._present, following
            self._following = self._last = None
            self._note_open()
            if old is not None and old.is_open:
                letting_go = self._let_go(old, since=self._probed_at if self._is_suspect else None)
                group.create_task(letting_go, name=f"stream {self.stream.name} overlap")
            self._is_suspect = False
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
        )
        connection.start(group)
        await connection.settled.wait()
        if connection.opened_at is not None:
            return connection
        await connection.over(within_s=None)
        fault = connection.fault
        if fault is not None:  # it would be None where we are being cancelled
            if fault.is_reached:
                self._pace.note_reached(boot_time(), fault.connections)
            self._note_failure(fault, connection)
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
        fault = self._suspect(fault, connection)
        wait_s = self._pace.wait_s(
            fault.pace, now_s=boot_time(), lasted_s=connection.lasted_s, was_useful=connection.has_brought
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
            began=self._wall(connection.heard_at),
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

    async def _let_go(self, old: Connection, *, since: float | None) -> None:
        """Close the old connection after the overlap. If nothing was heard of one that is suspect `since` then, that is a gap."""
        opened = self._desk.clock()
        await old.outlast(OVERLAP.total_seconds())
        is_dead = since is not None and old.heard_at < since
        self._state.ends[str(FaultKind.SILENT) if is_dead else "renewed"] += 1
        if is_dead:
            fault = old.fault
            reason = "nothing was heard of it any more" if fault is None else fault.sentence
            gaps, name = self._desk.gaps, self.stream.name
            gaps.note_away(name, began=self._wall(old.heard_at), noticed=opened, reason=reason)
            gaps.note_open(name, opened)
        await old.close()
