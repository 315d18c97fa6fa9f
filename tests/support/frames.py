"""A WebSocket server that sends raw bytes, for what no library would send."""

import asyncio
import base64
import hashlib
import re
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import IntEnum

from tests.support.raw import serving

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""The GUID of RFC 6455."""


class Opcode(IntEnum):
    """Is the kind of a frame."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


def frame(
    payload: bytes,
    opcode: Opcode = Opcode.TEXT,
    *,
    is_last: bool = True,
    reserved: int = 0,
    declared: int | None = None,
) -> bytes:
    """Return a frame of the server. `reserved` has the bits RSV1 (4), RSV2 (2), RSV3 (1); `declared` is a false length."""
    length = len(payload) if declared is None else declared
    first = (0x80 if is_last else 0) | reserved << 4 | opcode
    if length < 126:
        return struct.pack("!BB", first, length) + payload
    if length < 1 << 16:
        return struct.pack("!BBH", first, 126, length) + payload
    return struct.pack("!BBQ", first, 127, length) + payload


def close(code: int | None, reason: bytes = b"") -> bytes:
    """Return a close frame."""
    return frame(b"" if code is None else struct.pack("!H", code) + reason, Opcode.CLOSE)


def bomb() -> bytes:
    """Return 64 MiB of zeros, compressed to 64 KiB as permessage-deflate has it."""
    packer = zlib.compressobj(wbits=-15)
    return (packer.compress(bytes(64 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\x00\x00\xff\xff")


def switched(request: bytes, *, extra: bytes = b"") -> bytes:
    """Return the response 101 to an upgrade; `extra` has more header lines, each with its line end."""
    match = re.search(rb"(?im)^sec-websocket-key: *(\S+)", request)
    assert match is not None, request
    accept = base64.b64encode(hashlib.sha1(match[1] + _GUID).digest())  # noqa: S324 - as the RFC has it
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n" + extra + b"\r\n"
    )


class Peer:
    """Is one client of the server, with the request that it has sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
        self.reader = reader
        self.writer = writer
        self.request = request

    async def say(self, data: bytes) -> None:
        """Write bytes, and wait until there is room for more."""
        self.writer.write(data)
        await self.writer.drain()

    async def open(self, *, extra: bytes = b"") -> None:
        """Answer 101."""
        await self.say(switched(self.request, extra=extra))

    async def until_gone(self) -> None:
        """Read and ignore everything, until the client ends the connection."""
        while await self.reader.read(1 << 16):
            pass


Behave = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def peers(behave: Behave) -> AsyncIterator[str]:
    """Treat each client so after its request, and close it; provide the address for `url`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await behave(Peer(reader, writer, await reader.readuntil(b"\r\n\r\n")))

    async with serving(serve) as port:
        yield f"ws://127.0.0.1:{port}/ws"
