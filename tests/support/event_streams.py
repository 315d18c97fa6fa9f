"""A server of event streams whose responses a test chooses, and what a stream that is held brings."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from aiohttp import web

from forwarder.core.event import NotAnEvent
from forwarder.emulator.server import Emulator
from forwarder.streams.faults import StreamFaultError
from forwarder.streams.sse import SseStream
from tests.support.streams import FakeListener

SHORT = timedelta(milliseconds=300)


def stream_to(emulator: Emulator, **changes: object) -> SseStream:
    """Return the event stream of an emulator."""
    stream = SseStream(name="main", url=f"{emulator.url}/stream", api_key="test-key")
    return replace(stream, **changes)  # type: ignore[arg-type] # the fields' own types


@dataclass
class EventServer:
    """A server whose two responses a test chooses; it keeps the requests."""

    url: str = ""
    asked: list[web.Request] = field(default_factory=list)

    @property
    def stream(self) -> SseStream:
        return SseStream(
            name="main", url=f"{self.url}/stream", api_key="secret-key", dead_after=SHORT, handshake_within=SHORT * 5
        )


Answer = Callable[[web.Request], object]


def token(value: object = "t" * 64, lasts: object = 3600, *, status: int = 200) -> Answer:
    """Return the response to a request for a token."""
    return lambda _request: web.json_response({"token": value, "expiresIn": lasts}, status=status)


def events(*chunks: bytes, headers: dict[str, str] | None = None, ends: bool = True) -> Answer:
    """Return a response that is an event stream of these chunks."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **(headers or {})})
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        if not ends:
            await asyncio.sleep(60)
        return response

    return answer


GIVEN = token()


@asynccontextmanager
async def server(of_stream: Answer, of_token: Answer = GIVEN) -> AsyncIterator[EventServer]:
    """Run a server with these responses for the length of the block."""
    made = EventServer()

    async def answer(request: web.Request, how: Answer) -> web.StreamResponse:
        made.asked.append(request)
        said = how(request)
        if asyncio.iscoroutine(said):
            said = await said
        assert isinstance(said, web.StreamResponse)
        return said

    async def stream(request: web.Request) -> web.StreamResponse:
        return await answer(request, of_stream)

    async def issue(request: web.Request) -> web.StreamResponse:
        return await answer(request, of_token)

    app = web.Application()
    app.router.add_get("/stream", stream)
    app.router.add_post("/stream/token", issue)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{site.port}"
    try:
        yield made
    finally:
        await runner.cleanup()


@dataclass
class Taken:
    """What a stream brought while it was held once."""

    fault: StreamFaultError
    frames: list[bytes]
    odd: list[NotAnEvent]
    heard: int
    was_open: bool


async def hold(stream: SseStream) -> Taken:
    """Hold a stream once; return what it brought, and why it ended."""
    frames: list[bytes] = []
    odd: list[NotAnEvent] = []
    opened: list[bool] = []

    async def take(frame: bytes) -> None:
        frames.append(frame)

    hearer = FakeListener(take=take, on_odd_frame=odd.append, on_open=lambda: opened.append(True))
    async with asyncio.timeout(90):
        try:
            fault = await stream.hold(hearer)
        except StreamFaultError as never_open:
            fault = never_open
    assert "secret-key" not in fault.sentence
    assert "tttt" not in fault.sentence
    return Taken(fault, frames, odd, hearer.heard_times, bool(opened))
