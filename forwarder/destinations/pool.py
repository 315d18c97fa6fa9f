"""The connections to one destination: made when needed, kept for a while, the one used last first."""

import asyncio

from forwarder.destinations.dialer import Dialer
from forwarder.destinations.exchange import Connection

KEEP_ALIVE_S = 75.0
"""How long an idle connection is kept. Receivers close sooner (Node.js after 5 s); a stale one is then replaced at once."""

LATE_S = 1.0
"""A deadline that comes so late passed while the process stood still, and tells nothing of the receiver."""
_READING_S = 1.0
"""To read the answers that came meanwhile."""


class Pool:
    """Connections to one receiver."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._in_use: set[Connection] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._timing: asyncio.Handle | None = None
        """Runs at the first deadline of a connection in use, or before: one timer for all of them."""
        self._timing_at = 0.0

    def take_idle(self, deadline: float) -> Connection | None:
        """Return a connection that was used before and is still open, as far as we know, for an exchange until `deadline`."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                self._use(connection, deadline)
                return connection
            connection.abort()
        return None

    async def connect(self, deadline: float, *, is_knock: bool = False) -> Connection:
        """Return a fresh connection for an exchange until `deadline`. Raises `NotConnectedError`. `is_knock`: see `Dialer.connect`."""
        connection = await self._dialer.connect(deadline, is_knock=is_knock)
        self._use(connection, deadline)
        return connection

    def drop_idle(self) -> None:
        """Close what is kept: one of them turned out to lead nowhere, and the others are as old."""
        for connection in self._idle:
            connection.abort()
        self._idle.clear()

    def _use(self, connection: Connection, deadline: float) -> None:
        """Have the connection end its exchange at the deadline (of the loop's clock)."""
        connection.deadline = deadline
        self._in_use.add(connection)
        if self._timing is None or deadline < self._timing_at:
            self._time(deadline)

    def _time(self, first: float | None) -> None:
        if self._timing is not None:
            self._timing.cancel()
        self._timing = None
        if first is not None:  # kept beside it: a handle of uvloop may not know when it is due
            self._timing, self._timing_at = self._loop.call_at(first, self._run_out), first

    def _run_out(self) -> None:
        now = max(self._loop.time(), self._timing_at)  # a timer may come a little early
        if now - self._timing_at >= LATE_S:  # we stood still: an answer may lie in the socket, and is read first
            for connection in self._in_use:
                connection.deadline = max(connection.deadline, now + _READING_S)
        for connection in self._in_use:
            if connection.deadline <= now:
                connection.run_out()
        self._time(min((connection.deadline for connection in self._in_use if connection.deadline > now), default=None))

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next request, or close it where it cannot be used again."""
        self._in_use.discard(connection)
        if not connection.is_usable:
            connection.abort()
            return
        connection.idle_since = self._loop.time()
        self._idle.append(connection)
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(KEEP_ALIVE_S, self._sweep)

    def close(self) -> None:
        """Close everything."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._time(None)
        for connection in (*self._idle, *self._in_use):
            connection.abort()
        self._idle.clear()
        self._in_use.clear()

    def _sweep(self) -> None:
        """Close what was idle for too long."""
        oldest = self._loop.time() - KEEP_ALIVE_S
        for connection in self._idle:
            if connection.idle_since <= oldest:
                connection.abort()
        self._idle = [connection for connection in self._idle if connection.is_usable]
        next_at = min((connection.idle_since for connection in self._idle), default=None)
        self._sweeping = None if next_at is None else self._loop.call_at(next_at + KEEP_ALIVE_S, self._sweep)
