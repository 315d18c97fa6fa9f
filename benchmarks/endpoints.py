"""The two ends of the load side: a WebSocket server for one client, and a receiver. Bare protocols, without a framework."""

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import Callable
from typing import Protocol, cast

KEY = "benchmark"
_ACCEPT_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_HEADER = re.compile(rb"\r\n([^:\r\n]+):[ \t]*([^\r\n]*)")
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_MID = re.compile(rb'"mid":"(\d+)"')


class Desk(Protocol):
    """Takes note of the POSTs, and says how they are answered."""

    answer: bytes

    def note_post(self, mid: int, now: int, receiver: int) -> None:
        """Note a POST of the event with this mid, complete at `now` (CLOCK_MONOTONIC, nanoseconds), at the receiver of this number."""


def text_frame(payload: bytes) -> bytes:
    if len(payload) < 126:
        return bytes((0x81, len(payload))) + payload
    return b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload


class Stream(asyncio.Protocol):
    """A WebSocket server for one client at a time; a later one takes the place of an earlier one."""

    def __init__(self, on_open: "Callable[[Stream | None], None]") -> None:
        self._on_open = on_open
        self._buffer = b""
        self._is_open = False
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._transport.set_write_buffer_limits(high=256 * 1024)

    def connection_lost(self, _error: Exception | None) -> None:
        """Say that nobody listens any more."""
        self._writable.set()
        if self._is_open:
            self._on_open(None)

    def pause_writing(self) -> None:
        """Note that the client reads slower than we write."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Note that the client has caught up."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Take the upgrade, then the client's pings."""
        self._buffer += data
        if not self._is_open:
            if b"\r\n\r\n" not in self._buffer:
                return
            request, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
            self._open(request)
        while self._take_frame():
            pass

    def _open(self, request: bytes) -> None:
        headers = {name.lower(): value for name, value in _HEADER.findall(request)}
        if not request.startswith(b"GET /ws") or headers.get(b"x-api-key") != KEY.encode():
            self._transport.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self._transport.close()
            return
        digest = hashlib.sha1(headers[b"sec-websocket-key"] + _ACCEPT_SUFFIX).digest()  # noqa: S324 - RFC 6455 says so
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        self._is_open = True
        self._on_open(self)

    def _take_frame(self) -> bool:
        """Take one short masked frame off the buffer, if there is a whole one. Clients send only pings, pongs and closes."""
        if not self._is_open or len(self._buffer) < 6:
            return False
        opcode, length = self._buffer[0] & 0x0F, self._buffer[1] & 0x7F
        end = 6 + length
        if len(self._buffer) < end:
            return False
        mask = self._buffer[2:6]
        payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self._buffer[6:end]))
        self._buffer = self._buffer[end:]
        if opcode == 0x8:
            self._transport.write(bytes((0x88, length)) + payload)
            self._transport.close()
        elif opcode in {0x1, 0x9}:  # the service answers both kinds of ping with a PONG frame
            self._transport.write(bytes((0x8A, length if opcode == 0x9 else 0)) + (payload if opcode == 0x9 else b""))
        return True

    async def write(self, frames: bytes) -> None:
        """Write, then wait while the client does not keep up."""
        self._transport.write(frames)
        await self._writable.wait()


class Receiver(asyncio.Protocol):
    """One keep-alive connection: reads POSTs with a Content-Length and answers each at once."""

    def __init__(self, desk: Desk, number: int = 0) -> None:
        """`number` is that of the receiver, where there are several."""
        self._desk = desk
        self._number = number
        self._buffer = bytearray()
        self._body_at = 0
        self._ends_at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        while self._is_complete():
            mid = _MID.search(self._buffer, self._body_at, self._ends_at)
            self._desk.note_post(-1 if mid is None else int(mid[1]), time.monotonic_ns(), self._number)
            del self._buffer[: self._ends_at]
            self._ends_at = 0
            self._transport.write(self._desk.answer)

    def _is_complete(self) -> bool:
        if not self._ends_at:
            head = self._buffer.find(b"\r\n\r\n")
            if head < 0:
                return False
            length = _CONTENT_LENGTH.search(self._buffer, 0, head + 2)
            self._body_at = head + 4
            self._ends_at = self._body_at + (int(length[1]) if length else 0)
        return len(self._buffer) >= self._ends_at
