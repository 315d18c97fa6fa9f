"""Whether an old connection has been read far enough to be closed: up to where its successor begins. Pure.

A server sends the same events to both. So once the old connection has brought several of the first events of the new one, the new
one brings what is left. A single event in common proves nothing: servers send some events twice.
"""

from collections.abc import Collection
from contextlib import suppress
from enum import StrEnum

from forwarder.core.event import EventId, NotAnEventError, decode_event

FIRST_EVENTS = 256
"""How many events of a new connection are remembered."""
ENOUGH_IN_COMMON = 5
_MOST_REMEMBERED = 50_000
"""How many events of an old connection are remembered, about five megabytes. The oldest are forgotten first."""


class Extent(StrEnum):
    """Says how far an old connection was read before it was closed."""

    OVERLAPPED = "overlapped"
    """It brought events that its successor brought too, so nothing is missing."""
    QUIET = "quiet"
    """Nothing more came."""
    ENDED = "ended"
    """It was read to its end."""
    CUT_OFF = "cut off"
    """The limits were reached, and more may have been left."""


class FirstEvents:
    """Remembers the ids of the first events of a connection."""

    def __init__(self) -> None:
        self.ids: dict[EventId, None] = {}
        self._frames = 0

    @property
    def is_full(self) -> bool:
        """Whether enough are remembered."""
        return self._frames >= FIRST_EVENTS

    def note(self, frame: bytes) -> None:
        """Remember the id of a frame, if it is an event."""
        self._frames += 1
        with suppress(NotAnEventError):
            self.ids[decode_event(frame).id] = None


class ReadEvents:
    """Remembers the ids of the events that a connection brings from now on."""

    def __init__(self) -> None:
        self._ids: dict[EventId, None] = {}
        self.last_timestamp_s: float | None = None
        """The timestamp of the last event, in seconds since 1970."""

    def note(self, frame: bytes) -> None:
        """Remember the id of a frame, if it is an event."""
        try:
            event = decode_event(frame)
        except NotAnEventError:
            return
        self._ids[event.id] = None
        self.last_timestamp_s = event.timestamp / 1000
        if len(self._ids) > _MOST_REMEMBERED:
            del self._ids[next(iter(self._ids))]

    def reaches(self, first_of_next: Collection[EventId]) -> bool:
        """Return whether enough of them are among the first events of the successor."""
        return sum(event_id in self._ids for event_id in first_of_next) >= ENOUGH_IN_COMMON
