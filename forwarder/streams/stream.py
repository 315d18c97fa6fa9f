"""What a connection of any kind is to the supervisor, and what it tells of itself."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Protocol

from forwarder.core.event import NotAnEvent
from forwarder.streams.faults import StreamFaultError

MAX_FRAME = 16 * 1024 * 1024
"""Bytes of one message, unless the config says otherwise."""


class Listener(Protocol):
    """Hears of one connection, from its opening to its end."""

    connect_within: timedelta
    """How long TCP may take to connect, by address."""
    probe: asyncio.Event
    """Set: ask the peer for a sign of life now, where the protocol has a way to; whoever does clears it."""

    def opened(self, *, ends_in: timedelta | None = None) -> None:
        """The connection is open. `ends_in`: what it was opened with (a token) is good for so long."""
        ...

    def heard(self) -> None:
        """Something complete came: an event, an answer to a ping, a comment."""
        ...

    def take(self, frame: bytes, /) -> Awaitable[None]:
        """Take one frame that may be an event; what this raises ends the connection and is raised by `hold`."""
        ...

    def note_odd_frame(self, kind: NotAnEvent) -> None:
        """A frame came that can be no event."""
        ...


class Stream(Protocol):
    """How to connect: a value, compared to see whether a reload changed it."""

    @property
    def name(self) -> str:
        """As the config has it."""
        ...

    @property
    def max_age(self) -> timedelta | None:
        """After how long a connection is renewed; `None`: never for that."""
        ...

    @property
    def answers_within(self) -> timedelta:
        """When a sign of life comes at the latest from a peer that is there, once `Listener.probe` is set."""
        ...

    async def hold(self, listener: Listener) -> StreamFaultError:
        """Connect, tell `listener` everything, and return why it ended. Raises `StreamFaultError` if it was never open."""
        ...
