"""The HTTP server: it listens as soon as it can, and holds up neither the start nor the end of the daemon."""

import asyncio
from contextlib import suppress
from typing import NoReturn, Protocol

import structlog
from aiohttp import web

from forwarder.core.config.values.listen import address_of
from forwarder.web.guard import Guard, hosts_of

_TRY_EVERY_S = 1.0
"""How often it is tried to listen where another process has the port: after an upgrade that is the daemon before, for a moment."""
_SAID_AFTER = 5
"""After so many tries in vain the log says so, once."""
_MAX_BODY_BYTES = 16 * 1024
_KEEP_ALIVE_S = 30.0
_END_WITHIN_S = 1.0
"""How long requests under way may take at the end of the daemon."""

log = structlog.get_logger(__name__)


class Routes(Protocol):
    """Answers the requests of some paths."""

    def add_to(self, application: web.Application) -> None:
        """Add the routes."""
        ...


async def serve(listen: str, *views: Routes) -> NoReturn:
    """Serve these routes until cancelled. A port that is in use is tried again each second; deliveries do not wait for it."""
    host, port = address_of(listen)
    application = web.Application(middlewares=[Guard(hosts_of(host, port)).middleware], client_max_size=_MAX_BODY_BYTES)
    for each in views:
        each.add_to(application)
    runner = web.AppRunner(
        application, access_log=None, keepalive_timeout=_KEEP_ALIVE_S, shutdown_timeout=_END_WITHIN_S
    )
    await runner.setup()
    try:
        await _listen(runner, host, port)
        log.info("admin.listening", address=listen)
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")
    finally:
        with suppress(OSError):
            await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    tries = 0
    while True:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            await site.stop()
            tries += 1
            if tries == _SAID_AFTER:
                log.error(  # noqa: TRY400 - no traceback
                    "admin.not_listening",
                    address=f"{host}:{port}",
                    reason=error.strerror or str(error),
                    note="trying again each second; deliveries do not need it",
                )
            await asyncio.sleep(_TRY_EVERY_S)
        else:
            return
