"""What all transports share on the wire: the HTTP session, its sockets, and that no redirect is followed."""

import socket
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import aiohttp

from forwarder.streams import faults
from forwarder.streams.address_memory import AddressMemory, OrderedResolver
from forwarder.streams.proxy import ThroughProxy
from forwarder.streams.transport import STRAIGHT, StreamTransport

_NO_ANSWER = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)
_ESTABLISHED = 1
"""`TCP_ESTABLISHED` of Linux. The state is another one once the peer has closed or reset the connection."""


def open_session(
    *,
    connect_within: timedelta,
    addresses: AddressMemory,
    transport: StreamTransport = STRAIGHT,
    on_connect: Callable[[], None] = lambda: None,
) -> aiohttp.ClientSession:
    """Return a session for one connection.

    It has no total timeout, for which aiohttp's default is five minutes, and no read timeout: that of aiohttp drops what is in the
    socket when the process stood still for longer. `addresses` orders the addresses of the server. `transport`
    has the TLS context and the proxy; each request needs its `request_options` as well. `on_connect` is called for each TCP connection.
    """
    times_reused = 0

    async def note_connection(_session: aiohttp.ClientSession, _context: SimpleNamespace, _parameters: object) -> None:
        on_connect()

    async def note_reuse(_session: aiohttp.ClientSession, _context: SimpleNamespace, _parameters: object) -> None:
        nonlocal times_reused
        times_reused += 1

    async def ask_once(request: aiohttp.ClientRequest, ask: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        """Raise our own fault when a connection ends without a response: by itself aiohttp repeats a GET at once, uncounted.

        A connection that was kept from an earlier request may end at any time; then the request is repeated on a new one.
        """
        before = times_reused
        try:
            return await ask(request)
        except _NO_ANSWER as error:
            if times_reused == before:
                raise faults.from_connect(error, request.url.raw_host, request.url.port) from error
        try:
            return await ask(request)
        except _NO_ANSWER as error:
            raise faults.from_connect(error, request.url.raw_host, request.url.port) from error

    through_proxy = ThroughProxy(transport.proxy, connect_within=connect_within)
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    trace.on_connection_create_end.append(note_connection)
    trace.on_connection_reuseconn.append(note_reuse)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            socket_factory=_lively_socket, resolver=OrderedResolver(addresses), ssl=transport.context or True
        ),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_within.total_seconds()),
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[trace, through_proxy.trace],
        middlewares=[ask_once, through_proxy],
        trust_env=False,
    )


def is_peer_open(connected: socket.socket | None) -> bool:
    """Return whether the peer still has the connection open, as far as the kernel knows."""
    if connected is None or not hasattr(socket, "TCP_INFO"):
        return True
    try:
        return connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED
    except OSError:
        return True


async def _refuse_redirect(_session: aiohttp.ClientSession, _context: SimpleNamespace, _parameters: object) -> None:
    """Stop `ws_connect`, which would follow a redirect and send `x-api-key` to another host (aiohttp issue 3678)."""
    raise faults.redirected()


def _lively_socket(address: "aiohttp.connector.AddrInfoType") -> socket.socket:
    """Return a socket on which the kernel detects a dead peer within about half a minute."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 20_000)):
        if hasattr(socket, option):  # Linux has all of them
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made
