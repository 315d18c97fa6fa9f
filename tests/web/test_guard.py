"""What every request must pass."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from yarl import URL

from forwarder.web.access import AccessRules, Sessions, hosts_of
from forwarder.web.connection import HEADERS
from forwarder.web.guard import PROBES, Guard
from forwarder.web.request_limits import MAX_REQUESTS


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[URL]:
    """Serve one handler behind the guard."""
    rules = AccessRules(hosts=frozenset())
    guard = Guard(lambda: rules, Sessions())
    application = web.Application(middlewares=[guard.middleware])
    guard.add_to(application)
    application.router.add_get("/it", handler)
    application.router.add_get("/probe", fine)
    application[PROBES] = frozenset({"/probe"})
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = URL(f"http://127.0.0.1:{runner.addresses[0][1]}")
    rules = AccessRules(hosts=hosts_of("127.0.0.1", url.port or 0))
    yield url
    await runner.cleanup()


async def fine(_request: web.Request) -> web.Response:
    return web.Response(text="fine")


@pytest.mark.parametrize(
    ("host", "port", "accepted"),
    [
        ("127.0.0.1", 8787, {"127.0.0.1:8787", "localhost:8787", "[::1]:8787"}),
        ("::1", 8787, {"127.0.0.1:8787", "localhost:8787", "[::1]:8787"}),
        ("127.0.0.53", 80, {"127.0.0.53", "127.0.0.53:80", "127.0.0.1", "localhost"}),
    ],
)
def test_the_names_of_this_machine_are_accepted(host: str, port: int, accepted: set[str]) -> None:
    assert accepted <= hosts_of(host, port)
    assert "evil.example" not in hosts_of(host, port)


async def test_each_answer_says_what_a_browser_must_not_do_with_it() -> None:
    async with serving(fine) as url, aiohttp.ClientSession() as session, session.get(url / "it") as answer:
        assert (answer.status, await answer.text()) == (200, "fine")
        assert HEADERS.items() <= dict(answer.headers).items()
        assert "unsafe" not in answer.headers["Content-Security-Policy"]


async def raw(url: URL, request: str) -> bytes:
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(request.replace("PORT", str(url.port)).replace("\n", "\r\n").encode())
    async with asyncio.timeout(60):
        answer = await reader.readuntil(b"\r\n")
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET /it HTTP/1.1\nHost: localhost:PORT\n\n", 200),
        ("GET /it HTTP/1.1\nHost: LOCALHOST:PORT\n\n", 200),
        ("GET /it HTTP/1.1\nHost: evil.example:PORT\n\n", 421),
        ("GET /it HTTP/1.1\nHost: evil.example\n\n", 421),
        ("GET /it HTTP/1.1\nHost: 127.0.0.1\n\n", 421),
        ("GET /it HTTP/1.1\nHost: 127.0.0.1:PORT.evil.example\n\n", 421),
        ("GET /it HTTP/1.0\n\n", 421),
        ("HEAD /it HTTP/1.1\nHost: localhost:PORT\n\n", 200),
        ("POST /it HTTP/1.1\nHost: localhost:PORT\nContent-Length: 0\n\n", 405),
        ("DELETE /it HTTP/1.1\nHost: localhost:PORT\n\n", 405),
        ("GET /other HTTP/1.1\nHost: localhost:PORT\n\n", 404),
        ("GET /it/../../etc/passwd HTTP/1.1\nHost: localhost:PORT\n\n", 404),
        ("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\nHost: localhost:PORT\n\n", 404),
        ("GET http://evil.example/it HTTP/1.1\nHost: evil.example\n\n", 400),
        ("NONSENSE\n\n", 400),
    ],
)
async def test_requests_that_are_refused(request_text: str, status: int) -> None:
    async with serving(fine) as url:
        assert (await raw(url, request_text)).split()[1] == str(status).encode()


async def test_an_error_of_ours_is_no_traceback_for_the_client() -> None:
    async def fails(_request: web.Request) -> web.Response:
        raise ValueError("a secret")

    async with serving(fails) as url, aiohttp.ClientSession() as session, session.get(url / "it") as answer:
        assert answer.status == 500
        assert "secret" not in await answer.text()


async def test_more_requests_than_it_carries_out_at_once_are_asked_to_come_again() -> None:
    begun, go = 0, asyncio.Event()
    all_begun = asyncio.Event()

    async def waits(_request: web.Request) -> web.Response:
        nonlocal begun
        begun += 1
        if begun == MAX_REQUESTS:
            all_begun.set()
        await go.wait()
        return web.Response()

    async with (
        serving(waits) as url,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        asyncio.timeout(60),
    ):
        asking = [asyncio.ensure_future(session.get(url / "it")) for _ in range(MAX_REQUESTS)]
        await all_begun.wait()
        async with session.get(url / "it") as answer:
            assert answer.status == 503
        async with session.get(url / "probe") as answer:
            assert answer.status == 200
        go.set()
        assert {answer.status for answer in await asyncio.gather(*asking)} == {200}
        async with session.get(url / "it") as answer:
            assert answer.status == 200
