"""One connection as the supervisor sees it: the listener of a stream, with what it has heard and when."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from forwarder.core.event import NotAnEvent
from forwarder.streams.faults import StreamFaultError
from forwarder.streams.stream import Stream

_STEP_S = 0.1
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
    ) -> None:
        """`on_end` is called once, at the end of one that was open and that nobody closed."""
        self._stream = stream
        self._on_odd_frame = on_odd_frame
        self._on_end = on_end
        self._take = take
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
        """Frames that were handed on,"""
        self._done = 0
        """and those of them that were taken: one that is not waits for the disk."""
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

    async def outlast(self, overlap_s: float) -> None:
        """Return when it was read for so long, or has ended. Time in which a frame waits for the disk does not count: behind it there may be more."""
        while overlap_s > 0 and not self.is_over:
            before, was_taking, step_s = self.taken, self.is_taking, min(overlap_s, _STEP_S)
            await self.over(within_s=step_s)
            if not (was_taking and self.is_taking and self.taken == before):
                overlap_s -= step_s

    async def close(self) -> None:
        """End it in good order."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    # What the stream tells

    def opened(self, *, ends_in: timedelta | None = None) -> None:  # noqa: D102
        self.opened_at = self.heard_at = boot_time()
        self.ends_at = None if ends_in is None else self.opened_at + ends_in.total_seconds()
        self.settled.set()

    def heard(self) -> None:  # noqa: D102
        self.heard_at = boot_time()
        self._done = self.taken

    def take(self, frame: bytes) -> Awaitable[None]:  # noqa: D102
        self.taken += 1
        return self._take(frame)

    def note_odd_frame(self, kind: NotAnEvent) -> None:  # noqa: D102
        self._on_odd_frame(kind)
