"""Requests of streams through an HTTP proxy, and what the proxy is blamed for."""

import os
from datetime import timedelta
from types import SimpleNamespace

import aiohttp

from forwarder.core.destinations.transport import Proxy
from forwarder.streams.faults import FaultKind, StreamFaultError

_UNREACHED = frozenset({502, 503, 504})
"""By these the proxy says that the server could not be reached."""
_REFUSED_WAIT = timedelta(seconds=30)


class ThroughProxy:
    """Is a middleware of an aiohttp session that makes one request at a time. Without a proxy it only passes requests on."""

    def __init__(self, proxy: Proxy | None, *, connect_within: timedelta) -> None:
        self._proxy = proxy
        self._connect_within = connect_within
        self._is_connected = False
        """Whether the present request has a connection: for a URL with TLS, one to the server itself."""
        self.trace = aiohttp.TraceConfig()
        """To be given to the session."""
        self.trace.on_connection_create_end.append(self._note_connected)
        self.trace.on_connection_reuseconn.append(self._note_connected)

    async def _note_connected(self, *_: aiohttp.ClientSession | SimpleNamespace | object) -> None:
        self._is_connected = True

    async def __call__(self, request: aiohttp.ClientRequest, ask: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        """Return the response. Raises `StreamFaultError` for what is the proxy's doing, and aiohttp's errors for everything else."""
        proxy = self._proxy
        if proxy is None:
            return await ask(request)
        self._is_connected = False
        is_read_by_proxy = request.url.scheme == "http"  # it sees only the host of what has TLS
        if is_read_by_proxy and proxy.authorization is not None:
            request.headers["Proxy-Authorization"] = proxy.authorization
        host = request.url.raw_host
        try:
            response = await ask(request)
        except aiohttp.ClientHttpProxyError as error:
            raise _refused(error.status, host, has_password=proxy.authorization is not None) from error
        except (aiohttp.ClientError, OSError) as error:
            found = None if self._is_connected else self._unreached(error)
            if found is None:
                raise
            raise found from error
        if is_read_by_proxy and response.status == 407:
            response.close()
            raise _refused(407, host, has_password=proxy.authorization is not None)
        return response

    def _unreached(self, error: aiohttp.ClientError | OSError) -> StreamFaultError | None:
        """Return the fault of a proxy that did not make the connection; `None` if the server did not, beyond the proxy."""
        match error:
            case aiohttp.ConnectionTimeoutError():
                return _fault(f"it did not answer within {self._connect_within.total_seconds():g} s")
            case aiohttp.ClientConnectorDNSError():
                return _fault("its host name cannot be resolved: check proxy, and this machine's DNS")
            case aiohttp.ClientProxyConnectionError(os_error=ConnectionRefusedError()):
                return _fault("connection refused: nothing listens there")
            case aiohttp.ClientProxyConnectionError():
                return _fault(f"it cannot be reached: {os.strerror(error.errno or 0).lower()}")
            case aiohttp.ClientConnectorError():  # TLS, through the proxy
                return None
            case aiohttp.ClientResponseError():
                return _fault("it refuses the connection: its answer is not valid HTTP", _REFUSED_WAIT)
            case _:
                return _fault("it closed the connection")


def _refused(status: int, host: str | None, *, has_password: bool) -> StreamFaultError:
    """Return the fault of a proxy's response to CONNECT, or of a 407."""
    if status == 407 and has_password:
        return _fault("it rejects the user name and password in its URL: check proxy of this stream", _REFUSED_WAIT)
    if status == 407:
        return _fault("it requires a user name and a password: write them into its URL", _REFUSED_WAIT)
    if status in _UNREACHED:
        return _fault(f"it could not reach {host} (HTTP {status})")
    return _fault(f"it refuses the connection to {host} (HTTP {status}): have it allow this host", _REFUSED_WAIT)


def _fault(what: str, minimum_wait: timedelta = timedelta()) -> StreamFaultError:
    return StreamFaultError(FaultKind.PROXY, f"the proxy: {what}", minimum_wait, is_reached=False)
