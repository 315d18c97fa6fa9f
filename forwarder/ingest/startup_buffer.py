"""Keeps the frames of the streams in memory until there is an outbox; then hands them on, and every later frame at once.

A process that takes over from another one opens its streams before it has the outbox.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

import msgspec

from forwarder.core.event import NotAnEvent
from forwarder.core.ports import Clock, FrameSink, GapNotes

MAX_BYTES = 64 * 1024 * 1024
"""Kept at most, but for the last frame of each connection; then the streams are read no further."""
_OVERHEAD_BYTES = 150
"""What a frame costs in addition to its own bytes."""
_AT_A_TIME = 32
"""Frames handed on in one turn of the loop: deliveries and the streams themselves must have their turns."""


class Dropped(msgspec.Struct, frozen=True):
    """Frames of one stream that were kept and are handed on no more."""

    frames: int
    since: datetime
    """When the first of them came."""


class StartupGapNotes:
    """Keeps what the streams report about their gaps until there is an outbox to record it in; then hands everything on."""

    def __init__(self) -> None:
        self._behind: GapNotes | None = None
        self._kept: list[Callable[[GapNotes], None]] = []

    def note_away(self, stream: str, *, began: datetime, noticed: datetime, reason: str) -> None:
        """See `GapRecord`."""
        self._note(lambda to: to.note_away(stream, began=began, noticed=noticed, reason=reason))

    def note_open(self, stream: str, at: datetime) -> None:
        """See `GapRecord`."""
        self._note(lambda to: to.note_open(stream, at))

    def forget(self, stream: str, *, read_until: datetime | None) -> None:
        """See `GapNotes`."""
        self._note(lambda to: to.forget(stream, read_until=read_until))

    def open(self, behind: GapNotes) -> None:
        """Hand on what was kept, in the order in which it came, and from then on everything that follows."""
        self._behind = behind
        for note in self._kept:
            note(behind)
        self._kept.clear()

    def _note(self, note: Callable[[GapNotes], None]) -> None:
        if self._behind is None:
            self._kept.append(note)
        else:
            note(self._behind)


class StartupBuffer:
    """Keeps frames in memory until `open`, and hands every frame on from then on."""

    def __init__(self, clock: Clock, *, max_bytes: int = MAX_BYTES) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._behind: FrameSink | None = None
        """Set once everything kept has been handed on."""
        self._kept: deque[tuple[bytes | NotAnEvent, str, datetime, bool]] = deque()
        """Frames with their streams, and odd ones with their details; when they came, and whether the stream is the public one."""
        self._kept_bytes = 0
        self._room = asyncio.Event()

    def take(self, frame: bytes, *, stream: str, is_public: bool = False) -> Coroutine[Any, Any, None]:
        """Hand a frame on, or keep it; waits while there is no room for it."""
        if self._behind is not None:
            return self._behind.take(frame, stream=stream, is_public=is_public)
        return self._keep(frame, stream, is_public=is_public)

    def note_odd_frame(self, kind: NotAnEvent, detail: str = "") -> None:
        """Hand it on, or keep it."""
        if self._behind is not None:
            self._behind.note_odd_frame(kind, detail)
        else:
            self._kept.append((kind, detail, self._clock(), False))

    async def open(self, behind: FrameSink) -> int:
        """Hand on what was kept, in the order in which it came, then everything that follows; return how many frames were kept."""
        handed_on = 0
        while self._kept:
            what, of, _, is_public = self._kept[0]
            if isinstance(what, bytes):
                await behind.take(what, stream=of, is_public=is_public)
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
        for what, of, at, _ in self._kept:
            if isinstance(what, bytes):
                before = dropped.get(of, Dropped(0, at))
                dropped[of] = Dropped(before.frames + 1, before.since)
        self._kept.clear()
        return dropped

    async def _keep(self, frame: bytes, stream: str, *, is_public: bool) -> None:
        while self._behind is None and self._kept_bytes >= self._max_bytes:
            await self._room.wait()
        if self._behind is not None:
            await self._behind.take(frame, stream=stream, is_public=is_public)
            return
        self._kept.append((frame, stream, self._clock(), is_public))
        self._count(len(frame) + _OVERHEAD_BYTES)

    def _count(self, more: int) -> None:
        self._kept_bytes += more
        if self._kept_bytes < self._max_bytes:
            self._room.set()
        else:
            self._room.clear()
