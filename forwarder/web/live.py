"""Events and attempts as they pass, as Server-Sent Events. A reader that is slow loses the oldest, and is told how many."""

import asyncio
import fcntl
import struct
import termios
from collections.abc import Iterator, Sequence

import msgspec
from aiohttp import web

from forwarder.core.monitoring.live import Passing, PassingAttempt, PassingEvent
from forwarder.web.connection import refusal
from forwarder.web.endpoints import Endpoint, NoParameters
from forwarder.web.parameters import read_query
from forwarder.web.ports import DaemonAccess, LiveSubscription

MOST_CLIENTS = 16
_MOST_WAITING = 1_000
"""How many wait for one client at most."""
_KEEP_ALIVE_S = 15.0
_TAKEN_WITHIN_S = 30.0
"""A client that takes nothing for so long is gone."""
_GATHERED_S = 0.1
"""For so long what passes is gathered, so that each client costs few packets."""
_KEEP_ALIVE = b":%s\n\n" % (b" keep-alive" * 180)
"""A comment. It is so long that the buffers of a client that reads nothing are soon full."""
_TYPE = "text/event-stream"

_encoder = msgspec.json.Encoder()


class LostSoFar(msgspec.Struct, frozen=True, tag_field="event", tag="lost"):
    """How many events and attempts this client has lost since it connected, because it was too slow."""

    lost: int


class Live:
    """Serves the live feed."""

    def __init__(self, access: DaemonAccess) -> None:
        self._access = access
        self._clients = 0

    def endpoints(self) -> Iterator[Endpoint]:
        """Yield what there is."""
        yield Endpoint(
            method="GET",
            path="/live",
            summary="Events and attempts as they pass, as Server-Sent Events of the types `event`, `attempt` and `lost`",
            answer=self.live,
            result=PassingEvent | PassingAttempt | LostSoFar,
            media_type=_TYPE,
        )

    async def live(self, request: web.Request) -> web.StreamResponse:
        """Send what passes until the client goes, or the daemon stops."""
        read_query(request, NoParameters)
        if self._clients >= MOST_CLIENTS:
            return refusal(503, f"{MOST_CLIENTS} clients watch already; try again", **{"Retry-After": "5"})
        response = web.StreamResponse(headers={"Content-Type": _TYPE, "X-Accel-Buffering": "no"})
        self._clients += 1
        try:
            with self._access.live.subscribe(most=_MOST_WAITING) as passing:
                await response.prepare(request)
                await _write(response, b"retry: 3000\n\n")
                await _send_all(response, passing, request.transport)
        except (ConnectionError, TimeoutError):
            response.force_close()
            if request.transport is not None:
                request.transport.abort()  # what it has not taken would keep the connection
        finally:
            self._clients -= 1
        return response


async def _send_all(
    response: web.StreamResponse, passing: LiveSubscription, transport: asyncio.BaseTransport | None
) -> None:
    lost = untaken = 0
    while True:
        try:
            async with asyncio.timeout(_KEEP_ALIVE_S):
                some = await passing.take()
        except TimeoutError:
            before, untaken = untaken, _untaken(transport)
            if untaken and untaken >= before > 0:  # nothing was taken since the keep-alive before
                raise
            await _write(response, _KEEP_ALIVE)
            continue
        if not some:  # the daemon stops
            return
        text = written(some)
        if passing.lost > lost:
            lost = passing.lost
            text = _message("lost", LostSoFar(lost)) + text
        await _write(response, text)
        await asyncio.sleep(_GATHERED_S)


def written(some: Sequence[Passing]) -> bytes:
    """Return messages as they are sent (WHATWG HTML, 9.2)."""
    return b"".join(_message("event" if isinstance(each, PassingEvent) else "attempt", each) for each in some)


def _message(kind: str, value: msgspec.Struct) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), _encoder.encode(value))


async def _write(response: web.StreamResponse, text: bytes) -> None:
    async with asyncio.timeout(_TAKEN_WITHIN_S):
        await response.write(text)


def _untaken(transport: asyncio.BaseTransport | None) -> int:
    """Return how many bytes the client, or its machine, has not taken."""
    if not isinstance(transport, asyncio.WriteTransport):
        return 0
    waiting = transport.get_write_buffer_size()
    found = transport.get_extra_info("socket")
    if found is None or found.fileno() < 0:
        return waiting
    sent: int = struct.unpack("i", fcntl.ioctl(found.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
    return waiting + sent
