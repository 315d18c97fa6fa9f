"""How a stream, its token and its history are reached: TLS and a proxy."""

import ssl
from dataclasses import dataclass, field
from typing import TypedDict

from yarl import URL

from forwarder.core.config import StreamConfig
from forwarder.core.destinations.request import USER_AGENT
from forwarder.core.destinations.transport import Proxy, Tls
from forwarder.tls.contexts import context_of

_NO_SETTINGS = Tls()


class RequestOptions(TypedDict):
    """What aiohttp is given with each request."""

    proxy: URL | None
    proxy_headers: dict[str, str] | None
    server_hostname: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTransport:
    """The TLS settings and the proxy of a stream. It is a value: a reload compares it to see whether they have changed."""

    tls: Tls = _NO_SETTINGS
    proxy: Proxy | None = None
    context: ssl.SSLContext | None = field(default=None, compare=False, repr=False)
    """For a URL with TLS. `None` means that of aiohttp."""

    def request_options(self) -> RequestOptions:
        """Return the arguments of a request. The headers are for the proxy alone: they are sent with CONNECT."""
        if self.proxy is None:
            return RequestOptions(proxy=None, proxy_headers=None, server_hostname=self.tls.server_name)
        headers = {"User-Agent": USER_AGENT}
        if self.proxy.authorization is not None:
            headers["Proxy-Authorization"] = self.proxy.authorization
        return RequestOptions(
            proxy=URL.build(scheme="http", host=self.proxy.host, port=self.proxy.port),
            proxy_headers=headers,
            server_hostname=self.tls.server_name,
        )


STRAIGHT = StreamTransport()
"""A direct connection, with TLS as aiohttp has it by default."""


def transport_of(stream: StreamConfig) -> StreamTransport:
    """Return how a stream of the config is reached. Call this in a thread: the CA certificates of the system may have to be read."""
    tls = _NO_SETTINGS if stream.tls is None else stream.tls.value
    has_tls = stream.url.lower().startswith(("wss:", "https:"))
    return StreamTransport(tls=tls, proxy=stream.proxy, context=context_of(tls) if has_tls else None)
