"""A local scrape.st: WebSocket, server-sent events and their token, with faults on demand.

It behaves as the real service was observed to behave, oddities included, and keeps what it sent for a test to compare. Which
events come is decided in `script`, how things fail in `faults`, and what clients see in `endpoints`.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Self

import msgspec
from aiohttp import web

from forwarder.emulator.connection import SHOWN_PUBLICLY, Envelope, reset
from forwarder.emulator.endpoints import Endpoints
from forwarder.emulator.faults import (
    GARBAGE,
    ClearFault,
    DropFault,
    DropHow,
    EmulatedFault,
    GarbageFault,
    HandshakeRefusal,
    HangFault,
    RedirectFault,
    RefuseFault,
    decode_fault,
)
from forwarder.emulator.settings import EmulatorSettings
from forwarder.emulator.state import EmulatorState, OnChange, SentFrame, ServerChange
from forwarder.emulator.web_log import WEB_LOG

_MAX_FRAME_BYTES = 64 * 1024 * 1024
_decode_envelope = msgspec.json.Decoder(Envelope).decode


class Emulator:
    """Runs a local scrape.st for the length of a block: `async with Emulator(api_key="test-key") as emulator:`."""

    def __init__(
        self,
        settings: EmulatorSettings | None = None,
        *,
        api_key: str = "test-key",
        on_change: OnChange | None = None,
    ) -> None:
        """`on_change` is called when a client comes, goes or is refused, and when a fault begins."""
        self._settings = EmulatorSettings() if settings is None else settings
        self._port = self._settings.port
        self._runner: web.AppRunner | None = None
        self._state = EmulatorState(self._settings, api_key=api_key, on_change=on_change)
        self.connections = self._state.connections
        self.sent = self._state.sent
        self.handshakes = self._state.handshakes
        self.stats = self._state.stats
        self.history = self._state.history
        """The posts of source `x`, whether or not a client was connected."""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_MAX_FRAME_BYTES)
        Endpoints(self._state).add_to(app.router)
        app.router.add_post("/emulator/fault", self._serve_fault)
        app.router.add_post("/emulator/send", self._serve_send)
        app.router.add_get("/emulator/stats", self._serve_stats)
        # Cancelling a handler when its client goes is what ends streams and hanging answers.
        self._runner = web.AppRunner(
            app, access_log=None, logger=WEB_LOG, handler_cancellation=True, shutdown_timeout=0.5
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._port)
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
            if connection.request.transport is not None:  # the real service sends no close frame when it stops
                connection.request.transport.close()
        with contextlib.suppress(TimeoutError):
            await self._state.changes.wait_until(lambda: not self.connections, 1.0, "end of all connections")
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
        host = self._settings.host
        return f"[{host}]:{self._port}" if ":" in host else f"{host}:{self._port}"

    # For tests and scripts

    async def send(self, frame: str | bytes) -> int:
        """Send one text frame with exactly these bytes to all clients that want it; return to how many it was sent.

        Raises `UnicodeError` if it is not UTF-8.
        """
        if isinstance(frame, str):
            frame = frame.encode()
        else:
            frame.decode()
        envelope = _envelope(frame)
        self.history.note(frame)
        if envelope is not None and envelope.source in SHOWN_PUBLICLY:
            self._state.public.append((frame, envelope))
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
            if self._settings.record:
                self.sent.append(SentFrame(at, frame, receivers))
        else:
            self.stats.skipped += 1
        self._state.changes.notify()
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
        """Return once `holds(emulator)` is true. It is checked after each frame, ping, handshake, connection and fault."""
        await self._state.changes.wait_until(lambda: holds(self), timeout, expected)

    async def drop(self, how: DropHow | str = DropHow.RESET, code: int | None = None) -> int:
        """End all connections and return how many there were; see `DropHow`."""
        how = DropHow(how)
        dropped = list(self.connections)
        self._report_fault("drop", how=how.value, code=code, connections=len(dropped))
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(*(connection.end(how, code) for connection in dropped))
        return len(dropped)

    def hang(self, seconds: float, *, handshakes: bool = False) -> None:
        """Send nothing on the connections that are open now, for that time; frames due meanwhile are skipped.

        `handshakes` True leaves new handshakes unanswered too; otherwise a client that reconnects is served.
        """
        until = time.monotonic() + seconds
        for connection in self.connections:
            connection.hangs_until = until
        if handshakes:
            self._state.handshakes_hang_until = until
        self._report_fault("hang", seconds=seconds, connections=len(self.connections))

    def refuse(
        self,
        status: int | None = 503,
        *,
        seconds: float | None = None,
        handshakes: int | None = None,
        retry_after: int | None = None,
        path: str | None = None,
    ) -> None:
        """Refuse handshakes (and token requests) for that time or that number; with neither, until `clear`.

        `status` None closes TCP without an answer. `path` limits it to one path, see `HandshakeRefusal`.
        """
        self._state.refusal = HandshakeRefusal(
            status=status,
            retry_after_s=retry_after,
            until=None if seconds is None else time.monotonic() + seconds,
            left=handshakes,
            path=path,
        )
        self._report_fault("refuse", status=status, seconds=seconds, handshakes=handshakes)

    def redirect(
        self, url: str, *, status: int = 302, seconds: float | None = None, handshakes: int | None = None
    ) -> None:
        """Answer WebSocket upgrades with a redirect to `url`."""
        until = None if seconds is None else time.monotonic() + seconds
        self._state.refusal = HandshakeRefusal(status=status, location=url, until=until, left=handshakes, path="/ws")
        self._report_fault("redirect", url=url, status=status)

    async def garbage(self) -> int:
        """Send every odd frame of `faults.GARBAGE` to all clients; return how many frames that are."""
        self._report_fault("garbage", frames=len(GARBAGE))
        for odd in GARBAGE:
            for connection in list(self.connections):
                with contextlib.suppress(ConnectionError):
                    await connection.send_odd(odd)
        return len(GARBAGE)

    def clear(self) -> None:
        """Stop refusing and hanging."""
        self._state.refusal = None
        self._state.handshakes_hang_until = 0.0
        for connection in self.connections:
            connection.hangs_until = 0.0
        self._report_fault("clear")

    def expire_token(self) -> None:
        """Let the stream token expire now; open streams stay open, as on the real service."""
        self._state.token.expire()

    def _report_fault(self, fault: str, **facts: object) -> None:
        self._state.report(ServerChange.FAULT, fault=fault, **facts)

    # For people with curl

    async def _serve_fault(self, request: web.Request) -> web.Response:
        try:
            fault = decode_fault(await request.read())
            answer = await self.apply(fault)
        except (msgspec.DecodeError, ValueError) as error:
            return web.json_response({"status": "error", "error": str(error)}, status=400)
        return web.json_response({"status": "ok", **answer})

    async def apply(self, fault: EmulatedFault) -> dict[str, int]:
        """Carry out a request to `POST /emulator/fault`; return the counts for the answer."""
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
