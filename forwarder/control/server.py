"""The server of the control socket: one request per line, one answer per line, both JSON.

The daemon's user, root and the members of `admin.group` have access.
"""

import asyncio
import grp
import json
import os
import select
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog
from pydantic import BaseModel, TypeAdapter, ValidationError

from forwarder.control.peer import peer_of
from forwarder.control.person import person
from forwarder.control.socket_path import reachable
from forwarder.core.commands import Announce, Diff, Request, RequestHandover, RequestRefusedError

_LINE_BYTES = 4 * 1024 * 1024
"""The longest request: it may name the first events of many streams."""
_MOST_CONNECTIONS, _MOST_OF_OTHERS = 64, 32
"""How many may be open at the same time: in all, and of other users than root and the daemon's own."""
_IDLE_S = 60.0
"""How long a client may take for its next request, and for reading an answer. Commands that wait ask each fraction of a second."""
_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
_OWNER_ONLY = (Announce, RequestHandover, Diff)
"""Requests for the owner only: they replace the daemon, or have it read any file, which includes its secrets."""

Handle = Callable[[Request, str], Awaitable[BaseModel | dict[str, object]]]
"""Carries out a request of a person, named as in `control.person`. The text of a `RequestRefusedError` is sent back."""

_Asked = Callable[[Request], Awaitable[BaseModel | dict[str, object]]]
"""The same for the person at one connection."""

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_control_socket(path: Path, handle: Handle, *, group: str | None = None) -> AsyncIterator[None]:
    """Listen for the length of the block. If the socket cannot be created, that is logged, and the daemon works without it.

    The members of `group` may connect as well. If this process cannot give the socket to that group, that is logged, and they may not.

    The caller holds the lock of the outbox, so an existing socket is one that a killed daemon has left.
    """
    try:
        listening = _listen(path)
    except OSError as error:
        log.error("admin.no_control_socket", path=str(path), reason=error.strerror or str(error))  # noqa: TRY400 - no traceback
        yield
        return

    is_shared = group is not None and _share(path, group)

    open_connections: Counter[bool] = Counter()
    """By whether they are of the owner."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = peer_of(writer.get_extra_info("socket"))
        uid = client.uid
        is_owner = uid in {0, os.geteuid()}
        open_connections[is_owner] += 1
        try:
            if not (is_owner or is_shared):
                await _answer(
                    writer, {"error": f"only root and the daemon's own user may do that (you are user {uid})"}
                )
            elif open_connections.total() > _MOST_CONNECTIONS or open_connections[False] > _MOST_OF_OTHERS:
                await _answer(writer, {"error": "too many commands are connected; try again"})
            else:
                asking = person(uid, client.pid)
                await _serve(reader, writer, lambda request: handle(request, asking), is_owner=is_owner)
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            pass
        finally:
            open_connections[is_owner] -= 1
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
        # Before it has a name, so that it is never open to others, with any umask.
        os.fchmod(listening.fileno(), 0o600)
        with reachable(path) as address:
            listening.bind(address)
        path.chmod(0o600)
    except OSError:
        listening.close()
        raise
    return listening


def _share(path: Path, group: str) -> bool:
    """Give the socket to a group; return whether that was possible."""
    try:
        number = grp.getgrnam(group).gr_gid
        # It may have the group of the process already; under our unit the process may not change the group of a file.
        if path.stat().st_gid != number:
            os.chown(path, -1, number)
        path.chmod(0o660)
    except (KeyError, OSError) as error:
        reason = "there is no such group" if isinstance(error, KeyError) else error.strerror or str(error)
        log.error(  # noqa: TRY400 - no traceback
            "admin.group_not_applied",
            group=group,
            reason=reason,
            note="only root and the daemon's own user may use the control socket; the daemon must be a member of that group "
            "(Group= in the unit)",
        )
        return False
    return True


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: _Asked, *, is_owner: bool) -> None:
    """Answer the requests of one connection. The others than the owner are members of the group: the kernel has checked that.

    Raises `TimeoutError` where no request comes, or an answer is not read.
    """
    peer = writer.get_extra_info("socket")
    while True:
        try:
            async with asyncio.timeout(_IDLE_S):
                line = await reader.readline()
        except ValueError:
            await _answer(writer, {"error": f"the request is longer than {_LINE_BYTES >> 20} MiB"})
            return
        if not line:
            return
        if _has_gone(peer.fileno()):  # the client gave up while this process was suspended
            return
        await _answer(writer, await _handle_line(line, handle, is_owner=is_owner))


def _has_gone(descriptor: int) -> bool:
    """Return whether the client has closed the connection. One that only ends its own side still reads the answer."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


async def _handle_line(line: bytes, handle: _Asked, *, is_owner: bool) -> dict[str, object]:
    try:
        request = _REQUEST.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        return {"error": f"this daemon does not understand the request ({place}: {first['msg']})"}
    if isinstance(request, _OWNER_ONLY) and not is_owner:
        return {"error": "only root and the daemon's own user may do that, not the members of admin.group"}
    try:
        result = await handle(request)
    except RequestRefusedError as refused:
        return {"error": str(refused)}
    return {"result": result.model_dump(mode="json") if isinstance(result, BaseModel) else result}


async def _answer(writer: asyncio.StreamWriter, answer: dict[str, object]) -> None:
    with suppress(ConnectionError):
        writer.write(json.dumps(answer).encode() + b"\n")
        async with asyncio.timeout(_IDLE_S):
            await writer.drain()
