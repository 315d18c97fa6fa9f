"""One destination's HTTP session: one attempt in, an `Outcome` out.

Whatever a receiver or a network does becomes an outcome with a sentence of ours: aiohttp's own exceptions carry the URL and
the headers, which may be secrets, so their text is never shown.
"""

import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import aiohttp
from yarl import URL

from forwarder.core.delivery import Answered, Fault, Outcome, Unanswered
from forwarder.core.ports import Clock
from forwarder.core.retry import parse_retry_after
from forwarder.core.webhook import WebhookRequest

MAX_ANSWER_BYTES = 64 * 1024
"""Of an answer's body; the connection of a longer one is closed."""
EXCERPT_CHARACTERS = 500
_KEEP_ALIVE_S = 75
"""How long an idle connection is kept. Receivers close sooner (Node.js after 5 s); the stale one is then replaced at once."""
_DNS_CACHE_S = 30


@dataclass(slots=True)
class _Connection:
    """What the trace of one request saw of its connection."""

    is_reused: bool = False


class HttpSender:
    """Sends to one URL, over at most `concurrency` connections that are kept alive."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, timeout: timedelta, clock: Clock) -> None:
        self._session = session
        self._url = URL(url)
        self._timeout = timeout
        self._clock = clock

    async def send(self, request: WebhookRequest) -> Outcome:
        """Make one attempt, within the timeout in all. 2xx counts as soon as its headers are in.

        A request that fails on a connection used before, without an answer, met a receiver that had closed it meanwhile:
        it is sent again at once, until the connection is a fresh one. aiohttp does not do that for a POST.
        """
        while True:
            connection = _Connection()
            try:
                async with self._session.post(
                    self._url,
                    data=request.body,
                    headers=request.headers,
                    allow_redirects=False,
                    trace_request_ctx=connection,
                ) as response:
                    return await self._answered(response)
            except TimeoutError:
                return Unanswered(fault=Fault.TIMEOUT, detail=f"no answer within {self._timeout.total_seconds():g} s")
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if not connection.is_reused:
                    return _unanswered(error)
            except aiohttp.ClientError as error:
                return _unanswered(error)

    async def _answered(self, response: aiohttp.ClientResponse) -> Answered:
        retry_after = response.headers.get("Retry-After")
        location = response.headers.get("Location")
        return Answered(
            status=response.status,
            excerpt=await _read_excerpt(response),
            retry_after=None if retry_after is None else parse_retry_after(retry_after, now=self._clock()),
            location=None if location is None else _origin(location),
        )


@asynccontextmanager
async def open_sender(url: str, *, timeout: timedelta, concurrency: int, clock: Clock) -> AsyncIterator[HttpSender]:
    """Give a sender with a session of its own; `timeout` bounds a whole attempt, the answer's body included."""
    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(_note_reuse)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=concurrency, keepalive_timeout=_KEEP_ALIVE_S, ttl_dns_cache=_DNS_CACHE_S),
        timeout=aiohttp.ClientTimeout(total=timeout.total_seconds()),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trace_configs=[trace],
    ) as session:
        yield HttpSender(session, url, timeout=timeout, clock=clock)


async def _note_reuse(_session: aiohttp.ClientSession, context: SimpleNamespace, _parameters: Any) -> None:  # noqa: ANN401
    connection: _Connection = context.trace_request_ctx
    connection.is_reused = True


async def _read_excerpt(response: aiohttp.ClientResponse) -> str:
    """Return the beginning of the answer's body, fit for one line; what goes wrong while reading it changes nothing."""
    read = bytearray()
    try:
        while len(read) < MAX_ANSWER_BYTES and (chunk := await response.content.read(MAX_ANSWER_BYTES - len(read))):
            read += chunk
        if len(read) >= MAX_ANSWER_BYTES:
            response.close()
    except (aiohttp.ClientError, TimeoutError):
        response.close()
    text = read[: 4 * EXCERPT_CHARACTERS].decode("utf-8", "replace")[:EXCERPT_CHARACTERS]
    return "".join(character if character.isprintable() else " " for character in text).strip()


def _origin(location: str) -> str:
    """Return where a redirect points without its path and query, which may hold a secret."""
    try:
        url = URL(location)
        return str(url.origin()) if url.absolute else "another path of the same host"
    except ValueError:
        return "an invalid address"


def _unanswered(error: aiohttp.ClientError) -> Unanswered:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return Unanswered(fault=Fault.DNS, detail="its host name cannot be resolved")
        case aiohttp.ClientConnectorCertificateError():
            return Unanswered(
                fault=Fault.TLS, detail=f"its certificate was refused ({_certificate_fault(error.certificate_error)})"
            )
        case aiohttp.ClientSSLError():
            return Unanswered(fault=Fault.TLS, detail="the TLS handshake failed")
        case aiohttp.ClientOSError(errno=errno.ECONNREFUSED):
            return Unanswered(fault=Fault.REFUSED, detail="connection refused: nothing listens there")
        case aiohttp.ClientOSError():
            reason = os.strerror(error.errno) if error.errno else "connection lost"
            return Unanswered(fault=Fault.NETWORK, detail=f"network error: {reason.lower()}")
        case aiohttp.ServerDisconnectedError():
            return Unanswered(fault=Fault.NETWORK, detail="the receiver closed the connection without an answer")
        case aiohttp.ClientResponseError():
            return Unanswered(fault=Fault.PROTOCOL, detail="the answer is not valid HTTP")
        case _:
            return Unanswered(fault=Fault.PROTOCOL, detail=f"the exchange failed ({type(error).__name__})")


def _certificate_fault(error: Exception) -> str:
    """Return OpenSSL's own words for what is wrong with a certificate; they name neither URL nor key."""
    return str(getattr(error, "verify_message", "") or type(error).__name__)
