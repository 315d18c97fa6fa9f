"""Makes the connections to a receiver: direct, through a proxy, or to a unix socket; and refuses those that are not allowed.

The addresses that are checked are the ones that are dialled. So neither a second lookup nor an address in the URL can avoid the check.
"""

import asyncio
import errno
import random
import socket
import ssl
from collections.abc import Sequence
from functools import partial
from itertools import zip_longest

import aiohappyeyeballs
from yarl import URL

from forwarder.core.delivery import Fault, Unanswered
from forwarder.core.destinations.address_order import AddressOrder
from forwarder.core.destinations.transport import Proxy, Transport
from forwarder.core.destinations.untidy_head import head_length, status_of
from forwarder.core.ports import Clock
from forwarder.core.url import server_name_of
from forwarder.destinations.failures import NotConnectedError, ProxyRefusedError, Stage, not_connected, refused_by_proxy
from forwarder.destinations.http_connection import HttpConnection
from forwarder.destinations.resolver import DNS_CACHE_S, Resolver
from forwarder.tls.contexts import context_of

_NEXT_ADDRESS_S = 0.25
"""How long to wait before the next address of a host is tried alongside the first (RFC 8305: 250 ms)."""
_LEAST_SHARE_OF_AGE = 0.75
"""Each connection may become this part of the maximum age or more, at random, so that those made together do not end together."""
_MAX_PROXY_HEAD_BYTES = 16 * 1024


