"""A local scrape.st: WebSocket, server-sent events and their token, with faults on demand.

It behaves as the real service was seen to behave, oddities included, and keeps what it sent for a test to compare. Which
events come is `script`'s business; how things go wrong is in `faults`.
"""

import asyncio
import contextlib
import functools
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Self

import msgspec
from aiohttp import WSMsgType, web
from multidict import CIMultiDictProxy, MultiMapping

from forwarder.emulator.changes import Changes
from forwarder.emulator.connection import Connection, Envelope, SseConnection, WebSocketConnection, reset
from forwarder.emulator.faults import (
    GARBAGE,
    ClearFault,
    DropFault,
    DropHow,
    Fault,
    GarbageFault,
    HangFault,
    RedirectFault,
    Refusal,
    RefuseFault,
    decode_fault,
)
from forwarder.emulator.history import History

_MAX_FRAME_BYTES = 64 * 1024 * 1024
_BAD_KEY = {"status": "error", "error": "Invalid API key"}
_NO_KEY = {"status": "error", "error": "Missing or invalid x-api-key header"}
_decode_envelope = msgspec.json.Decoder(Envelope).decode


@dataclass(frozen=True, slots=True)
class SentFrame:
    """A frame that at least one client was sent; `at` is monotonic, taken just before the write."""

    at: float
    frame: bytes
    receivers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """One attempt to open `/ws` or `/stream`, refused ones included; `at` is monotonic."""

    at: float
    path: str
    headers: CIMultiDictProxy[str] = field(repr=False)
    query: MultiMapping[str]


