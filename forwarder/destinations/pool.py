"""Keeps the connections to one destination for reuse; the one used last is reused first."""

import asyncio
from math import inf

from forwarder.destinations.dialer import Dialer
from forwarder.destinations.http_connection import HttpConnection

KEEP_ALIVE_S = 75.0
"""How long an idle connection is kept. Many receivers close earlier (Node.js after 5 s); such a connection is replaced at once."""

LATE_S = 1.0
"""A deadline that is handled this late passed while the process was suspended, so it says nothing about the receiver."""
_READING_S = 1.0
"""How long to read the responses that came during such a standstill."""

MAX_FINISHING = 16
"""How many connections may read the rest of a response at a time. Of more, the oldest is closed."""


class Pool:
    """Hands out connections to one receiver, takes them back, and enforces their deadlines."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self.failed_addresses = dialer.failed_addresses
        """The addresses that `note_response` would say something new about."""
        self._loop = asyncio.get_running_loop()
        self._idle: list[HttpConnection] = []
        self._open: set[HttpConnection] = set()
        """All connections. Those that are handed out, and those in `_finishing`, have a deadline."""
        self._finishing: list[HttpConnection] = []
        """Connections that were given back, and that read the rest of a response until their deadline; the oldest first."""
        self._sweeping: asyncio.Handle | None = None
        self._timing: asyncio.Handle | None = None
        """The one timer of all connections in use; it runs at the first deadline or earlier."""
        self._timing_at = inf
        """When the timer runs, by the loop's clock."""

    def take_idle(self, deadline: float) -> HttpConnection | None:
        """Return a used connection that seems to be open, for an exchange until `deadline`."""
        if self._finishing:
            self._collect()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable and connection.expires_at > self._loop.time():
                connection.deadline = deadline
                if deadline < self._timing_at:
                    self._time(deadline)
                return connection
            self._drop(connection)
        return None

    async def connect(self, deadline: float, *, is_knock: bool = False) -> HttpConnection:
        """Return a fresh connection for an exchange until `deadline`. Raises `NotConnectedError`. `is_knock`: see `Dialer.connect`."""
        connection = await self._dialer.connect(deadline, is_knock=is_knock)
        self._open.add(connection)
        connection.deadline = deadline
        if deadline < self._timing_at:
            self._time(deadline)
        return connection

    def note_silence(self, connection: HttpConnection) -> None:
        """Note that no response came over a connection: the next ones are made to other addresses of the receiver, if it has any."""
        self._dialer.note_silence(connection)

    def note_response(self, connection: HttpConnection) -> None:
        """Note that a response came over a connection."""
        self._dialer.note_response(connection)

    def drop_idle(self) -> None:
        """Close the idle connections. Used when one of them was dead, because the others are as old."""
        for connection in self._idle:
            self._drop(connection)
        self._idle.clear()

    def _drop(self, connection: HttpConnection) -> None:
        connection.abort()
        self._open.discard(connection)

    def _time(self, first: float) -> None:
        """Have the timer run at the first deadline; `inf`: there is none."""
        if self._timing is not None:
            self._timing.cancel()
        # The time is kept separately, because a handle of uvloop may not know when it is due.
        self._timing, self._timing_at = None if first == inf else self._loop.call_at(first, self._run_out), first

    def _run_out(self) -> None:
        now = max(self._loop.time(), self._timing_at)  # a timer may come a little early
        if now - self._timing_at >= LATE_S:  # after a standstill a response may be in the socket, and is read first
            for connection in self._open:
                connection.deadline = max(connection.deadline, now + _READING_S)
        self._collect()
        for connection in self._open:
            if connection.deadline <= now:
                connection.run_out()
        self._collect()
        self._time(min((connection.deadline for connection in self._open if connection.deadline > now), default=inf))

    def give_back(self, connection: HttpConnection) -> None:
        """Keep a connection for the next request, or close it if it cannot be used again. It may still read the rest of a response."""
        if connection.has_rest:
            self._finishing.append(connection)
            if len(self._finishing) > MAX_FINISHING:
                self._finishing[0].abort()
                self._collect()
            return
        now = self._loop.time()
        if not connection.is_usable or connection.expires_at <= now:
            self._drop(connection)
            return
        connection.idle_since, connection.deadline = now, inf
        self._idle.append(connection)
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(KEEP_ALIVE_S, self._sweep)

    def _collect(self) -> None:
        """Take back the connections that have read their response by now."""
        finishing, self._finishing = self._finishing, []
        for connection in finishing:
            self.give_back(connection)

    def close(self) -> None:
        """Close all connections."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._time(inf)
        for connection in self._open:
            connection.abort()
        self._idle.clear()
        self._open.clear()
        self._finishing.clear()

    def _sweep(self) -> None:
        """Close the connections that were idle for too long."""
        oldest = self._loop.time() - KEEP_ALIVE_S
        for connection in self._idle:
            if connection.idle_since <= oldest or not connection.is_usable:
                self._drop(connection)
        self._idle = [connection for connection in self._idle if connection.is_usable]
        next_at = min((connection.idle_since for connection in self._idle), default=None)
        self._sweeping = None if next_at is None else self._loop.call_at(next_at + KEEP_ALIVE_S, self._sweep)
