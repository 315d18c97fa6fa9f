"""What a stream of any transport offers to the supervisor, and what it reports of a connection."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Protocol

from forwarder.core.event import NotAnEvent
from forwarder.streams.faults import StreamFaultError

MAX_FRAME = 16 * 1024 * 1024
"""The longest message in bytes, unless the config says otherwise."""


class Listener(Protocol):
    """Is notified of everything on one connection, from its opening to its end."""

    connect_within: timedelta
    """How long TCP may take to connect, by address."""
    probe: asyncio.Event
    """Set to have the peer asked for a sign of life now, if the protocol can do that; the stream clears it."""

    def opened(self, *, ends_in: timedelta | None = None) -> None:
        """Note that the connection is open. `ends_in` is how long the token is valid that it was opened with."""
        ...

    def heard(self) -> None:
        """Note that something complete came: an event, an answer to a ping, a comment."""
        ...

    def take(self, frame: bytes, /) -> Awaitable[None]:
        """Take one frame that may be an event. What this raises ends the connection, and `hold` raises it too."""
        ...

    def note_odd_frame(self, kind: NotAnEvent) -> None:
        """Note that a frame came that cannot be an event."""
        ...


class Stream(Protocol):
    """Knows how to connect to a stream. It is a value: a reload compares it to see whether the stream has changed."""

    @property
    def name(self) -> str:
        """The name in the config."""
        ...

    @property
    def is_public(self) -> bool:
        """Whether it is the public stream, which needs no key, and whose events are cut."""
        ...

    @property
    def max_age(self) -> timedelta | None:
        """The age at which a connection is renewed; `None` for no limit."""
        ...

    @property
    def answers_within(self) -> timedelta:
        """How long a live peer takes at most to give a sign of life, once `Listener.probe` is set."""
        ...

    async def hold(self, listener: Listener) -> StreamFaultError:
        """Connect, report everything to `listener`, and return why the connection ended. Raises `StreamFaultError` if it could not be opened."""
        ...