class Dialer:
    """Makes the connections to one receiver."""

    def __init__(self, url: URL, transport: Transport, *, timeout_s: float, clock: Clock) -> None:
        self._transport = transport
        self._host = url.raw_host or ""
        self._port = url.port or 0
        self._is_tls = url.scheme == "https"
        self._timeout_s = timeout_s
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._context: ssl.SSLContext | None = None
        proxy = transport.proxy
        host, port = (proxy.host, proxy.port) if proxy else (self._host, self._port)
        self._max_age_s = transport.max_connection_age.total_seconds()
        self._resolver = Resolver(host, port, cache_s=min(DNS_CACHE_S, self._max_age_s))
        self._order = AddressOrder()
        self.failed_addresses = self._order.failed
        """The addresses that failed, and have not responded since."""

    async def connect(self, deadline: float, *, is_knock: bool = False) -> HttpConnection:
        """Return a connection before the deadline (by the loop's clock). Raises `NotConnectedError`.

        `is_knock`: the connection only tests whether the receiver listens, perhaps several times a second. So a failure does not make
        the name be looked up again.
        """
        stage = Stage.LOOKUP
        sock: socket.socket | None = None
        address, began_at = "", self._loop.time()
        try:
            async with asyncio.timeout_at(deadline):
                if self._is_tls and self._context is None:
                    self._context = await self._make_context()
                if self._transport.socket is not None:
                    stage = Stage.CONNECT
                    sock = await self._connect_unix(self._transport.socket)
                else:
                    addresses = self._ordered(self._allowed(await self._resolver.addresses()))
                    stage = Stage.CONNECT
                    sock = await self._connect_first(addresses, may_have_moved=not is_knock)
                    address = _peer_of(sock)
                if self._transport.proxy is not None and self._is_tls:
                    stage = Stage.TUNNEL
                    await self._open_tunnel(sock, self._transport.proxy)
                stage = Stage.TLS if self._is_tls else Stage.CONNECT
                connection = await self._connection(sock)
                connection.address, connection.opened_at = address, began_at
                share = random.uniform(_LEAST_SHARE_OF_AGE, 1)  # noqa: S311 - no secret depends on it
                connection.expires_at = began_at + self._max_age_s * share
                return connection
        except (OSError, UnicodeError) as error:
            if sock is not None:
                sock.close()
                self._note_failures([address], began_at)
            raise NotConnectedError(
                not_connected(
                    error,
                    stage,
                    timeout_s=self._timeout_s,
                    is_proxied=self._transport.proxy is not None,
                    now=self._clock(),
                )
            ) from error
        except BaseException:
            if sock is not None:
                sock.close()
            raise

    def note_silence(self, connection: HttpConnection) -> None:
        """Note that no response came over the connection: other addresses are tried before its address for a while."""
        self._note_failures([connection.address], connection.opened_at)

    def note_response(self, connection: HttpConnection) -> None:
        """Note that a response came over the connection."""
        self._order.note_response(connection.address)

    def _note_failures(self, addresses: Sequence[str], began_at: float) -> None:
        for address in filter(None, addresses):  # a unix socket has none
            self._order.note_failure(address, began_at=began_at, now=self._loop.time())

    def _ordered(self, addresses: list[aiohappyeyeballs.AddrInfoType]) -> list[aiohappyeyeballs.AddrInfoType]:
        """Return the addresses in the order to try them in: the families in turn (RFC 8305, 4), and last those that failed lately."""
        families: dict[int, list[aiohappyeyeballs.AddrInfoType]] = {}
        for info in addresses:
            families.setdefault(info[0], []).append(info)
        in_turn = [info for infos in zip_longest(*families.values()) for info in infos if info is not None]
        by_address = {str(info[4][0]): info for info in reversed(in_turn)}
        names = list(dict.fromkeys(str(info[4][0]) for info in in_turn))
        return [by_address[name] for name in self._order.ordered(names, self._loop.time())]

    def _allowed(self, addresses: list[aiohappyeyeballs.AddrInfoType]) -> list[aiohappyeyeballs.AddrInfoType]:
        """Return the addresses that may be dialled. Raises `NotConnectedError` if there are none."""
        why_not = [self._transport.networks.why_not(str(address[4][0])) for address in addresses]
        allowed = [address for address, reason in zip(addresses, why_not, strict=True) if reason is None]
        if not allowed:
            whose = "the proxy: " if self._transport.proxy is not None else ""
            raise NotConnectedError(
                Unanswered(fault=Fault.BLOCKED, detail=f"{whose}{why_not[0] if why_not else 'it has no address'}")
            )
        return allowed

    async def _connect_first(
        self, addresses: list[aiohappyeyeballs.AddrInfoType], *, may_have_moved: bool
    ) -> socket.socket:
        """Return a socket that is connected to one of the addresses. Raises `OSError`.

        The addresses that were tried before the one that connected count as failed, and all that were tried if none connects in time.
        """
        names = [str(info[4][0]) for info in addresses]
        began_at = self._loop.time()
        try:
            sock = await aiohappyeyeballs.start_connection(
                addresses, happy_eyeballs_delay=_NEXT_ADDRESS_S, interleave=0, loop=self._loop
            )
            if (peer := _peer_of(sock)) in names:
                self._note_failures(names[: names.index(peer)], began_at)
            return sock
        except asyncio.CancelledError:
            tried = 1 + int((self._loop.time() - began_at) / _NEXT_ADDRESS_S)
            self._note_failures(names[:tried], began_at)
            raise
        except OSError:
            if may_have_moved:
                self._resolver.forget()
            raise
        except RuntimeError as error:  # uvloop raises it instead of some OSErrors
            if may_have_moved:
                self._resolver.forget()
            raise OSError(str(error)) from error

    async def _connect_unix(self, path: str) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            await self._loop.sock_connect(sock, path)
            sock.getpeername()  # fails if the queue is full, which the loops report as success
        except BaseException:
            sock.close()
            raise
        return sock

    async def _open_tunnel(self, sock: socket.socket, proxy: Proxy) -> None:
        """Ask the proxy to connect the socket to the receiver (RFC 9110, 9.3.6). Raises `OSError` or `NotConnectedError`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        await self._loop.sock_sendall(
            sock,
            f"CONNECT {host}:{self._port} HTTP/1.1\r\nHost: {host}:{self._port}\r\n{authorization(proxy)}\r\n".encode(),
        )
        head, length = b"", None
        while length is None:
            data = await self._loop.sock_recv(sock, 4096)
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, "the proxy closed the connection")
            head += data
            try:
                length = head_length(head)
            except ValueError:
                raise ProxyRefusedError(0) from None
            if len(head) > _MAX_PROXY_HEAD_BYTES:
                raise ProxyRefusedError(0)
        status = status_of(head)
        if status == 407:
            raise NotConnectedError(refused_by_proxy(has_password=proxy.authorization is not None))
        if not 200 <= status < 300:
            raise ProxyRefusedError(status)
        if length < len(head):  # in TLS the client speaks first, so these bytes are the proxy's own
            raise ProxyRefusedError(0)

    async def _connection(self, sock: socket.socket) -> HttpConnection:
        """Return the connection over a connected socket, after the TLS handshake if there is one."""
        make = partial(HttpConnection, self._loop)
        name = (self._transport.tls.server_name or server_name_of(self._host)) if self._is_tls else None
        limit_s = self._timeout_s if self._is_tls else None
        if self._transport.socket is None:
            _, connection = await self._loop.create_connection(
                make, sock=sock, ssl=self._context, server_hostname=name, ssl_handshake_timeout=limit_s
            )
        else:
            _, connection = await self._loop.create_unix_connection(
                make, sock=sock, ssl=self._context, server_hostname=name, ssl_handshake_timeout=limit_s
            )
        return connection

    async def _make_context(self) -> ssl.SSLContext:
        try:
            return await asyncio.to_thread(context_of, self._transport.tls)
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, "no thread can be started") from error


def _peer_of(sock: socket.socket) -> str:
    """Return the address that a socket is connected to; an empty text if the peer has closed it already."""
    try:
        return str(sock.getpeername()[0])
    except OSError:
        return ""


def authorization(proxy: Proxy) -> str:
    """Return the header line with the credentials for the proxy, or nothing."""
    return f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization is not None else ""
