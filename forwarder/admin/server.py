"""The control socket: one request a line, one answer a line, both JSON. The daemon's user, root and the members of `group` get in."""

import asyncio
import grp
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
from forwarder.core.changes import Announce, Diff, HandOver, Request

_LINE_BYTES = 16 * 1024 * 1024
"""A request may name many dead letters."""
_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
_UCRED = struct.Struct("3i")
_OF_THE_OWNER = (Announce, HandOver, Diff)
"""To take its place, and to have it read any file: its secrets are among those."""

Handle = Callable[[Request], Awaitable[BaseModel | dict[str, object]]]
"""Does what was asked. A `RequestRefusedError` goes back as its text."""

log = structlog.get_logger(__name__)


class RequestRefusedError(Exception):
    """A request that cannot be done now; the text says why."""


@asynccontextmanager
async def open_control_socket(path: Path, handle: Handle, *, group: str | None = None) -> AsyncIterator[None]:
    """Listen there for the length of the block. A socket that cannot be made is told, and the daemon works without.

    The members of `group` may connect too, where there is one. One that this process cannot give the socket to is told, and they may not.

    The caller holds the lock of the outbox, so a file of that name is one that a killed daemon left.
    """
    try:
        listening = _listen(path)
    except OSError as error:
        log.error("admin.no_control_socket", path=str(path), reason=error.strerror or str(error))  # noqa: TRY400
        yield
        return

    is_shared = group is not None and _share(path, group)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _serve(reader, writer, handle, is_shared=is_shared)
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


def _share(path: Path, group: str) -> bool:
    """Give the socket to a group; return whether that could be done."""
    try:
        number = grp.getgrnam(group).gr_gid
        if (
            path.stat().st_gid != number
        ):  # it has the group of the process already; under our unit no file may be given away
            os.chown(path, -1, number)
        path.chmod(0o660)
    except (KeyError, OSError) as error:
        reason = "there is no such group" if isinstance(error, KeyError) else error.strerror or str(error)
        log.error(  # noqa: TRY400 - no traceback
            "admin.group_not_applied",
            group=group,
            reason=reason,
            note="only root and the daemon's own user may use the control socket; the daemon must be of that group "
            "(Group= in the unit)",
        )
        return False
    return True


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handle, *, is_shared: bool
) -> None:
    """Answer one connection. Where `is_shared`, the kernel let it in by the mode of the file: a user or a group that may."""
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
        is_owner = uid in {0, os.geteuid()}
        if not (is_owner or is_shared):
            await _answer(writer, {"error": f"only root and the daemon's own user may do that (you are user {uid})"})
            return
        if _has_gone(peer.fileno()):  # it was told that nothing answers, while this process stood still
            return
        await _answer(writer, await _handle_line(line, handle, is_owner=is_owner))


def _has_gone(descriptor: int) -> bool:
    """Return whether the asker has closed the connection; one that only sends no more still reads the answer."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


async def _handle_line(line: bytes, handle: Handle, *, is_owner: bool) -> dict[str, object]:
    try:
        request = _REQUEST.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        return {"error": f"this daemon does not understand the request ({place}: {first['msg']})"}
    if isinstance(request, _OF_THE_OWNER) and not is_owner:
        return {"error": "only root and the daemon's own user may do that, not the members of admin.group"}
    try:
        result = await handle(request)
    except RequestRefusedError as refused:
        return {"error": str(refused)}
    return {"result": result.model_dump(mode="json") if isinstance(result, BaseModel) else result}


async def _answer(writer: asyncio.StreamWriter, answer: dict[str, object]) -> None:
    with suppress(ConnectionError):
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
