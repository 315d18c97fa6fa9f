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
from forwarder.core.destinations.transport import Transport
from forwarder.core.ports import Clock
from forwarder.core.url import host_header, read_url, request_target
from forwarder.destinations.dialer import Dialer, authorization
from forwarder.destinations.failures import NotConnectedError, broken, cut_short, refused_by_proxy
from forwarder.destinations.http_connection import BrokenConnectionError, CutShortError, HttpConnection
from forwarder.destinations.pool import LATE_S, Pool
from forwarder.destinations.redaction import secret_texts, with_headers, without
from forwarder.destinations.response_reader import MAX_BODY_BYTES, HttpResponse, NotHttpError

MAX_ANSWER_BYTES = MAX_BODY_BYTES
EXCERPT_CHARACTERS = 500
_PUBLIC_HEADERS = frozenset({"accept-encoding", "content-encoding", "content-type", "host", "user-agent"})
"""Headers whose values are not secret, so they may be kept if a receiver repeats them; the x-forwarder-* and webhook-* headers are too."""


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
        self._secrets: list[str] | None = None
        """Texts that must not get into the outbox from a response; `None` until they are needed."""
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
        if self.transcript is not None:
            self.transcript.sent, self.transcript.body = head, request.body
            self.transcript.came.clear()
        idle = self._pool.take_idle(deadline)
        if idle is not None:
            try:
                return await self._exchange(idle, head, request)
            except BrokenConnectionError as error:
                if error.has_begun:
                    return self._broken(idle, error)
                self._pool.drop_idle()
        try:
            fresh = await self._connect(deadline)
        except NotConnectedError as error:
            return error.outcome
        try:
            outcome = await self._exchange(fresh, head, request)
        except BrokenConnectionError as error:
            outcome = self._broken(fresh, error)
        return outcome if idle is None else structs.replace(outcome, note=SENT_TWICE)

    async def _exchange(self, connection: HttpConnection, head: bytes, request: WebhookRequest) -> Outcome:
        """Send the request over the connection, and give the connection back. Raises `BrokenConnectionError`."""
        needs_body = request.needs_body or self.transcript is not None
        connection.transcript = None if self.transcript is None else self.transcript.came
        try:
            response = await connection.exchange(head, request.body, needs_body=needs_body)
        except CutShortError as error:
            return cut_short(error.status, timeout_s=self._timeout_s if error.is_late else None)
        except NotHttpError as error:
            return Unanswered(fault=Fault.PROTOCOL, detail=str(error))
        except TimeoutError:
            self._pool.note_silence(connection)
            if connection.idle_since:  # it was used before
                self._pool.drop_idle()
            return Unanswered(fault=Fault.TIMEOUT, detail=f"no answer within {self._timeout_s:g} s")
        finally:
            self._pool.give_back(connection)
        self._pool.note_response(connection)
        return self._answered(response, request)

    def _broken(self, connection: HttpConnection, error: BrokenConnectionError) -> Unanswered:
        self._pool.note_silence(connection)
        return broken(error.error)

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
            names = {name.lower() for name in request.fixed}
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
        return f"{request.method} {self._origin}{target} HTTP/1.1\r\n{fixed}{_lines(request.own)}Content-Length: {len(request.body)}\r\n\r\n".encode()

    def _answered(self, answer: HttpResponse, request: WebhookRequest) -> Outcome:
        if self._proxy is not None and answer.status == 407:
            return refused_by_proxy(has_password=self._proxy.authorization is not None)
        is_complete = answer.is_complete or not request.needs_body
        if not answer.has_hints and answer.status != 429:  # the response contains no hints
            if not answer.body:
                return Answered(status=answer.status, is_complete=is_complete)
            return Answered(
                status=answer.status,
                excerpt=self._excerpt(answer.body, request),
                body=answer.body,
                is_complete=is_complete,
            )
        location = answer.headers.get(b"location")
        return Answered(
            status=answer.status,
            excerpt=self._excerpt(answer.body, request),
            body=answer.body,
            is_complete=is_complete,
            location=None if location is None else self._redirect(location, request),
            **read_response_hints(answer.status, answer.headers, answer.body, now=self._clock()),
        )

    def _redirect(self, location: bytes, request: WebhookRequest) -> str:
        return describe_redirect(self._url, request.target or self._target, location.decode("utf-8", "replace"))

    def _excerpt(self, body: bytes, request: WebhookRequest) -> str:
        """Return the beginning of a response's body on one line, without the secrets of the request that it repeats."""
        if not body:
            return ""
        secrets = self._secret_texts(request)
        reach = 6 * max(map(len, secrets), default=0)  # how long a secret can be if each of its characters is escaped
        window = body[: 4 * (EXCERPT_CHARACTERS + reach)].decode("utf-8", "replace")
        text = without(window[: EXCERPT_CHARACTERS + reach], secrets)
        if len(window) > EXCERPT_CHARACTERS + reach:  # the end may be a part of a secret
            text = text[: max(0, len(text) - reach)]
        text = text[:EXCERPT_CHARACTERS]
        return (text if text.isprintable() else "".join(mark if mark.isprintable() else " " for mark in text)).strip()

    def _secret_texts(self, request: WebhookRequest) -> list[str]:
        """Return the secret texts of a request."""
        if self._secrets is None or request.target is not None:
            pairs = (line.partition(": ") for line in self._fixed[1].split("\r\n") if line)
            secret = [value for name, _, value in pairs if not _is_public(name.lower())]
            self._secrets = secret_texts(headers=secret, target=request.target or self._target, url=str(self._url))
        own = [value for name, value in request.own.items() if not _is_public(name.lower())]
        return with_headers(self._secrets, own) if own else self._secrets


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


def _is_public(name: str) -> bool:
    return name in _PUBLIC_HEADERS or name.startswith(("x-forwarder-", "webhook-"))
