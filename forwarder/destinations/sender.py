"""Makes the attempts of one destination: sends a request and returns its `Outcome`.

Everything that a receiver or a network does becomes an outcome. Its text contains no URLs and no headers, because they may be secret.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from msgspec import structs
from yarl import URL

from forwarder.core.delivery import SENT_TWICE, Answered, Fault, Outcome, Unanswered
from forwarder.core.destinations.redirects import describe_redirect
from forwarder.core.destinations.request import FixedHeaders, WebhookRequest
from forwarder.core.destinations.response_hints import read_response_hints
from forwarder.core.destinations.signing import ID, TIMESTAMP
from forwarder.core.destinations.transport import Transport
from forwarder.core.ports import Clock
from forwarder.core.url import host_header, read_url, request_target
from forwarder.destinations.dialer import Dialer, authorization
from forwarder.destinations.failures import NotConnectedError, broken, cut_short, refused_by_proxy
from forwarder.destinations.http_connection import BrokenConnectionError, CutShortError, HttpConnection
from forwarder.destinations.pool import LATE_S, Pool
from forwarder.destinations.redaction import Redactor
from forwarder.destinations.response_reader import MAX_BODY_BYTES, HttpResponse, NotHttpError

MAX_ANSWER_BYTES = MAX_BODY_BYTES
_NO_ANSWER = BrokenConnectionError, CutShortError, NotHttpError, TimeoutError


@dataclass(slots=True)
class Transcript:
    """The headers of an exchange as they are on the wire, including secrets."""

    sent: bytes = b""
    """The request line and the headers."""
    body: bytes = b""
    """The body of the request."""
    came: list[tuple[bytes, bytes]] = field(default_factory=list)
    """The headers of the response."""


class HttpSender:
    """Sends requests to one URL over connections that are kept alive; calls of `send` may run at the same time."""

    def __init__(
        self, pool: Pool, url: URL, target: str, *, transport: Transport, timeout: timedelta, clock: Clock
    ) -> None:
        """`target` is the path and query of the URL as written, which `url` may not have in full."""
        self._pool = pool
        self._timeout_s = timeout.total_seconds()
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._url = url
        self._target = target
        self._proxy = transport.proxy if url.scheme == "http" else None
        """The proxy, if it reads the requests; a proxy that tunnels TLS does not."""
        self._origin = str(url.with_user(None).origin()) if self._proxy is not None else ""
        self._host = f"Host: {host_header(url)}\r\n"
        self._credentials = _basic_auth(url)
        self._fixed: tuple[FixedHeaders | None, str] = None, ""
        """The fixed headers used last, and their written form."""
        self._redactor = Redactor(url, target)
        self.transcript: Transcript | None = None
        """If set, receives the headers of request and response, for a person who tests the destination."""

    async def send(self, request: WebhookRequest) -> Outcome:
        """Make one attempt within the timeout. A status counts as soon as its headers are complete, and a 2xx when the request is sent.

        If a request fails on a used connection without a byte of a response, the receiver had probably closed that connection before. The
        request is then sent again, once and over a fresh connection (RFC 9110, 9.2.2), and the outcome says so.
        """
        deadline = self._loop.time() + self._timeout_s
        try:
            head = self.head_of(request)
        except ValueError:
            return Unanswered(
                fault=Fault.FORMAT, detail="a header or the path contains a character that is not allowed there"
            )
        pool, transcript = self._pool, self.transcript
        if transcript is not None:
            transcript.sent, transcript.body = head, request.body
            transcript.came.clear()
        connection = used = pool.take_idle(deadline)
        while True:
            if connection is None:
                try:
                    connection = await self._connect(deadline)
                except NotConnectedError as error:
                    return error.outcome
            connection.transcript = None if transcript is None else transcript.came
            try:
                answer = await connection.exchange(
                    head, request.body, needs_body=request.needs_body or transcript is not None
                )
            except _NO_ANSWER as error:
                outcome = self._unanswered(connection, error, may_be_stale=connection is used)
            else:
                outcome = self._answered(connection, answer, request)
            finally:
                pool.give_back(connection)
            if outcome is not None:
                return outcome if connection is used or used is None else structs.replace(outcome, note=SENT_TWICE)
            connection = None

    def _unanswered(self, connection: HttpConnection, error: Exception, *, may_be_stale: bool) -> Outcome | None:
        """Return what an exchange without an answer came to. `None`: the receiver had probably closed the connection before."""
        match error:
            case CutShortError():
                return cut_short(error.status, timeout_s=self._timeout_s if error.is_late else None)
            case NotHttpError():
                return Unanswered(fault=Fault.PROTOCOL, detail=str(error))
            case BrokenConnectionError() if may_be_stale and not error.has_begun:
                self._pool.drop_idle()
                return None
            case BrokenConnectionError():
                self._pool.note_silence(connection)
                return broken(error.error)
        self._pool.note_silence(connection)
        if may_be_stale:
            self._pool.drop_idle()
        return Unanswered(fault=Fault.TIMEOUT, detail=f"no answer within {self._timeout_s:g} s")

    async def knock(self) -> bool:
        """Return whether an attempt is worth making after the connection was refused. Only connects; sends nothing.

        The connection is kept for the next attempt. If connecting now fails for another reason, an attempt will find out more.
        """
        try:
            connection = await self._pool.connect(self._loop.time() + self._timeout_s, is_knock=True)
        except NotConnectedError as error:
            return error.outcome.fault is not Fault.REFUSED and not error.outcome.is_local_fault
        self._pool.give_back(connection)
        return True

    async def _connect(self, deadline: float) -> HttpConnection:
        """Return a fresh connection. After a standstill of the process the timeout starts again, because nothing has been sent yet."""
        try:
            return await self._pool.connect(deadline)
        except NotConnectedError:
            now = self._loop.time()
            if now - deadline < LATE_S:
                raise
            return await self._pool.connect(now + self._timeout_s)

    def head_of(self, request: WebhookRequest) -> bytes:
        """Return the request line and the headers. Raises `ValueError` if a value contains a line break."""
        known, fixed = self._fixed
        if known is not request.fixed:
            # All requests with these have the same names of their own.
            names = {name.lower() for name in (*request.fixed, *request.more)}
            host = "" if "host" in names else self._host
            credentials = "" if "authorization" in names else self._credentials
            proxy = authorization(self._proxy) if self._proxy is not None else ""
            fixed = f"{host}{credentials}{proxy}{_lines(request.fixed)}"
            self._fixed = request.fixed, fixed
        target = self._target
        if request.target is not None:
            target = request.target
            if not target.isprintable() or " " in target:
                raise ValueError
        more = _lines(request.more) if request.more else ""
        return (
            f"{request.method} {self._origin}{target} HTTP/1.1\r\n{fixed}{ID}: {request.id}\r\n{TIMESTAMP}: {request.timestamp}\r\n"
            f"{more}Content-Length: {len(request.body)}\r\n\r\n"
        ).encode()

    def _answered(self, connection: HttpConnection, answer: HttpResponse, request: WebhookRequest) -> Outcome:
        if self._pool.failed_addresses:
            self._pool.note_response(connection)
        status, body = answer.status, answer.body
        if self._proxy is not None and status == 407:
            return refused_by_proxy(has_password=self._proxy.authorization is not None)
        lines = self._fixed[1]
        excerpt = self._redactor.excerpt(body, request, lines, is_cut=not answer.is_complete) if body else ""
        is_complete = answer.is_complete or not request.needs_body
        if not answer.headers and status != 429:  # no hints
            return Answered(status=status, excerpt=excerpt, body=body, is_complete=is_complete)
        location = answer.headers.get(b"location")
        return Answered(
            status=status,
            excerpt=excerpt,
            body=body,
            is_complete=is_complete,
            location=None if location is None else self._redirect(location, request),
            **read_response_hints(status, answer.headers, body, now=self._clock()),
        )

    def _redirect(self, location: bytes, request: WebhookRequest) -> str:
        return describe_redirect(self._url, request.target or self._target, location.decode("utf-8", "replace"))


@asynccontextmanager
async def open_sender(url: str, *, transport: Transport, timeout: timedelta, clock: Clock) -> AsyncIterator[HttpSender]:
    """Provide a sender with connections of its own; `timeout` limits a whole attempt, and then the rest of the response.

    Raises `UrlError` for a URL that no config accepts.
    """
    parts = read_url(url, "http", "https")
    pool = Pool(Dialer(parts, transport, timeout_s=timeout.total_seconds(), clock=clock))
    try:
        yield HttpSender(pool, parts, request_target(url), transport=transport, timeout=timeout, clock=clock)
    finally:
        pool.close()


def _lines(headers: Mapping[str, str]) -> str:
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\n") != len(headers) or lines.count("\r") != len(headers) or "\0" in lines:
        raise ValueError
    return lines


def _basic_auth(url: URL) -> str:
    """Return the header for the user name and password in the URL (RFC 7617), or nothing."""
    if url.user is None and url.password is None:
        return ""
    pair = base64.b64encode(f"{url.user or ''}:{url.password or ''}".encode()).decode()
    return f"Authorization: Basic {pair}\r\n"
