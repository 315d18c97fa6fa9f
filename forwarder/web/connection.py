"""One connection of a client: it must send its request in time and take the answer, and there are only so many."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from aiohttp import web

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "forwarder",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What every answer says: nothing that a page of another site could make a browser do."""
MOST_CONNECTIONS = 128
MOST_UNSENT_BYTES = 32 << 20
"""How much of answers may wait to be taken, of all clients together. Beyond that there are no more answers but short ones."""
_HEAD_WITHIN_S = 10.0
"""How long a client may take for the head of its first request."""
_TAKEN_WITHIN_S = 30.0
"""How long a client may take nothing of an answer."""

_quiet = logging.getLogger("forwarder.web.connection")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


class Refusal(msgspec.Struct, frozen=True):
    """The body of an answer to a request that cannot be carried out."""

    error: str
    """Why, as a sentence."""


def refusal(status: int, error: str, **headers: str) -> web.Response:
    """Return the answer to a request that is refused."""
    body = msgspec.json.encode(Refusal(error)) + b"\n"
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


class Connection(web.RequestHandler):
    """A connection of aiohttp that has limits, and whose own errors are answered as all others are.

    Where there are too many, the one that has been without a request for the longest time is closed for a new one.
    """

    def __init__(self, server: web.Server, *, keep_alive_s: float) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # `AppRunner` passes it on like that
            keepalive_timeout=keep_alive_s,
            logger=_quiet,
        )
        self._server = server
        self._timer: asyncio.Handle | None = None
        self._for_client: asyncio.Task[Any] | None = None
        """What ends when the client goes away."""
        self._left = -1
        """How many bytes of an answer waited to be taken when it was looked at last."""
        self._idle_since = 0.0
        """Since when there is no request, on the clock of the loop."""
        self._is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, in the place of another one if there are too many."""
        super().connection_made(transport)
        self._idle_since = asyncio.get_running_loop().time()
        self._timer = asyncio.get_running_loop().call_later(_HEAD_WITHIN_S, self.force_close)
        _make_room(self._server)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End, with what is done for the client alone."""
        self._cancel_timer()
        if self._for_client is not None:
            self._for_client.cancel()
        super().connection_lost(exc)

    def unsent_bytes(self) -> int:
        """Return how much of answers waits to be taken, of all connections of the server."""
        return sum(map(_unsent, (each.transport for each in self._server.connections)))

    @contextmanager
    def ending_with_client(self) -> Iterator[None]:
        """Cancel the task that is inside of this block when the client goes away."""
        self._for_client = asyncio.current_task()
        try:
            yield
        finally:
            self._for_client = None

    def note_begun(self) -> None:
        """Take note that the head of a request is there."""
        self._is_busy = True
        self._cancel_timer()

    def note_answered(self) -> None:
        """Take note that a request is answered: the client has to take the answer now."""
        self._is_busy = False
        self._idle_since = asyncio.get_running_loop().time()
        self._cancel_timer()
        self._left = -1
        self._timer = asyncio.get_running_loop().call_later(_TAKEN_WITHIN_S, self._look)

    @property
    def idle_since(self) -> tuple[bool, float]:
        """Return what orders connections by which of them is closed first: those without a request, the oldest first."""
        return self._is_busy, self._idle_since

    def abort(self) -> None:
        """Close the connection, also if the client has not taken all of an answer."""
        transport = self.transport
        self.force_close()
        if isinstance(transport, asyncio.Transport):
            transport.abort()

    def _look(self) -> None:
        """Close the connection if the client takes nothing; look again while it does."""
        left = _unsent(self.transport)
        if left and left == self._left:
            self.force_close()
        elif left:
            self._left = left
            self._timer = asyncio.get_running_loop().call_later(_TAKEN_WITHIN_S, self._look)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it may repeat what the client sent
    ) -> web.StreamResponse:
        """Answer what is no HTTP, and what fails outside of the guard."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already") from exc
        text = "this is not a request of HTTP that forwarder reads" if status < 500 else "an error of forwarder itself"
        answer = refusal(status, text, **HEADERS)
        answer.force_close()
        return answer


def _unsent(transport: asyncio.BaseTransport | None) -> int:
    return transport.get_write_buffer_size() if isinstance(transport, asyncio.WriteTransport) else 0


def _make_room(server: web.Server) -> None:
    """Close the connection that has been idle for the longest time where there are too many."""
    found = [each for each in server.connections if isinstance(each, Connection) and each.transport is not None]
    if len(found) > MOST_CONNECTIONS:
        min(found, key=lambda each: each.idle_since).abort()
