"""What a supervisor hands on, and to whom."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from forwarder.core.event import NotAnEvent
from forwarder.core.ports import Clock
from forwarder.core.stream_state import StreamState


class Gaps(Protocol):
    """Hears when a stream is away and when it is back."""

    def note_away(self, stream: str, *, began: datetime, noticed: datetime, reason: str) -> None:
        """Nothing is known of what was sent since `began`, the last sign of life."""
        ...

    def note_open(self, stream: str, at: datetime) -> None:
        """A connection is open since then."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Of one stream."""

    take: Callable[[bytes], Awaitable[None]]
    on_odd_frame: Callable[[NotAnEvent], None]
    gaps: Gaps
    state: StreamState
    clock: Clock
