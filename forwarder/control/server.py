"""The server of the control socket: one request per line, one answer per line, both JSON. Who asks to watch gets a stream of lines.

The daemon's user, root and the members of `admin.group` have access.
"""

import asyncio
import grp
import json
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import structlog
from pydantic import BaseModel, TypeAdapter, ValidationError

from forwarder.control.peer import has_gone, peer_of
from forwarder.control.person import person
from forwarder.control.socket_path import reachable
from forwarder.control.watchers import OpenWatch, send_passing
from forwarder.core.commands import Announce, AnyRequest, Diff, Request, RequestHandover, RequestRefusedError, Watch

_LINE_BYTES = 4 * 1024 * 1024
"""The longest request: it may name the first events of many streams."""
_MOST_CONNECTIONS, _MOST_OF_OTHERS = 64, 32
"""How many may be open at the same time: in all, and of other users than root and the daemon's own."""
_IDLE_S = 60.0
"""How long a client may take for its next request, and for reading an answer. Commands that wait ask each fraction of a second."""
_MOST_WATCHERS = 16
"""How many may watch at the same time. They are counted apart, so that commands always find room."""
_REQUEST: TypeAdapter[Request | Watch] = TypeAdapter(AnyRequest)
_OWNER_ONLY = (Announce, RequestHandover, Diff, Watch)
"""Requests for the owner only: they replace the daemon, have it read any file, which includes its secrets, or show what is in events."""

Handle = Callable[[Request, str], Awaitable[BaseModel | dict[str, object]]]
"""Carries out a request of a person, named as in `control.person`. The text of a `RequestRefusedError` is sent back."""

_Asked = Callable[[Request], Awaitable[BaseModel | dict[str, object]]]
"""The same for the person at one connection."""

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_control_socket(
    path: Path, handle: Handle, *, open_watch: OpenWatch, group: str | None = None
) -> AsyncIterator[None]:
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

    commands, watchers = (
        _Places(_MOST_CONNECTIONS, _MOST_OF_OTHERS),
        _Places(_MOST_WATCHERS, 0),
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = peer_of(writer.get_extra_info("socket"))
        uid = client.uid
        is_owner = uid in {0, os.geteuid()}
        try:
            with commands.taken(is_owner=is_owner) as has_place:
                if not (is_owner or is_shared):
                    await _answer(
                        writer, {"error": f"only root and the daemon's own user may do that (you are user {uid})"}
                    )
                    return
                if not has_place:
                    await _answer(writer, {"error": "too many commands are connected; try again"})
                    return
                asking = person(uid, client.pid)
                watch = await _serve(reader, writer, lambda request: handle(request, asking), is_owner=is_owner)
            if watch is None:
                return
            with watchers.taken(is_owner=is_owner) as has_place:
                if not has_place:
                    await _answer(
                        writer, {"error": "too many watch already; end a forwarder tail or top, or try again"}
                    )
                    return
                with open_watch(watch) as passing:
                    await _answer(writer, {"result": {}})
                    await send_passing(passing, writer)
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(serve, sock=listening, limit=_LINE_BYTES)
    try:
        yield
    finally:
        server.close()
        await asyncio.to_thread(path.unlink, missing_ok=True)


class _Places:
    """Limits how many connections are open at the same time."""

    def __init__(self, most: int, most_of_others: int) -> None:
        self._most = most
        self._most_of_others = most_of_others
        self._open: Counter[bool] = Counter()
        """By whether they are of the owner."""

    @contextmanager
    def taken(self, *, is_owner: bool) -> Iterator[bool]:
        """Count a connection for the length of the block; the value is whether there is room for it."""
        self._open[is_owner] += 1
        try:
            yield self._open.total() <= self._most and self._open[False] <= self._most_of_others
        finally:
            self._open[is_owner] -= 1


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


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: _Asked, *, is_owner: bool
) -> Watch | None:
    """Answer the requests of one connection until it ends, or until one asks to watch, which is returned.

    The others than the owner are members of the group: the kernel has checked that.
    Raises `TimeoutError` where no request comes, or an answer is not read.
    """
    peer = writer.get_extra_info("socket")
    while True:
        try:
            async with asyncio.timeout(_IDLE_S):
                line = await reader.readline()
        except ValueError:
            await _answer(writer, {"error": f"the request is longer than {_LINE_BYTES >> 20} MiB"})
            return None
        if not line:
            return None
        if has_gone(peer.fileno()):  # the client gave up while this process was suspended
            return None
        answer = await _handle_line(line, handle, is_owner=is_owner)
        if isinstance(answer, Watch):
            return answer
        await _answer(writer, answer)


async def _handle_line(line: bytes, handle: _Asked, *, is_owner: bool) -> dict[str, object] | Watch:
    """Return the answer, or the request itself if it asks to watch."""
    try:
        request = _REQUEST.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        return {"error": f"this daemon does not understand the request ({place}: {first['msg']})"}
    if isinstance(request, _OWNER_ONLY) and not is_owner:
        return {"error": "only root and the daemon's own user may do that, not the members of admin.group"}
    if isinstance(request, Watch):
        return request
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
