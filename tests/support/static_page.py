"""Serves a part of the page at an address of its own, for the length of a block."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from forwarder.web.page.static_files import StaticFiles


@asynccontextmanager
async def served(static: StaticFiles) -> AsyncIterator[str]:
    """Serve the static files alone, and yield the address."""
    application = web.Application()
    application.router.add_get("/static/{digest}/{name}", static.serve)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
