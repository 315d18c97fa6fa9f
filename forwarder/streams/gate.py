"""Stands between the streams and what takes their frames: closed, it keeps the frames in memory; open, it hands everything on.

So a process can hold its streams before it has an outbox to put events in: while it takes over from another one.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from forwarder.core.event import NotAnEvent
from forwarder.core.ports import Clock

MAX_BYTES = 64 * 1024 * 1024
"""Kept at most, but for the last frame of each connection; then the streams are read no further."""
_OVERHEAD_BYTES = 150
"""What a frame costs beside its own bytes."""
_AT_A_TIME = 32
"""Frames handed on in one turn of the loop: deliveries and the streams themselves must have their turns."""


class Intake(Protocol):
    """Takes what comes."""

    def take(self, frame: bytes, *, stream: str) -> Coroutine[Any, Any, None]:
        """Take a frame that a stream brought."""
        ...

    def note_odd_frame(self, kind: NotAnEvent, detail: str = "") -> None:
        """Take note of one that is no event."""
        ...


@dataclass(frozen=True, slots=True)
class Dropped:
    """Frames of one stream that were kept and are handed on no more."""

    frames: int
    since: datetime
    """When the first of them came."""


class Gate:
    """An `Intake` before another one. It begins closed, and `open` opens it for good."""

    def __init__(self, clock: Clock, *, max_bytes: int = MAX_BYTES) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._behind: Intake | None = None
        """Set once everything kept has been handed on."""
        self._kept: deque[tuple[bytes | NotAnEvent, str, datetime]] = deque()
        """Frames with their streams, and odd ones with their details; and when they came."""
        self._kept_bytes = 0
        self._room = asyncio.Event()

    def take(self, frame: bytes, *, stream: str) -> Coroutine[Any, Any, None]:
        """Hand a frame on, or keep it; waits while there is no room for it."""
        if self._behind is not None:
            return self._behind.take(frame, stream=stream)
        return self._keep(frame, stream)

    def note_odd_frame(self, kind: NotAnEvent, detail: str = "") -> None:
        """Hand it on, or keep it."""
        if self._behind is not None:
            self._behind.note_odd_frame(kind, detail)
        else:
            self._kept.append((kind, detail, self._clock()))

    async def open(self, behind: Intake) -> int:
        """Hand on what was kept, in the order in which it came, then whatever comes; return how many frames were kept."""
        handed_on = 0
        while self._kept:
            what, of, _ = self._kept[0]
            if isinstance(what, bytes):
                await behind.take(what, stream=of)
                self._count(-len(what) - _OVERHEAD_BYTES)
            else:
                behind.note_odd_frame(what, of)
            self._kept.popleft()  # not before: what waits for room is dropped too where nobody waits any more
            handed_on += 1
            if handed_on % _AT_A_TIME == 0:
                await asyncio.sleep(0)
        self._behind = behind  # nothing waits since the last look: no frame overtakes another
        self._room.set()
        return handed_on

    def drop(self) -> dict[str, Dropped]:
        """Forget what is kept, because nothing will be handed on any more; return what that is, by stream."""
        dropped: dict[str, Dropped] = {}
        for what, of, at in self._kept:
            if isinstance(what, bytes):
                before = dropped.get(of, Dropped(0, at))
                dropped[of] = Dropped(before.frames + 1, before.since)
        self._kept.clear()
        return dropped

    async def _keep(self, frame: bytes, stream: str) -> None:
        while self._behind is None and self._kept_bytes >= self._max_bytes:
            await self._room.wait()
        if self._behind is not None:
            await self._behind.take(frame, stream=stream)
            return
        self._kept.append((frame, stream, self._clock()))
        self._count(len(frame) + _OVERHEAD_BYTES)

    def _count(self, more: int) -> None:
        self._kept_bytes += more
        if self._kept_bytes < self._max_bytes:
            self._room.set()
        else:
            self._room.clear()
