"""One connection as the supervisor sees it: what was received on it, and when."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from typing import Any

from forwarder.clocks.boot_time import boot_time
from forwarder.core.event import EventId, NotAnEvent
from forwarder.core.streams.overlap import Extent, FirstEvents, ReadEvents
from forwarder.streams.faults import StreamFaultError
from forwarder.streams.pulse import Pulse
from forwarder.streams.stream import Stream

_STEP_S = 0.1
_ASK_EVERY_S = 0.5
QUIET_S = 0.2
"""If nothing came for this long, nothing is left unread."""
READ_OUT_S = 30.0
READ_OUT_BYTES = 64 * 1024 * 1024
"""The limits for reading an old connection once its successor is open."""
_DRAINED_AFTER_S = 0.5
"""What is read this soon after a standstill may have come during it."""
_UNREAD_S = 5.0
"""How old what waits in the socket may be while events come without a pause, as far as we reckon. More than that is a standstill."""
_IN_QUESTION_S = 60.0
"""By this time after a standstill everything that came during it has been read, even if events never pause."""


class StreamConnection:
    """Holds `stream` once, and keeps what was received and when. Implements `streams.stream.Listener`."""

    def __init__(
        self,
        stream: Stream,
        *,
        take: Callable[[bytes], Awaitable[None]],
        on_odd_frame: Callable[[NotAnEvent], None],
        connect_within: timedelta,
        on_end: Callable[["StreamConnection"], None] = lambda _connection: None,
        pulse: Pulse | None = None,
    ) -> None:
        """`on_end` is called once, when a connection that was open ends without `close`."""
        self._stream = stream
        self._on_odd_frame = on_odd_frame
        self._on_end = on_end
        self._take = take
        self._pulse = Pulse() if pulse is None else pulse
        self.connect_within = connect_within
        self.probe = asyncio.Event()
        self.settled = asyncio.Event()
        """Set once the connection is open, or will never be."""
        self.opened_at: float | None = None
        """When it opened, by `boot_time`, as all times of a connection."""
        self.heard_at = 0.0
        self.ends_at: float | None = None
        self.is_end_noted = False
        self.taken = 0
        """How many frames were passed on."""
        self._taken_bytes = 0
        self._done = 0
        """How many frames were taken. A frame that was passed on and is not taken yet waits for the disk."""
        self.drained_at = 0.0
        """When the socket was last empty before something came: everything sent before that has been read."""
        self._first = FirstEvents()
        self._read: ReadEvents | None = None
        """The events that it brings, once another connection is about to follow."""
        self._task: asyncio.Task[StreamFaultError] | None = None

    def start(self, group: asyncio.TaskGroup) -> None:
        """Connect, as a task of the group."""
        self._task = group.create_task(self._hold(), name=f"stream {self._stream.name} connection")
        self._task.add_done_callback(self._note_end)

    async def _hold(self) -> StreamFaultError:
        try:
            return await self._stream.hold(self)
        except StreamFaultError as fault:
            return fault
        finally:
            self.settled.set()

    def _note_end(self, task: "asyncio.Task[StreamFaultError]") -> None:
        if self.opened_at is not None and not task.cancelled() and task.exception() is None:
            self._on_end(self)

    @property
    def fault(self) -> StreamFaultError | None:
        """Why it ended or could not be opened; `None` while it lasts, and if we closed it."""
        if self._task is None or not self._task.done() or self._task.cancelled() or self._task.exception() is not None:
            return None
        return self._task.result()

    @property
    def has_brought(self) -> bool:
        """Whether a frame came that may be an event."""
        return self.taken > 0

    @property
    def is_taking(self) -> bool:
        """Whether a frame is being taken: meanwhile nothing is read, and silence has no meaning."""
        return self.taken != self._done

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or could not be opened."""
        return self._task is not None and self._task.done()

    @property
    def is_open(self) -> bool:
        """Whether events can come."""
        return self.opened_at is not None and not self.is_over

    @property
    def lasted_s(self) -> float:
        """For how many seconds it was open, until now or until its end."""
        return 0.0 if self.opened_at is None else boot_time() - self.opened_at

    async def over(self, *, within_s: float | None, or_else: "asyncio.Future[Any] | None" = None) -> bool:
        """Wait for its end, for `within_s` at most, or until `or_else` is done; return whether it has ended."""
        if self._task is not None:
            await asyncio.wait(
                [self._task] if or_else is None else [self._task, or_else],
                timeout=within_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
        return self.is_over

    @property
    def first_events(self) -> Collection[EventId]:
        """The ids of the first events that it brought."""
        return self._first.ids.keys()

    @property
    def certain_until(self) -> float:
        """Until when it is certain that nothing was missed: the last sign of life.

        What is read right after a standstill came at an unknown time during it, so then it is the beginning of the standstill.
        """
        return self._before_standstill(self.heard_at)

    @property
    def read_until(self) -> float:
        """Until when what was sent has surely been read. If we close the connection now, everything later may be lost.

        After a pause that is the last moment at which the loop surely read. While events come without a pause, or one waits for the
        disk, others wait in the socket: then it is some seconds ago.
        """
        is_flowing = self.is_taking or boot_time() - self.heard_at < QUIET_S
        sure = self.heard_at - _UNREAD_S if is_flowing else max(self.heard_at, self._pulse.beat_at)
        return self._before_standstill(max(self.drained_at, sure))

    def _before_standstill(self, moment: float) -> float:
        """Return that moment, or the beginning of a standstill of which something may still be unread."""
        last = self._pulse.last_standstill(boot_time())
        is_recent = last is not None and boot_time() - last.ended < _IN_QUESTION_S
        if last is not None and is_recent and self.drained_at <= last.ended + _DRAINED_AFTER_S:
            return min(moment, last.began)
        return moment

    def remember_events(self) -> None:
        """Remember from now on which events come, because another connection is about to follow."""
        if self._read is None:
            self._read = ReadEvents()

    @property
    def last_timestamp_s(self) -> float | None:
        """The timestamp of the last event, in seconds since 1970; `None` if it was not remembered."""
        return None if self._read is None else self._read.last_timestamp_s

    def forget_events(self) -> None:
        """Stop remembering which events come: no other connection follows after all."""
        self._read = None

    async def read_out(self, *, least_s: float, first_of_next: Callable[[], Collection[EventId]] = tuple) -> Extent:
        """Read for at least `least_s`, and on until the next connection brings what is left; return how far that went.

        That is the case when nothing came for 0.2 s, when events came that are among the first of the next connection, or when this one
        has ended. After 30 s or 64 MiB it is cut off. Time in which a frame waits for the disk does not count: more may follow it.
        """
        self.remember_events()
        bytes_before, read_s, quiet_s = self._taken_bytes, 0.0, 0.0
        while not self.is_over:
            before, was_taking = self.taken, self.is_taking
            await self.over(within_s=_STEP_S)
            if was_taking and self.is_taking and self.taken == before:
                continue
            read_s += _STEP_S
            quiet_s = quiet_s + _STEP_S if self.taken == before and not self.is_taking else 0.0
            if read_s >= least_s and self._reaches(first_of_next()):
                return Extent.OVERLAPPED
            if read_s >= least_s and quiet_s >= QUIET_S:
                return Extent.QUIET
            if read_s >= READ_OUT_S or self._taken_bytes - bytes_before >= READ_OUT_BYTES:
                return Extent.CUT_OFF
        return Extent.ENDED

    def _reaches(self, first_of_next: Collection[EventId]) -> bool:
        return self._read is not None and self._read.reaches(first_of_next)

    async def answers(self, *, within_s: float) -> bool:
        """Ask for a sign of life; return whether one comes that was sent after the question."""
        asked = boot_time()
        while self.drained_at < asked and not self.is_over and boot_time() - asked < within_s:
            self.probe.set()  # again: an answer that follows directly on something else proves nothing
            await self.over(within_s=min(within_s, _ASK_EVERY_S))
        return self.drained_at >= asked

    async def close(self) -> None:
        """Close it, and wait for its end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    # What the stream reports

    def opened(self, *, ends_in: timedelta | None = None) -> None:
        self.opened_at = self.heard_at = self.drained_at = boot_time()
        self.ends_at = None if ends_in is None else self.opened_at + ends_in.total_seconds()
        self.settled.set()

    def heard(self) -> None:
        now = boot_time()
        if self.taken == self._done and now - self.heard_at >= QUIET_S:  # no frame was being taken
            self.drained_at = now
        self.heard_at = now
        self._done = self.taken

    def take(self, frame: bytes) -> Awaitable[None]:
        self.heard()
        self.taken += 1
        self._taken_bytes += len(frame)
        if not self._first.is_full:
            self._first.note(frame)
        if self._read is not None:
            self._read.note(frame)
        return self._take(frame)

    def note_looked(self, since: float) -> None:
        """The event loop has had its turns since then: if nothing came, the socket is empty."""
        if self.is_open and not self.is_taking and self.heard_at < since:
            self.drained_at = boot_time()

    def note_odd_frame(self, kind: NotAnEvent) -> None:
        self._on_odd_frame(kind)
