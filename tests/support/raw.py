"""Receivers of our own bytes, and a sender to whatever they do."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from forwarder.core.destinations.request import FixedHeaders, WebhookRequest
from forwarder.core.destinations.transport import STRAIGHT, Transport
from forwarder.destinations.sender import HttpSender, open_sender

REQUEST = WebhookRequest(
    fixed=FixedHeaders({"Content-Type": "application/json"}), id="msg_1", timestamp=1, body=b'{"a": "\xc3\xa9"}'
)


@asynccontextmanager
async def sender_to(url: str, timeout: float = 5, transport: Transport = STRAIGHT) -> AsyncIterator[HttpSender]:
    """Give a sender; `timeout` in seconds."""
    async with open_sender(
        url, timeout=timedelta(seconds=timeout), clock=lambda: datetime.now(UTC), transport=transport
    ) as sender:
        yield sender


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(
    serve: Serve,
    tls: ssl.SSLContext | None = None,
    *,
    path: str | None = None,
    address: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[int]:
    """Have each connection to a port of an address, or to a unix socket, served and closed; give the port. None is left at the end."""
    tasks: set[asyncio.Task[None] | None] = set()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        # By its end, a task of `start_server` may not be a cancelled one: Python 3.11 logs that as a fault.
        with suppress(asyncio.CancelledError):
            try:
                await serve(reader, writer)
            except (OSError, asyncio.IncompleteReadError):  # it has gone
                pass
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()

    if path is None:
        server = await asyncio.start_server(serve_one, address, port, ssl=tls)
    else:
        server = await asyncio.start_unix_server(serve_one, path, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1] if path is None else 0
    for task in tasks:
        if task is not None:
            task.cancel()
    await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)


@asynccontextmanager
async def raw_server(
    answer: Callable[[asyncio.StreamWriter], Awaitable[None]],
    *,
    stays_open: bool = False,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[str]:
    """Serve bytes of our own choosing to whoever connects, and close then, or once the client has gone."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await answer(writer)
        if stays_open:
            await reader.read()

    async with serving(serve, tls) as port:
        yield f"{'http' if tls is None else 'https'}://localhost:{port}/"


def says(said: bytes) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    """Return an answer of these bytes."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    return answer
