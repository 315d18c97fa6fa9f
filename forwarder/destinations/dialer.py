"""Makes the connections to a receiver: straight, through a proxy, or to a unix socket; and refuses those it may not make.

An address is judged in the list that is dialled, so that nothing comes between the judgement and the connection: neither
a second look-up nor an address that is written in the URL.
"""

import asyncio
import errno
import re
import socket
import ssl
from functools import partial

import aiohappyeyeballs
from yarl import URL

from forwarder.core.delivery import Fault, Unanswered
from forwarder.core.ports import Clock
from forwarder.core.transport import Proxy, Transport
from forwarder.core.url import server_name_of
from forwarder.destinations.exchange import Connection
from forwarder.destinations.faults import NotConnectedError, ProxyRefusedError, Stage, not_connected, refused_by_proxy
from forwarder.destinations.resolver import Resolver
from forwarder.destinations.tls import context_of

_NEXT_ADDRESS_S = 0.25
"""After so long without an answer the next address of a host is tried beside the first (RFC 8305: 250 ms)."""
_MAX_PROXY_HEAD_BYTES = 16 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[ \r\n]")


class Dialer:
    """The way to one receiver."""

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
        self._resolver = Resolver(proxy.host, proxy.port) if proxy else Resolver(self._host, self._port)

    async def connect(self, deadline: float, *, is_knock: bool = False) -> Connection:
        """Return a connection, until the deadline (of the loop's clock). Raises `NotConnectedError`.

        `is_knock`: it is only to see whether somebody listens, several times a second perhaps, so no name is looked up again for it
        where it failed.
        """
        stage = Stage.LOOKUP
        sock: socket.socket | None = None
        try:
            async with asyncio.timeout_at(deadline):
                if self._is_tls and self._context is None:
                    self._context = await self._make_context()
                if self._transport.socket is not None:
                    stage = Stage.CONNECT
                    sock = await self._connect_unix(self._transport.socket)
                else:
                    addresses = self._allowed(await self._resolver.addresses())
                    stage = Stage.CONNECT
                    sock = await self._connect_first(addresses, may_have_moved=not is_knock)
                if self._transport.proxy is not None and self._is_tls:
                    stage = Stage.TUNNEL
                    await self._open_tunnel(sock, self._transport.proxy)
                stage = Stage.TLS if self._is_tls else Stage.CONNECT
                return await self._connection(sock)
        except (OSError, UnicodeError) as error:
            if sock is not None:
                sock.close()
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

    def _allowed(self, addresses: list[aiohappyeyeballs.AddrInfoType]) -> list[aiohappyeyeballs.AddrInfoType]:
        """Return the addresses that may be dialled. Raises `NotConnectedError` where there is none."""
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
        """Return a socket that is connected to one of the addresses. Raises `OSError`."""
        try:
            return await aiohappyeyeballs.start_connection(
                addresses, happy_eyeballs_delay=_NEXT_ADDRESS_S, interleave=1, loop=self._loop
            )
        except OSError:
            if may_have_moved:
                self._resolver.forget()
            raise
        except RuntimeError as error:  # what uvloop has in place of some OSErrors
            if may_have_moved:
                self._resolver.forget()
            raise OSError(str(error)) from error

    async def _connect_unix(self, path: str) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            await self._loop.sock_connect(sock, path)
            sock.getpeername()  # fails where the queue was full, which the loops take for success
        except BaseException:
            sock.close()
            raise
        return sock

    async def _open_tunnel(self, sock: socket.socket, proxy: Proxy) -> None:
        """Have the proxy connect the socket to the receiver (RFC 9110, 9.3.6). Raises `OSError` or `NotConnectedError`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        await self._loop.sock_sendall(
            sock,
            f"CONNECT {host}:{self._port} HTTP/1.1\r\nHost: {host}:{self._port}\r\n{authorization(proxy)}\r\n".encode(),
        )
        head = b""
        while b"\r\n\r\n" not in head:
            data = await self._loop.sock_recv(sock, 4096)
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, "the proxy closed the connection")
            head += data
            if len(head) > _MAX_PROXY_HEAD_BYTES:
                raise ProxyRefusedError(0)
        found = _STATUS.match(head)
        status = int(found[1]) if found is not None else 0
        if status == 407:
            raise NotConnectedError(refused_by_proxy(has_password=proxy.authorization is not None))
        if not 200 <= status < 300:
            raise ProxyRefusedError(status)
        if not head.endswith(b"\r\n\r\n"):  # TLS begins with us: these bytes are the proxy's own
            raise ProxyRefusedError(0)

    async def _connection(self, sock: socket.socket) -> Connection:
        """Return the connection over a connected socket, after the handshake where there is one."""
        make = partial(Connection, self._loop)
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


def authorization(proxy: Proxy) -> str:
    """Return the header line that tells the proxy who we are, or nothing."""
    return f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization is not None else ""
