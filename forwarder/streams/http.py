"""What streams of every kind have in common on the wire: the session, its sockets, and that no redirect is followed."""

import socket
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import aiohttp

from forwarder.streams import faults


def open_session(*, connect_within: timedelta, silent_for: timedelta | None = None) -> aiohttp.ClientSession:
    """Return a session for one connection. `silent_for`: a read that brings no byte for so long fails.

    There is no limit to the whole, which aiohttp would set to five minutes.
    """
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(socket_factory=_lively_socket),
        timeout=aiohttp.ClientTimeout(
            total=None,
            sock_connect=connect_within.total_seconds(),
            sock_read=None if silent_for is None else silent_for.total_seconds(),
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[trace],
        middlewares=[_ask_once],
    )


async def _ask_once(request: aiohttp.ClientRequest, ask: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Raise our own fault when a connection ends without an answer: of its own, aiohttp asks a GET again at once, uncounted."""
    try:
        return await ask(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise faults.from_connect(error, request.url.raw_host, request.url.port) from error


async def _refuse_redirect(_session: aiohttp.ClientSession, _context: SimpleNamespace, _parameters: Any) -> None:  # noqa: ANN401
    """Stop `ws_connect`, which follows redirects and carries `x-api-key` to the other host (aiohttp issue 3678)."""
    raise faults.redirected()


def _lively_socket(address: "aiohttp.connector.AddrInfoType") -> socket.socket:
    """Return a socket on which the kernel notices a peer that is gone within about half a minute."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 20_000)):
        if hasattr(socket, option):  # Linux has all of them
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made
