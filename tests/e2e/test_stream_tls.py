"""The real daemon on a stream with TLS: it trusts the certificates of the system, and no others."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from tests.support.process import forwarder, write_config

CA, OTHER = trustme.CA(), trustme.CA()


@asynccontextmanager
async def stream_with_tls() -> AsyncIterator[int]:
    """Serve a WebSocket and an SSE stream; return the port."""

    async def websocket(request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        async for _ in answer:
            pass
        return answer

    async def sse(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b": hello\n\n")
        await asyncio.Event().wait()
        return answer

    async def token(_request: web.Request) -> web.Response:
        return web.json_response({"token": "t", "expiresIn": 300})

    app = web.Application()
    app.router.add_post("/stream/token", token)
    app.router.add_get("/ws", websocket)
    app.router.add_get("/stream", sse)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert("localhost").configure_cert(context)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "localhost", 0, ssl_context=context)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("transport", "address"), [("websocket", "wss://localhost:{}/ws"), ("sse", "https://localhost:{}/stream")]
)
@pytest.mark.parametrize("trusted", [CA, OTHER], ids=["trusted", "not trusted"])
async def test_a_stream_with_tls_needs_a_certificate_that_is_trusted(
    transport: str, address: str, trusted: trustme.CA, tmp_path: Path
) -> None:
    trusted.cert_pem.write_to_path(bundle := tmp_path / "ca.pem")
    async with stream_with_tls() as port:
        config = write_config(tmp_path, stream=address.format(port), destinations={"bot": "http://127.0.0.1:9/"})
        config.write_text(config.read_text().replace("api_key:", f"transport: {transport}\n    api_key:", 1))
        async with forwarder(config, env={"SSL_CERT_FILE": str(bundle)}) as daemon:
            if trusted is CA:
                await daemon.wait_for("stream.connected")
            else:
                refused = await daemon.wait_for("stream.unavailable")
                assert "unknown CA or incomplete chain" in refused["reason"]
