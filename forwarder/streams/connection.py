"""One connection as the supervisor sees it: the listener of a stream, with what it has heard and when."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from typing import Any

from forwarder.core.event import EventId, NotAnEvent
from forwarder.core.overlap import Extent, FirstEvents, ReadEvents
from forwarder.streams.faults import StreamFaultError
from forwarder.streams.pulse import Pulse
from forwarder.streams.stream import Stream

_STEP_S = 0.1
_ASK_EVERY_S = 0.5
QUIET_S = 0.2
"""Where nothing came for so long, nothing is left unread."""
READ_OUT_S = 30.0
READ_OUT_BYTES = 64 * 1024 * 1024
"""For so long, and so much, an old connection is read at most once the next one is open."""
_DRAINED_AFTER_S = 0.5
"""What comes so soon after a standstill may have come in it."""
_IN_QUESTION_S = 60.0
"""So long after a standstill all that came in it has been read, also where there was never a moment without events."""
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""The first is Linux's own."""


def boot_time() -> float:
    """Return monotonic seconds that go on while the machine sleeps."""
    return time.clock_gettime(_CLOCK)


class Connection:
    """Holds `stream` once. A listener, see `streams.stream.Listener`."""

    def __init__(
        self,
        stream: Stream,
        *,
        take: Callable[[bytes], Awaitable[None]],
        on_odd_frame: Callable[[NotAnEvent], None],
        connect_within: timedelta,
        on_end: Callable[["Connection"], None] = lambda _connection: None,
        pulse: Pulse | None = None,
    ) -> None:
        """`on_end` is called once, at the end of one that was open and that nobody closed."""
        self._stream = stream
        self._on_odd_frame = on_odd_frame
        self._on_end = on_end
        self._take = take
        self._pulse = Pulse() if pulse is None else pulse
        self.connect_within = connect_within
        self.probe = asyncio.Event()
        self.settled = asyncio.Event()
        """It is open, or will never be."""
        self.opened_at: float | None = None
        """By `boot_time`, as all its times."""
        self.heard_at = 0.0
        self.ends_at: float | None = None
        self.is_end_noted = False
        self.taken = 0
        """Frames that were handed on."""
        self._taken_bytes = 0
        self._done = 0
        """Frames that were taken. One that was handed on and is not taken waits for the disk."""
        self.drained_at = 0.0
        """When something came last that had been waited for: everything sent before it has been read."""
        self._first = FirstEvents()
        self._read: ReadEvents | None = None
        """Once it is to be followed by another one."""
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
        """Why it ended, or was never open; `None` while it goes on, or where we ended it."""
        if self._task is None or not self._task.done() or self._task.cancelled() or self._task.exception() is not None:
            return None
        return self._task.result()

    @property
    def has_brought(self) -> bool:
        """Whether it brought something that may be an event."""
        return self.taken > 0

    @property
    def is_taking(self) -> bool:
        """Whether a frame is being taken: then nothing is read, and silence tells nothing."""
        return self.taken != self._done

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or was never open and will not be."""
        return self._task is not None and self._task.done()

    @property
    def is_open(self) -> bool:
        """Whether events can come."""
        return self.opened_at is not None and not self.is_over

    @property
    def lasted_s(self) -> float:
        """How long it was open, so far or in all."""
        return 0.0 if self.opened_at is None else boot_time() - self.opened_at

    async def over(self, *, within_s: float | None, or_else: "asyncio.Future[Any] | None" = None) -> bool:
        """Wait for its end, at most so long, or until something else; return whether the end has come."""
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
    def sure_until(self) -> float:
        """Until when it is known that nothing was missed: the last sign of life.

        What is read right after a standstill came in it, nobody knows when; then that is the beginning of the standstill.
        """
        last = self._pulse.last_standstill(boot_time())
        is_recent = last is not None and boot_time() - last.ended < _IN_QUESTION_S
        if last is not None and is_recent and self.drained_at <= last.ended + _DRAINED_AFTER_S:
            return min(self.heard_at, last.began)
        return self.heard_at

    def note_what_is_read(self) -> None:
        """Remember from now on which events it brings: another connection is about to follow."""
        if self._read is None:
            self._read = ReadEvents()

    @property
    def last_timestamp_s(self) -> float | None:
        """The timestamp of the last event that it brought, in seconds since 1970; `None` where that was not noted."""
        return None if self._read is None else self._read.last_timestamp_s

    def note_no_more(self) -> None:
        """No other connection follows after all."""
        self._read = None

    async def read_out(self, *, least_s: float, first_of_next: Callable[[], Collection[EventId]] = tuple) -> Extent:
        """Read for at least so long, and on until whatever is left comes by the next connection as well; return how far that went.

        That is when nothing came for 0.2 s, when events came that are among the first of the next one, or when this one has ended; after
        30 s or 64 MiB it is cut off. Time in which a frame waits for the disk does not count: behind it there may be more.
        """
        self.note_what_is_read()
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
        """Ask for a sign of life; return whether one comes that was not under way already."""
        asked = boot_time()
        while self.drained_at < asked and not self.is_over and boot_time() - asked < within_s:
            self.probe.set()  # again, because an answer right behind something else tells nothing
            await self.over(within_s=min(within_s, _ASK_EVERY_S))
        return self.drained_at >= asked

    async def close(self) -> None:
        """End it in good order."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    # What the stream tells

    def opened(self, *, ends_in: timedelta | None = None) -> None:  # noqa: D102
        self.opened_at = self.heard_at = self.drained_at = boot_time()
        self.ends_at = None if ends_in is None else self.opened_at + ends_in.total_seconds()
        self.settled.set()

    def heard(self) -> None:  # noqa: D102
        self._note_sign()
        self._done = self.taken

    def take(self, frame: bytes) -> Awaitable[None]:  # noqa: D102
        self._note_sign()
        self.taken += 1
        self._taken_bytes += len(frame)
        if not self._first.is_full:
            self._first.note(frame)
        if self._read is not None:
            self._read.note(frame)
        return self._take(frame)

    def _note_sign(self) -> None:
        now = boot_time()
        if now - self.heard_at >= QUIET_S and not self.is_taking:
            self.drained_at = now
        self.heard_at = now

    def note_odd_frame(self, kind: NotAnEvent) -> None:  # noqa: D102
        self._on_odd_frame(kind)
