"""The control socket: one request a line, one answer a line, both JSON. Only the daemon's user and root get in."""

import asyncio
import json
import os
import select
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog
from pydantic import BaseModel, TypeAdapter, ValidationError

from forwarder.admin.paths import reachable
from forwarder.core.changes import Request

_LINE_BYTES = 16 * 1024 * 1024
"""A request may name many dead letters."""
_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
_UCRED = struct.Struct("3i")

Handle = Callable[[Request], Awaitable[BaseModel | dict[str, object]]]
"""Does what was asked. A `RequestRefusedError` goes back as its text."""

log = structlog.get_logger(__name__)


class RequestRefusedError(Exception):
    """A request that cannot be done now; the text says why."""


@asynccontextmanager
async def open_control_socket(path: Path, handle: Handle) -> AsyncIterator[None]:
    """Listen there for the length of the block. A socket that cannot be made is told, and the daemon works without.

    The caller holds the lock of the outbox, so a file of that name is one that a killed daemon left.
    """
    try:
        listening = _listen(path)
    except OSError as error:
        log.error("admin.no_control_socket", path=str(path), reason=error.strerror or str(error))  # noqa: TRY400
        yield
        return

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _serve(reader, writer, handle)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(serve, sock=listening, limit=_LINE_BYTES)
    try:
        yield
    finally:
        server.close()
        await asyncio.to_thread(path.unlink, missing_ok=True)


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        os.fchmod(listening.fileno(), 0o600)  # before it has a name: never open to others, whatever the umask
        with reachable(path) as address:
            listening.bind(address)
        path.chmod(0o600)
    except OSError:
        listening.close()
        raise
    return listening


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handle) -> None:
    peer = writer.get_extra_info("socket")
    _, uid, _ = _UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    while True:
        try:
            line = await reader.readline()
        except ValueError:
            await _answer(writer, {"error": f"the request is longer than {_LINE_BYTES >> 20} MiB"})
            return
        if not line:
            return
        if uid not in {0, os.geteuid()}:
            await _answer(writer, {"error": f"only root and the daemon's own user may do that (you are user {uid})"})
            return
        if _has_gone(peer.fileno()):  # it was told that nothing answers, while this process stood still
            return
        await _answer(writer, await _handle_line(line, handle))


def _has_gone(descriptor: int) -> bool:
    """Return whether the asker has closed the connection; one that only sends no more still reads the answer."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


async def _handle_line(line: bytes, handle: Handle) -> dict[str, object]:
    try:
        request = _REQUEST.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        return {"error": f"this daemon does not understand the request ({place}: {first['msg']})"}
    try:
        result = await handle(request)
    except RequestRefusedError as refused:
        return {"error": str(refused)}
    return {"result": result.model_dump(mode="json") if isinstance(result, BaseModel) else result}


async def _answer(writer: asyncio.StreamWriter, answer: dict[str, object]) -> None:
    with suppress(ConnectionError):
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
