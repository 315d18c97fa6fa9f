"""Servers that speak TLS: in front of another one, and one that says in an alert why a handshake failed."""

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from tests.support.http_proxy import closed, pass_on
from tests.support.raw import serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[str]:
    """Answer each connection in a thread: unlike asyncio's server, it tells the client in an alert why a handshake failed."""

    def serve() -> None:
        while True:
            try:
                accepted, _ = listening.accept()
            except OSError:
                return
            accepted.settimeout(10)
            linger = socket.socket(fileno=os.dup(accepted.fileno()))  # `wrap_socket` closes the other when it fails
            with accepted, linger, suppress(OSError):  # ssl.SSLError is one
                try:
                    with context.wrap_socket(accepted, server_side=True, suppress_ragged_eofs=True) as secured:
                        secured.recv(65536)
                        secured.sendall(OK)
                except ssl.SSLError:
                    linger.shutdown(socket.SHUT_WR)
                    while linger.recv(65536):
                        pass

    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"https://localhost:{listening.getsockname()[1]}/"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


@asynccontextmanager
async def tls_before(port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    """Speak TLS at a port of this machine, and pass everything on to `port`; give the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(pass_on(reader, to_writer), pass_on(to_reader, writer))
        finally:
            await closed(to_writer)

    async with serving(serve, context) as own:
        yield own
