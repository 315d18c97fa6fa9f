"""Whether an old connection has been read far enough to be closed: as far as the one that follows it begins.

A server sends the same events to both. So once the old one has brought several of the first events of the new one, whatever
it still holds comes by the new one too. A single event in common proves nothing: servers send some events twice.
"""

from collections.abc import Collection
from contextlib import suppress
from enum import StrEnum

from forwarder.core.event import EventId, NotAnEventError, decode_event

FIRST_EVENTS = 256
"""Of a new connection: so many of its events are remembered."""
ENOUGH_IN_COMMON = 5
_MOST_REMEMBERED = 50_000
"""Of an old one, the newest: about five megabytes."""


class Extent(StrEnum):
    """How far an old connection was read before it is closed."""

    OVERLAPPED = "overlapped"
    """It brought events that the next one brought too: nothing is missing."""
    QUIET = "quiet"
    """Nothing came any more."""
    ENDED = "ended"
    """It was read to its end."""
    CUT_OFF = "cut off"
    """More was to come than is waited for."""


class FirstEvents:
    """The ids of the first events that a connection brought."""

    def __init__(self) -> None:
        self.ids: dict[EventId, None] = {}
        self._frames = 0

    @property
    def is_full(self) -> bool:
        """Whether no more are wanted."""
        return self._frames >= FIRST_EVENTS

    def note(self, frame: bytes) -> None:
        """Remember the id of a frame, if it is an event."""
        self._frames += 1
        with suppress(NotAnEventError):
            self.ids[decode_event(frame).id] = None


class ReadEvents:
    """The ids of the events that a connection brings from now on."""

    def __init__(self) -> None:
        self._ids: dict[EventId, None] = {}
        self.last_timestamp_s: float | None = None
        """Of the last one: seconds since 1970, by whoever made the event."""

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
        """Return whether enough of them are among the first events of the connection that follows."""
        return sum(event_id in self._ids for event_id in first_of_next) >= ENOUGH_IN_COMMON
