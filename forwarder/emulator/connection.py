"""One connected client of the emulator: which events it wants, how they are sent, and how the connection ends."""

import asyncio
import itertools
import socket
import struct
import time
from abc import ABC, abstractmethod

import msgspec
from aiohttp import WSMsgType, web

from forwarder.emulator.faults import DropHow, OddFrame

_PATIENCE_S = 10.0
"""A client that reads nothing for this long is disconnected, so that it does not delay the events of others."""
SHOWN_PUBLICLY = ("fast-x", "telegram", "discord")
"""The sources of the public stream."""
_numbers = itertools.count(1)


class Envelope(msgspec.Struct):
    """Holds the parts of an event that decide who gets it, and what the public stream shows."""

    source: str
    payload: msgspec.Raw
    timestamp: int | float = 0


def reset(request: web.BaseRequest) -> None:
    """End the request's TCP connection with RST."""
    if request.transport is None:
        return
    plug: socket.socket | None = request.transport.get_extra_info("socket")
    if plug is not None:
        reset_on_close(plug)
    request.transport.abort()


def reset_on_close(plug: socket.socket) -> None:
    """Have the connection end with RST when it is closed; what is not sent yet is dropped."""
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class ClientConnection(ABC):
    """Is the open connection of one client, over WebSocket or server-sent events."""

    kind: str

    def __init__(self, request: web.Request) -> None:
        self.number = next(_numbers)
        self.request = request
        self.use_fast_x = request.query.get("useFastX") == "true"
        self.ignore_full_payload = request.query.get("ignoreFullPayload") == "true"
        self.opened_at = time.monotonic()
        self.last_activity = self.opened_at
        """When the last text `ping` or PONG frame of the client came, monotonic. A PING frame does not count."""
        self.text_pings = 0
        self.sent = 0
        self.hangs_until = 0.0

    @property
    def hangs(self) -> bool:
        """Whether nothing is sent or answered right now."""
        return time.monotonic() < self.hangs_until

    def wants(self, envelope: Envelope | None) -> bool:
        """Return whether the query of the client lets this event through. A frame that is not an event goes to all clients."""
        if envelope is None:
            return True
        if envelope.source == "fast-x":
            return self.use_fast_x
        return not (envelope.source == "x" and self.ignore_full_payload)

    async def send(self, frame: bytes, envelope: Envelope | None) -> bool:
        """Send one frame; return False if the client does not want it, hangs or has gone."""
        if self.hangs or not self.wants(envelope):
            return False
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._write(frame, envelope)
        except TimeoutError:
            reset(self.request)
            return False
        except ConnectionError:
            return False
        self.sent += 1
        return True

    @abstractmethod
    async def _write(self, frame: bytes, envelope: Envelope | None) -> None: ...

    @abstractmethod
    async def send_odd(self, odd: OddFrame) -> None:
        """Send a frame that is not an event, if this kind of connection can."""

    @abstractmethod
    async def end(self, how: DropHow, code: int | None) -> None:
        """End the connection."""


class WebSocketConnection(ClientConnection):
    """Is the connection of a client of `/ws`."""

    kind = "websocket"

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        super().__init__(request)
        self.socket = socket

    async def _write(self, frame: bytes, envelope: Envelope | None) -> None:  # noqa: ARG002  # only the public stream needs it
        await self.socket.send_frame(frame, WSMsgType.TEXT)

    async def send_odd(self, odd: OddFrame) -> None:
        """Send the frame as text or binary."""
        if not self.hangs:
            await self.socket.send_frame(odd.frame, WSMsgType.TEXT if odd.text else WSMsgType.BINARY)

    async def end(self, how: DropHow, code: int | None) -> None:
        """End the connection; a close with a code waits a moment for the client's close frame."""
        if how is DropHow.RESET:
            reset(self.request)
        elif how is DropHow.CLOSE_FRAME or code is None:
            await self.socket.send_frame(b"", WSMsgType.CLOSE)
            if how is DropHow.CLOSE and self.request.transport is not None:
                self.request.transport.close()
        else:
            await self.socket.close(code=code)


class SseConnection(ClientConnection):
    """Is the connection of a client of `/stream`. Without a token that is the public stream, whose events are shortened."""

    kind = "sse"

    def __init__(self, request: web.Request, response: web.StreamResponse, *, public: bool) -> None:
        super().__init__(request)
        self.response = response
        self.public = public
        self.ended = asyncio.Event()

    def wants(self, envelope: Envelope | None) -> bool:
        """Return whether the query, and on the public stream the source, lets this event through."""
        if self.public and envelope is not None and envelope.source not in SHOWN_PUBLICLY:
            return False
        return super().wants(envelope)

    async def _write(self, frame: bytes, envelope: Envelope | None) -> None:
        if self.public and envelope is not None:
            text = bytes(envelope.payload).decode()[:100] + "..."
            shape = {"source": envelope.source, "timestamp": envelope.timestamp, "payload": text}
            frame = msgspec.json.encode(shape)
        await self.response.write(b"data: " + frame.replace(b"\n", b"\ndata: ") + b"\n\n")

    async def keep_alive(self) -> None:
        """Send the comment that shows that the stream is alive."""
        if not self.hangs:
            await self.response.write(b":\n\n")

    async def send_odd(self, odd: OddFrame) -> None:
        """Send the frame as a `data:` line; a binary one cannot be sent."""
        if odd.text and not self.hangs:
            await self.response.write(b"data: " + odd.frame + b"\n\n")

    async def end(self, how: DropHow, code: int | None) -> None:  # noqa: ARG002  # HTTP has no close codes
        """End the connection: RST, or the end of the response."""
        if how is DropHow.RESET:
            reset(self.request)
        else:
            self.ended.set()