class Change(StrEnum):
    """What the emulator tells `on_change` about."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    REFUSED = "refused"
    FAULT = "fault"


@dataclass(slots=True)
class Stats:
    """Counters since the start."""

    sent: int = 0
    """Frames that at least one client was sent."""
    skipped: int = 0
    """Frames nobody got: no client, or it hung, or did not want them. The real stream has no replay either."""
    handshakes: int = 0
    refused: int = 0
    text_pings: int = 0
    tokens: int = 0


class Emulator:
    """`async with Emulator(api_key="test-key") as emulator:`; loopback and a free port unless told otherwise."""

    def __init__(
        self,
        *,
        api_key: str = "test-key",
        host: str = "127.0.0.1",
        port: int = 0,
        bad_key: Literal["401", "upgrade"] = "401",
        text_pong: bool = False,
        ping_interval_s: float = 30.0,
        idle_limit_s: float = 60.0,
        comment_interval_s: float = 15.0,
        token_ttl_s: float = 86400.0,
        max_connections: int | None = None,
        record: bool = True,
        history_limit: int = 30,
        history_per_s: float = 60.0,
        has_recent: bool = True,
        on_change: Callable[[Change, Mapping[str, object]], None] | None = None,
    ) -> None:
        """`bad_key` "upgrade": an unknown key is let in and closed at once without a code, as the real server does.

        `max_connections`: beyond, the oldest connection is closed for the newest, with code 4409 where it is a WebSocket.
        `record` False keeps no `sent` and no `handshakes`, for a long run; the counters in `stats` go on.
        """
        self._api_key = api_key
        self._host = host
        self._port = port
        self._bad_key = bad_key
        self._text_pong = text_pong
        self._ping_interval_s = ping_interval_s
        self._idle_limit_s = idle_limit_s
        self._comment_interval_s = comment_interval_s
        self._token_ttl_s = token_ttl_s
        self._max_connections = max_connections
        self._record = record
        self._on_change = on_change
        self._runner: web.AppRunner | None = None
        self._changes = Changes()
        self._refusal: Refusal | None = None
        self._handshakes_hang_until = 0.0
        self._token = ""
        self._token_dies_at = 0.0
        self.connections: list[Connection] = []
        self.sent: list[SentFrame] = []
        self.handshakes: list[Handshake] = []
        self.stats = Stats()
        self.history = History(limit=history_limit, per_s=history_per_s, has_recent=has_recent)
        """Of what was posted as `x`, whether or not anybody was connected."""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_MAX_FRAME_BYTES)
        app.router.add_get("/ws", self._serve_websocket)
        app.router.add_get("/stream", self._serve_sse)
        app.router.add_post("/stream/token", self._serve_token)
        app.router.add_get("/track/x", self._serve_history)
        app.router.add_get("/x/tweets/recent", self._serve_history)
        app.router.add_get("/account/history/{id}", self._serve_history)
        app.router.add_post("/emulator/fault", self._serve_fault)
        app.router.add_post("/emulator/send", self._serve_send)
        app.router.add_get("/emulator/stats", self._serve_stats)
        # Cancelling a handler when its client goes is what ends streams and hanging answers.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except BaseException:
            await self._runner.cleanup()
            raise
        self._port = site.port
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is None:
            return
        for connection in list(self.connections):
            if connection.request.transport is not None:  # the real service says nothing when it stops
                connection.request.transport.close()
        with contextlib.suppress(TimeoutError):
            await self._changes.wait_until(lambda: not self.connections, 1.0, "end of all connections")
        for connection in list(self.connections):
            reset(connection.request)
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """`http://HOST:PORT`."""
        return f"http://{self._address}"

    @property
    def ws_url(self) -> str:
        """`ws://HOST:PORT/ws`."""
        return f"ws://{self._address}/ws"

    @property
    def _address(self) -> str:
        return f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"

    # What a test or a script does with it.

    async def send(self, frame: str | bytes) -> int:
        """Send one text frame, these very bytes, to all clients that want it; return how many were sent it.

        Raises `UnicodeError` for what is not UTF-8.
        """
        if isinstance(frame, str):
            frame = frame.encode()
        else:
            frame.decode()
        envelope = _envelope(frame)
        self.history.note(frame)
        at = time.monotonic()
        match self.connections:
            case []:
                receivers = 0
            case [only]:
                receivers = int(await only.send(frame, envelope))
            case several:
                receivers = sum(await asyncio.gather(*(connection.send(frame, envelope) for connection in several)))
        if receivers:
            self.stats.sent += 1
            if self._record:
                self.sent.append(SentFrame(at, frame, receivers))
        else:
            self.stats.skipped += 1
        self._changes.tell()
        return receivers

    async def wait_connected(self, count: int = 1, timeout: float = 60.0) -> None:  # as tests say it
        """Return once at least `count` clients are connected; `TimeoutError` after `timeout` seconds."""
        await self.wait_until(lambda emulator: len(emulator.connections) >= count, timeout, f"{count} connections")

    async def wait_disconnected(self, timeout: float = 60.0) -> None:  # as tests say it
        """Return once no client is connected; `TimeoutError` after `timeout` seconds."""
        await self.wait_until(lambda emulator: not emulator.connections, timeout, "end of all connections")

    async def wait_until(
        self,
        holds: Callable[["Emulator"], bool],
        timeout: float = 60.0,  # as tests say it
        expected: str = "such state",
    ) -> None:
        """Return once `holds(emulator)`: asked again after each frame, ping, handshake, connection and fault."""
        await self._changes.wait_until(lambda: holds(self), timeout, expected)

    async def drop(self, how: DropHow | str = DropHow.RESET, code: int | None = None) -> int:
        """End all connections and return how many there were; see `DropHow`."""
        how = DropHow(how)
        dropped = list(self.connections)
        self._tell(Change.FAULT, fault="drop", how=how.value, code=code, connections=len(dropped))
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(*(connection.end(how, code) for connection in dropped))
        return len(dropped)

    def hang(self, seconds: float, *, handshakes: bool = False) -> None:
        """Leave the connections that are open now without any frame or answer for so long; frames due are skipped.

        `handshakes` True leaves new handshakes unanswered too; otherwise a client that reconnects is served.
        """
        until = time.monotonic() + seconds
        for connection in self.connections:
            connection.hangs_until = until
        if handshakes:
            self._handshakes_hang_until = until
        self._tell(Change.FAULT, fault="hang", seconds=seconds, connections=len(self.connections))

    def refuse(
        self,
        status: int | None = 503,
        *,
        seconds: float | None = None,
        handshakes: int | None = None,
        retry_after: int | None = None,
        path: str | None = None,
    ) -> None:
        """Turn away handshakes (and token requests) for so long or so many; neither: until `clear`.

        `status` None closes TCP without an answer. `path` narrows it to one of `/ws`, `/stream`, `/stream/token`, `/track/x`, `/account/history`, `/x/tweets/recent`.
        """
        self._refusal = Refusal(
            status=status,
            retry_after_s=retry_after,
            until=None if seconds is None else time.monotonic() + seconds,
            left=handshakes,
            path=path,
        )
        self._tell(Change.FAULT, fault="refuse", status=status, seconds=seconds, handshakes=handshakes)

    def redirect(
        self, url: str, *, status: int = 302, seconds: float | None = None, handshakes: int | None = None
    ) -> None:
        """Answer WebSocket upgrades with a redirect to `url`."""
        until = None if seconds is None else time.monotonic() + seconds
        self._refusal = Refusal(status=status, location=url, until=until, left=handshakes, path="/ws")
        self._tell(Change.FAULT, fault="redirect", url=url, status=status)

    async def garbage(self) -> int:
        """Send every odd frame of `faults.GARBAGE` to everyone; return how many frames that are."""
        self._tell(Change.FAULT, fault="garbage", frames=len(GARBAGE))
        for odd in GARBAGE:
            for connection in list(self.connections):
                with contextlib.suppress(ConnectionError):
                    await connection.send_odd(odd)
        return len(GARBAGE)

    def clear(self) -> None:
        """Refuse and hang no longer."""
        self._refusal = None
        self._handshakes_hang_until = 0.0
        for connection in self.connections:
            connection.hangs_until = 0.0
        self._tell(Change.FAULT, fault="clear")

    def expire_token(self) -> None:
        """Let the stream token die now; streams that are open go on, as on the real service."""
        self._token_dies_at = 0.0

    # What clients see.

    async def _serve_websocket(self, request: web.Request) -> web.StreamResponse:
        if (turned_away := await self._gate(request)) is not None:
            return turned_away
        key = request.headers.get("x-api-key")
        if not key:
            return self._refused(request, web.Response(status=401))
        if key != self._api_key and self._bad_key == "401":
            return self._refused(request, web.json_response(_BAD_KEY, status=401))
        # autoping and autoclose off: what is answered, and whether, is decided here.
        socket = web.WebSocketResponse(autoping=False, autoclose=False, compress=False, timeout=1.0)
        await socket.prepare(request)
        if key != self._api_key:
            self._refused(request, socket)
            await socket.send_frame(b"", WSMsgType.CLOSE)
            return socket
        connection = WebSocketConnection(request, socket)
        async with self._connected(connection), asyncio.TaskGroup() as group:
            keeper = group.create_task(self._ping_when_idle(connection))
            await self._listen(connection)
            keeper.cancel()
        return socket

    async def _listen(self, connection: WebSocketConnection) -> None:
        """Read until the client closes, or is gone; a client that closes while we hang gets no answer."""
        socket = connection.socket
        while True:
            message = await socket.receive()
            match message.type:
                case WSMsgType.TEXT if message.data == "ping":
                    connection.last_activity = time.monotonic()
                    connection.text_pings += 1
                    self.stats.text_pings += 1
                    self._changes.tell()
                    await self._answer(connection, self._pong(socket))
                case WSMsgType.PONG:
                    connection.last_activity = time.monotonic()
                case WSMsgType.PING:
                    await self._answer(connection, functools.partial(socket.pong, message.data))
                case WSMsgType.CLOSE:
                    await asyncio.sleep(max(0.0, connection.hangs_until - time.monotonic()))
                    await self._answer(connection, socket.close)
                    return
                case WSMsgType.CLOSING | WSMsgType.CLOSED | WSMsgType.ERROR:
                    return
                case _:
                    pass  # the service ignores whatever else a client says

    def _pong(self, socket: web.WebSocketResponse) -> Callable[[], Awaitable[object]]:
        return (lambda: socket.send_str("pong")) if self._text_pong else socket.pong

    async def _answer(self, connection: Connection, answer: Callable[[], Awaitable[object]]) -> None:
        if not connection.hangs:
            with contextlib.suppress(ConnectionError):
                await answer()

    async def _ping_when_idle(self, connection: WebSocketConnection) -> None:
        """Ping a client that was not heard of for an interval; cut it off at the limit."""
        while True:
            await asyncio.sleep(self._ping_interval_s)
            if connection.hangs:
                continue
            idle_s = time.monotonic() - connection.last_activity
            if idle_s >= self._idle_limit_s:
                reset(connection.request)
            elif idle_s >= self._ping_interval_s:
                await self._answer(connection, connection.socket.ping)

    async def _serve_sse(self, request: web.Request) -> web.StreamResponse:
        if (turned_away := await self._gate(request)) is not None:
            return turned_away
        token = request.query.get("token")
        if token is not None and not (token == self._token and time.monotonic() < self._token_dies_at):
            refusal = web.Response(status=401, text="Unauthorized: Invalid or expired stream token")
            return self._refused(request, refusal)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        connection = SseConnection(request, response, public=token is None)
        async with self._connected(connection):
            while not connection.ended.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._comment_interval_s):
                        await connection.ended.wait()
                if not connection.ended.is_set():
                    with contextlib.suppress(ConnectionError):
                        await connection.keep_alive()
        return response

    async def _serve_token(self, request: web.Request) -> web.StreamResponse:
        if (turned_away := await self._gate(request, counted=False)) is not None:
            return turned_away
        key = request.headers.get("x-api-key")
        if key != self._api_key:
            return self._refused(request, web.json_response(_BAD_KEY if key else _NO_KEY, status=401))
        now = time.monotonic()
        if now >= self._token_dies_at:
            self._token = secrets.token_hex(32)
            self._token_dies_at = now + self._token_ttl_s
        self.stats.tokens += 1
        self._changes.tell()
        return web.json_response({"token": self._token, "expiresIn": round(self._token_dies_at - now)})

    async def _serve_history(self, request: web.Request) -> web.StreamResponse:
        if (turned_away := await self._gate(request, counted=False)) is not None:
            return turned_away
        key = request.headers.get("x-api-key")
        if key != self._api_key:
            return self._refused(request, web.json_response(_BAD_KEY if key else _NO_KEY, status=401))
        account = request.match_info.get("id")
        if account is not None:
            answer = self.history.show(account, request.query)
        elif request.path == "/track/x":
            answer = self.history.list_tracked()
        else:
            answer = self.history.show_recent(request.query)
        self._changes.tell()
        return answer

    async def _gate(self, request: web.Request, *, counted: bool = True) -> web.StreamResponse | None:
        """Note the handshake; return the refusal that is in force, if one is."""
        if counted:
            self.stats.handshakes += 1
            if self._record:
                shake = Handshake(at=time.monotonic(), path=request.path, headers=request.headers, query=request.query)
                self.handshakes.append(shake)
            self._changes.tell()
        await asyncio.sleep(max(0.0, self._handshakes_hang_until - time.monotonic()))
        refusal = self._refusal
        if refusal is None or refusal.is_over() or not refusal.is_for(request.path):
            return None
        if refusal.left is not None:
            refusal.left -= 1
        if refusal.status is not None:
            return self._refused(request, refusal.response())
        gone = self._refused(request, web.Response(status=503))
        if request.transport is not None:
            request.transport.close()
        await asyncio.sleep(1)  # ends at once: the closed connection cancels its handler
        return gone

    def _refused(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        self.stats.refused += 1
        self._tell(Change.REFUSED, path=request.path, status=response.status, peer=_peer(request))
        return response

    @contextlib.asynccontextmanager
    async def _connected(self, connection: Connection) -> AsyncIterator[None]:
        """Have the connection among those events go to."""
        facts: dict[str, object] = {"connection": connection.number, "kind": connection.kind}
        self.connections.append(connection)
        if self._max_connections is not None and len(self.connections) > self._max_connections:
            await self.connections[0].end(DropHow.CLOSE, 4409)
        self._tell(Change.CONNECTED, **facts, peer=_peer(connection.request), query=connection.request.query_string)
        try:
            yield
        finally:
            self.connections.remove(connection)
            self._tell(
                Change.DISCONNECTED,
                **facts,
                sent=connection.sent,
                seconds=round(time.monotonic() - connection.opened_at, 1),
            )

    def _tell(self, change: Change, **facts: object) -> None:
        self._changes.tell()
        if self._on_change is not None:
            self._on_change(change, facts)

    # What people with curl use.

    async def _serve_fault(self, request: web.Request) -> web.Response:
        try:
            fault = decode_fault(await request.read())
            answer = await self.apply(fault)
        except (msgspec.DecodeError, ValueError) as error:
            return web.json_response({"status": "error", "error": str(error)}, status=400)
        return web.json_response({"status": "ok", **answer})

    async def apply(self, fault: Fault) -> dict[str, int]:
        """Do what `POST /emulator/fault` asks for; return counts worth answering."""
        match fault:
            case DropFault(how=how, code=code):
                return {"dropped": await self.drop(how, code)}
            case HangFault(seconds=seconds, handshakes=too):
                self.hang(seconds, handshakes=too)
            case RefuseFault():
                self.refuse(
                    fault.status,
                    seconds=fault.seconds,
                    handshakes=fault.handshakes,
                    retry_after=fault.retry_after,
                    path=fault.path,
                )
            case RedirectFault(url=url):
                self.redirect(url, status=fault.status, seconds=fault.seconds, handshakes=fault.handshakes)
            case GarbageFault():
                return {"frames": await self.garbage()}
            case ClearFault():
                self.clear()
        return {}

    async def _serve_send(self, request: web.Request) -> web.Response:
        try:
            receivers = await self.send(await request.read())
        except UnicodeError:
            return web.json_response({"status": "error", "error": "the body is not UTF-8"}, status=400)
        return web.json_response({"status": "ok", "receivers": receivers})

    async def _serve_stats(self, request: web.Request) -> web.Response:  # noqa: ARG002  # aiohttp passes it
        return web.json_response(self.counters())

    def counters(self) -> dict[str, int]:
        """Return the counters and how many clients are connected."""
        return {**msgspec.to_builtins(self.stats), "connections": len(self.connections)}


def _envelope(frame: bytes) -> Envelope | None:
    try:
        return _decode_envelope(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _peer(request: web.Request) -> str:
    name = None if request.transport is None else request.transport.get_extra_info("peername")
    return f"{name[0]}:{name[1]}" if name else "gone"
