"""A webhook receiver that keeps what it gets and fails on demand."""

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from aiohttp import web
from multidict import CIMultiDictProxy

from forwarder.emulator.connection import reset
from forwarder.emulator.waiting import ChangeSignal
from forwarder.emulator.web_log import WEB_LOG

_MAX_BODY_BYTES = 64 * 1024 * 1024


class Action(StrEnum):
    """Names what may happen to a request besides a plain response."""

    CLOSE = "close"
    """TCP ends without a response."""
    RESET = "reset"
    """TCP is reset without a response."""
    CLOSE_AFTER = "close_after"
    """A response that promises keep-alive, then TCP ends."""
    HANG = "hang"
    """No response for as long as the client waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Describes the response to a request, which comes after `delay_s` seconds."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_s: float = 0.0
    action: Action | str | None = None


@dataclass(slots=True, kw_only=True)
class Received:
    """Holds one request; `at` is monotonic, and `status` is None until a response was written.

    `remark` is free for the function that decides the response.
    """

    at: float
    path: str
    headers: CIMultiDictProxy[str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int | None = None
    remark: str | None = None
    method: str = "POST"

    @property
    def accepted(self) -> bool:
        """Whether the response was 2xx."""
        return self.status is not None and 200 <= self.status < 300


class Receiver:
    """Receives webhooks for the length of a block: `async with Receiver() as receiver:`.

    `status`, `delay_s` and `respond` may be changed while it runs. `respond` decides per request and overrides the other two.
    `on_request` is called when a request has ended, also without a response. `record` False keeps no `requests`, for a long
    run; the counters do not depend on it.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        status: int = 200,
        delay_s: float = 0.0,
        respond: Callable[[Received], Answer] | None = None,
        on_request: Callable[[Received], None] | None = None,
        record: bool = True,
    ) -> None:
        self._host = host
        self._port = port
        self._record = record
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._held: socket.socket | None = None
        self._changes = ChangeSignal()
        self.status = status
        self.delay_s = delay_s
        self.respond = respond
        self.on_request = on_request
        self.requests: list[Received] = []
        self.received = 0
        self.accepted = 0

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._serve)
        # Cancelling a handler when its client goes is what ends delayed and hanging answers.
        self._runner = web.AppRunner(
            app, access_log=None, logger=WEB_LOG, handler_cancellation=True, shutdown_timeout=0.5
        )
        await self._runner.setup()
        try:
            await self.start_listening()
        except BaseException:
            await self._runner.cleanup()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self.stop_listening()
            await self._runner.cleanup()
            self._release_port()

    @property
    def url(self) -> str:
        """`http://HOST:PORT/hook`; any other path is accepted as well."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/hook"

    async def start_listening(self) -> None:
        """Accept connections again, on the same port; does nothing if it already does."""
        if self._runner is None or self._site is not None:
            return
        site = web.TCPSite(self._runner, self._host, self._port, reuse_address=True)
        try:
            await site.start()
        except BaseException:
            await site.stop()
            raise
        self._site = site
        self._port = site.port
        self._release_port()

    async def stop_listening(self) -> None:
        """Go down: new connections are refused, open ones end, requests in flight get no response."""
        if self._runner is None or self._site is None:
            return
        await self._site.stop()
        self._site = None
        self._hold_port()
        server = self._runner.server
        for connection in server.connections if server is not None else ():
            if connection.transport is not None:
                connection.transport.abort()

    def _hold_port(self) -> None:
        """Keep the port bound without listening: connections are refused, and no other program gets the port meanwhile."""
        self._held = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET)
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind((self._host, self._port))

    def _release_port(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    async def wait_for(self, count: int, timeout: float = 60.0) -> None:  # as tests say it
        """Return once `count` requests were answered 2xx; `TimeoutError` after `timeout` seconds."""
        await self.wait_until(lambda receiver: receiver.accepted >= count, timeout, f"{count} accepted requests")

    async def wait_until(
        self,
        holds: Callable[["Receiver"], bool],
        timeout: float = 60.0,  # as tests say it
        expected: str = "such state",
    ) -> None:
        """Return once `holds(receiver)` is true. It is checked when a request comes in and when it has ended."""
        await self._changes.wait_until(lambda: holds(self), timeout, expected)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        received = Received(
            at=time.monotonic(), path=request.path_qs, headers=request.headers, body=body, method=request.method
        )
        self.received += 1
        if self._record:
            self.requests.append(received)
        self._changes.notify()
        try:
            return await self._answer(request, received)
        finally:
            self._changes.notify()
            if self.on_request is not None:
                self.on_request(received)

    async def _answer(self, request: web.Request, received: Received) -> web.StreamResponse:
        answer = Answer(status=self.status, delay_s=self.delay_s) if self.respond is None else self.respond(received)
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        response = web.Response(status=answer.status, headers=answer.headers, body=answer.body)
        match None if answer.action is None else Action(answer.action):
            case Action.RESET:
                reset(request)
                await _until_cancelled()
            case Action.CLOSE:
                if request.transport is not None:
                    request.transport.close()
                await _until_cancelled()
            case Action.HANG:
                await _until_cancelled()
            case Action.CLOSE_AFTER | None:
                pass
        await response.prepare(request)
        await response.write_eof()
        received.status = answer.status
        self.accepted += received.accepted
        if answer.action == Action.CLOSE_AFTER and request.transport is not None:
            request.transport.close()
        return response


async def _until_cancelled() -> None:
    """Wait for the end of the connection, which cancels its handler."""
    await asyncio.get_running_loop().create_future()
