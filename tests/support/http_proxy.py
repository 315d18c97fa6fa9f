"""A small real HTTP proxy."""

import asyncio
from contextlib import suppress


class SmallProxy:
    """Passes on what it is asked for: CONNECT as a tunnel, everything else one request at a time."""

    def __init__(
        self,
        *,
        wants: str | None = None,
        established: bytes = b"HTTP/1.1 200 Connection established\r\nX-Via: test\r\n\r\n",
    ) -> None:
        self.wants = wants
        self.established = established
        self.heads: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode():
            self.heads.append(head)
            if self.wants is not None and f"\r\nProxy-Authorization: {self.wants}\r\n" not in head:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                continue
            method, target, _ = head.split(" ", 2)
            host, _, port = target.removeprefix("http://").partition("/")[0].rpartition(":")
            try:
                to_reader, to_writer = await asyncio.open_connection(host, int(port))
            except OSError:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                continue
            if method == "CONNECT":
                writer.write(self.established)
            else:
                to_writer.write(head.replace(f"http://{host}:{port}", "", 1).encode())
            try:
                await asyncio.gather(pass_on(reader, to_writer), pass_on(to_reader, writer))
            finally:
                await closed(to_writer)
            return


async def closed(writer: asyncio.StreamWriter) -> None:
    """Close a connection, and return when it is closed."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
