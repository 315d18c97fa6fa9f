"""What a supervisor needs from the rest of the program."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import msgspec

from forwarder.clocks.boot_time import boot_time
from forwarder.core.event import NotAnEvent
from forwarder.core.ports import Clock, GapRecord
from forwarder.core.streams.state import StreamState


class StreamContext(msgspec.Struct, frozen=True, kw_only=True):
    """Connects the supervisor of one stream to ingest, to the gap record and to the stream's state."""

    take: Callable[[bytes], Awaitable[None]]
    """Takes a frame that may be an event."""
    on_odd_frame: Callable[[NotAnEvent], None]
    """Is called for a frame that cannot be an event."""
    gaps: GapRecord
    state: StreamState
    """What `status` and the metrics show of the stream."""
    clock: Clock

    def wall_time(self, boot_s: float) -> datetime:
        """Return what the wall clock says of a moment in the past, given by `boot_time`."""
        return self.clock() - timedelta(seconds=max(boot_time() - boot_s, 0.0))

    def note_past_gap(self, began: datetime, ended: datetime, reason: str) -> None:
        """Record a gap that is over already: another connection is open."""
        name = self.state.name
        self.gaps.note_away(name, began=began, noticed=ended, reason=reason)
        self.gaps.note_open(name, ended)
