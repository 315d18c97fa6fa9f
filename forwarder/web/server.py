"""The HTTP server: it listens as soon as it can, and holds up neither the start nor the end of the daemon."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import NoReturn, Protocol

import structlog
from aiohttp import web

from forwarder.core.config.values.listen import address_of
from forwarder.core.destinations.transport import Tls
from forwarder.threads import start_in_thread
from forwarder.tls.contexts import load_pair, server_context_of
from forwarder.web.connection import Connection
from forwarder.web.guard import MAX_BODY_BYTES, Guard

_TRY_EVERY_S = 1.0
"""How often it is tried to listen where another process has the port: after an upgrade that is the daemon before, for a moment."""
_SAID_AFTER = 5
"""After so many tries in vain the log says so, once."""
_KEEP_ALIVE_S = 30.0
_HANDSHAKE_WITHIN_S = 10.0
_END_WITHIN_S = 1.0
"""How long requests under way may take at the end of the daemon."""
_LOOK_EVERY_S = 5.0
"""How often it is looked whether the certificate is another one."""

log = structlog.get_logger(__name__)


class Routes(Protocol):
    """A part of what is served."""

    def add_to(self, application: web.Application) -> None:
        """Add its routes."""
        ...


async def serve(
    listen: str, parts: Sequence[Routes], *, guard: Guard, tls: Callable[[], Tls | None] = lambda: None
) -> NoReturn:
    """Serve until cancelled. A port that is in use is tried again each second; deliveries do not wait for it.

    `tls` returns the certificate of the active config; another one is used for new connections.
    """
    host, port = address_of(listen)
    application = web.Application(middlewares=[guard.middleware], client_max_size=MAX_BODY_BYTES)
    guard.add_to(application)
    for part in parts:
        part.add_to(application)
    runner = web.AppRunner(application, shutdown_timeout=_END_WITHIN_S)
    await runner.setup()
    server: asyncio.Server | None = None
    try:
        used = tls()
        context = None if used is None else await start_in_thread(partial(server_context_of, used), name="certificate")
        server = await _listen(runner, host, port, context)
        log.info("admin.listening", address=listen)
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if context is not None and (wanted := tls()) is not None and wanted != used:
                used = wanted
                await _renew(context, wanted)
    finally:
        if server is not None:
            server.close()
        with suppress(OSError):
            await runner.cleanup()


async def _renew(context: ssl.SSLContext, tls: Tls) -> None:
    """Use another certificate for new connections. The config was checked, so it fits its key."""
    with suppress(ssl.SSLError):
        await start_in_thread(partial(load_pair, context, tls), name="certificate")
        log.info("admin.certificate_renewed")


async def _listen(runner: web.AppRunner, host: str, port: int, context: ssl.SSLContext | None) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    tries = 0
    while True:
        assert runner.server is not None  # noqa: S101 - it is set up
        try:
            return await loop.create_server(
                partial(Connection, runner.server, keep_alive_s=_KEEP_ALIVE_S),
                host,
                port,
                ssl=context,
                backlog=128,
                ssl_handshake_timeout=None if context is None else _HANDSHAKE_WITHIN_S,
            )
        except OSError as error:
            tries += 1
            if tries == _SAID_AFTER:
                log.error(  # noqa: TRY400 - no traceback
                    "admin.not_listening",
                    address=f"{host}:{port}",
                    reason=error.strerror or str(error),
                    note="trying again each second; deliveries do not need it",
                )
            await asyncio.sleep(_TRY_EVERY_S)
