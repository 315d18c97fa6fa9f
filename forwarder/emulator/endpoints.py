"""What clients of the emulator see: WebSocket, server-sent events, their token, and the history."""

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

from aiohttp import WSMsgType, web

from forwarder.clocks.periodic import periodic
from forwarder.emulator.connection import ClientConnection, SseConnection, WebSocketConnection, reset
from forwarder.emulator.faults import DropHow
from forwarder.emulator.state import EmulatorState, Handshake, ServerChange

_BAD_KEY = {"status": "error", "error": "Invalid API key"}
_NO_KEY = {"status": "error", "error": "Missing or invalid x-api-key header"}


class Endpoints:
    """Serves the requests of clients, as the real service does."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state
        self._settings = state.settings

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_get("/ws", self._serve_websocket)
        router.add_get("/stream", self._serve_sse)
        router.add_post("/stream/token", self._serve_token)
        router.add_get("/track/x", self._serve_history)
        router.add_get("/x/tweets/recent", self._serve_history)
        router.add_get("/account/history/{id}", self._serve_history)

    async def _serve_websocket(self, request: web.Request) -> web.StreamResponse:
        if (refusal := await self._check_in(request)) is not None:
            return refusal
        key = request.headers.get("x-api-key")
        if not key:
            return self._refused(request, web.Response(status=401))
        is_known = key == self._state.api_key
        if not is_known and self._settings.bad_key == "401":
            return self._refused(request, web.json_response(_BAD_KEY, status=401))
        # autoping and autoclose off: what is answered, and whether, is decided here.
        socket = web.WebSocketResponse(autoping=False, autoclose=False, compress=False, timeout=1.0)
        await socket.prepare(request)
        if not is_known:
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
        """Read until the client closes or has gone. A client that closes while the emulator hangs gets no answer."""
        socket = connection.socket
        while True:
            message = await socket.receive()
            match message.type:
                case WSMsgType.TEXT if message.data == "ping":
                    connection.last_activity = time.monotonic()
                    connection.text_pings += 1
                    self._state.stats.text_pings += 1
                    self._state.changes.notify()
                    await _answer(connection, self._pong(socket))
                case WSMsgType.PONG:
                    connection.last_activity = time.monotonic()
                case WSMsgType.PING:
                    await _answer(connection, functools.partial(socket.pong, message.data))
                case WSMsgType.CLOSE:
                    await asyncio.sleep(max(0.0, connection.hangs_until - time.monotonic()))
                    await _answer(connection, socket.close)
                    return
                case WSMsgType.CLOSING | WSMsgType.CLOSED | WSMsgType.ERROR:
                    return
                case _:
                    pass  # the service ignores everything else from a client

    def _pong(self, socket: web.WebSocketResponse) -> Callable[[], Awaitable[object]]:
        return (lambda: socket.send_str("pong")) if self._settings.text_pong else socket.pong

    async def _ping_when_idle(self, connection: WebSocketConnection) -> None:
        """Ping a client that gives no sign of life for an interval; disconnect it at the limit."""

        async def look() -> None:
            if connection.hangs:
                return
            idle_s = time.monotonic() - connection.last_activity
            if idle_s >= self._settings.idle_limit_s:
                reset(connection.request)
            elif idle_s >= self._settings.ping_interval_s:
                await _answer(connection, connection.socket.ping)

        await periodic(timedelta(seconds=self._settings.ping_interval_s), look)

    async def _serve_sse(self, request: web.Request) -> web.StreamResponse:
        if (refusal := await self._check_in(request)) is not None:
            return refusal
        token = request.query.get("token")
        if token is not None and not self._state.token.is_valid(token):
            text = "Unauthorized: Invalid or expired stream token"
            return self._refused(request, web.Response(status=401, text=text))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        connection = SseConnection(request, response, public=token is None)
        repeated = list(self._state.public) if connection.public else []
        async with self._connected(connection):
            for frame, envelope in repeated:
                await connection.send(frame, envelope)
            while not connection.ended.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.comment_interval_s):
                        await connection.ended.wait()
                if not connection.ended.is_set():
                    with contextlib.suppress(ConnectionError):
                        await connection.keep_alive()
        return response

    async def _serve_token(self, request: web.Request) -> web.StreamResponse:
        if (refusal := await self._check_in(request, is_stream=False)) is not None:
            return refusal
        if (refusal := self._check_key(request)) is not None:
            return refusal
        token, expires_in_s = self._state.token.issue()
        self._state.stats.tokens += 1
        self._state.changes.notify()
        return web.json_response({"token": token, "expiresIn": expires_in_s})

    async def _serve_history(self, request: web.Request) -> web.StreamResponse:
        if (refusal := await self._check_in(request, is_stream=False)) is not None:
            return refusal
        if (refusal := self._check_key(request)) is not None:
            return refusal
        history = self._state.history
        account = request.match_info.get("id")
        if account is not None:
            answer = history.show(account, request.query)
        elif request.path == "/track/x":
            answer = history.list_tracked()
        else:
            answer = history.show_recent(request.query)
        self._state.changes.notify()
        return answer

    def _check_key(self, request: web.Request) -> web.StreamResponse | None:
        """Return the refusal of a request without the right key."""
        key = request.headers.get("x-api-key")
        if key == self._state.api_key:
            return None
        return self._refused(request, web.json_response(_BAD_KEY if key else _NO_KEY, status=401))

    async def _check_in(self, request: web.Request, *, is_stream: bool = True) -> web.StreamResponse | None:
        """Note a handshake (`is_stream`); return the refusal that is active, if there is one."""
        state = self._state
        if is_stream:
            state.stats.handshakes += 1
            if self._settings.record:
                shake = Handshake(at=time.monotonic(), path=request.path, headers=request.headers, query=request.query)
                state.handshakes.append(shake)
            state.changes.notify()
        await asyncio.sleep(max(0.0, state.handshakes_hang_until - time.monotonic()))
        refusal = state.refusal
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
        self._state.stats.refused += 1
        self._state.report(ServerChange.REFUSED, path=request.path, status=response.status, peer=_peer(request))
        return response

    @contextlib.asynccontextmanager
    async def _connected(self, connection: ClientConnection) -> AsyncIterator[None]:
        """Keep the connection among those that events go to, for the length of the block."""
        facts: dict[str, object] = {"connection": connection.number, "kind": connection.kind}
        connections, limit = self._state.connections, self._settings.max_connections
        connections.append(connection)
        if limit is not None and len(connections) > limit:
            await connections[0].end(DropHow.CLOSE, 4409)
        peer, query = _peer(connection.request), connection.request.query_string
        self._state.report(ServerChange.CONNECTED, **facts, peer=peer, query=query)
        try:
            yield
        finally:
            connections.remove(connection)
            seconds = round(time.monotonic() - connection.opened_at, 1)
            self._state.report(ServerChange.DISCONNECTED, **facts, sent=connection.sent, seconds=seconds)


async def _answer(connection: ClientConnection, answer: Callable[[], Awaitable[object]]) -> None:
    """Answer a client, unless its connection hangs or has gone."""
    if not connection.hangs:
        with contextlib.suppress(ConnectionError):
            await answer()


def _peer(request: web.Request) -> str:
    name = None if request.transport is None else request.transport.get_extra_info("peername")
    return f"{name[0]}:{name[1]}" if name else "gone"
