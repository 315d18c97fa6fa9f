"""One destination's way out: one attempt in, an `Outcome` out.

Whatever a receiver or a network does becomes an outcome with a sentence of ours, without URLs or headers, which may be secret.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from yarl import URL

from forwarder.core.delivery import Answered, Fault, Outcome, Unanswered
from forwarder.core.ports import Clock
from forwarder.core.transport import Transport
from forwarder.core.url import host_header, read_url
from forwarder.core.webhook import FixedHeaders, WebhookRequest
from forwarder.core.wishes import read_wishes
from forwarder.destinations.dialer import Dialer, authorization
from forwarder.destinations.echoes import SHORTEST_SECRET, secret_texts, without
from forwarder.destinations.exchange import (
    MAX_BODY_BYTES,
    Answer,
    BrokenConnectionError,
    Connection,
    CutShortError,
    NotHttpError,
)
from forwarder.destinations.faults import NotConnectedError, broken, cut_short, refused_by_proxy
from forwarder.destinations.pool import LATE_S, Pool

MAX_ANSWER_BYTES = MAX_BODY_BYTES
EXCERPT_CHARACTERS = 500
_PUBLIC_HEADERS = frozenset({"accept-encoding", "content-type", "host", "user-agent"})
"""With the x-forwarder-* ones: what stands in them may be kept where a receiver repeats it."""


@dataclass(slots=True)
class Transcript:
    """The heads of an exchange as they are on the wire, with whatever is secret in them."""

    sent: bytes = b""
    came: list[tuple[bytes, bytes]] = field(default_factory=list)
    """The headers of the answer."""


class HttpSender:
    """Sends to one URL, over connections that are kept alive; as many at once as there are calls of `send`."""

    def __init__(self, pool: Pool, url: URL, *, transport: Transport, timeout: timedelta, clock: Clock) -> None:
        self._pool = pool
        self._timeout_s = timeout.total_seconds()
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._url = url
        self._target = url.raw_path_qs
        self._proxy = transport.proxy if url.scheme == "http" else None
        """The one that reads our requests; through a tunnel it only passes them on."""
        self._origin = str(url.with_user(None).origin()) if self._proxy is not None else ""
        self._host = f"Host: {host_header(url)}\r\n"
        self._credentials = _basic_auth(url)
        self._fixed: tuple[FixedHeaders | None, str] = None, ""
        """The ones used last, and how they are written."""
        self._secrets: list[str] | None = None
        """What an answer must not bring into the outbox; `None` until it is asked for."""
        self.transcript: Transcript | None = None
        """Where set, what goes out and what comes in is written there, for a person who tries the destination."""

    async def send(self, request: WebhookRequest) -> Outcome:
        """Make one attempt, within the timeout in all. 2xx counts as soon as its headers are in and the request is out.

        A request that fails on a connection used before, without a byte of an answer, met a receiver that had closed it
        meanwhile: it is sent again at once, until the connection is a fresh one.
        """
        deadline = self._loop.time() + self._timeout_s
        try:
            head = self.head_of(request)
        except ValueError:
            return Unanswered(
                fault=Fault.FORMAT, detail="a header or the path has a character in it that it cannot carry"
            )
        if self.transcript is not None:
            self.transcript.sent = head
        while True:
            connection = self._pool.take_idle(deadline)
            is_fresh = connection is None
            if connection is None:
                try:
                    connection = await self._connect(deadline)
                except NotConnectedError as error:
                    return error.outcome
            connection.transcript = None if self.transcript is None else self.transcript.came
            try:
                return self._answered(await connection.exchange(head, request.body), request)
            except BrokenConnectionError as error:
                if is_fresh or error.heard:
                    return broken(error.error)
            except CutShortError as error:
                return cut_short(error.status, timeout_s=self._timeout_s if error.is_late else None)
            except NotHttpError as error:
                return Unanswered(fault=Fault.PROTOCOL, detail=str(error))
            except TimeoutError:
                if not is_fresh:
                    self._pool.drop_idle()
                return Unanswered(fault=Fault.TIMEOUT, detail=f"no answer within {self._timeout_s:g} s")
            finally:
                self._pool.give_back(connection)

    async def knock(self) -> bool:
        """Return whether it is worth an attempt, where the connection was refused: by connecting, and sending nothing.

        A connection that comes of it is kept for the next attempt. Where it is no longer refused and fails otherwise, an attempt tells more.
        """
        try:
            connection = await self._pool.connect(self._loop.time() + self._timeout_s, is_knock=True)
        except NotConnectedError as error:
            return error.outcome.fault is not Fault.REFUSED and not error.outcome.is_ours
        self._pool.give_back(connection)
        return True

    async def _connect(self, deadline: float) -> Connection:
        """Return a fresh connection. Where the process stood still meanwhile, the time begins anew: nothing has been sent yet."""
        try:
            return await self._pool.connect(deadline)
        except NotConnectedError:
            now = self._loop.time()
            if now - deadline < LATE_S:
                raise
            return await self._pool.connect(now + self._timeout_s)

    def head_of(self, request: WebhookRequest) -> bytes:
        """Return the request line and the headers. Raises `ValueError` for one that would end its line."""
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

    def _answered(self, answer: Answer, request: WebhookRequest) -> Outcome:
        if self._proxy is not None and answer.status == 407:
            return refused_by_proxy(has_password=self._proxy.authorization is not None)
        if not answer.headers and answer.status != 429:  # it has no wishes
            if not answer.body:
                return Answered(status=answer.status)
            return Answered(status=answer.status, excerpt=self._excerpt(answer.body, request), body=answer.body)
        location = answer.headers.get(b"location")
        return Answered(
            status=answer.status,
            excerpt=self._excerpt(answer.body, request),
            body=answer.body,
            location=None if location is None else _origin(_text(location)),
            **read_wishes(answer.status, answer.headers, answer.body, now=self._clock()),
        )

    def _excerpt(self, body: bytes, request: WebhookRequest) -> str:
        """Return the beginning of an answer's body, fit for one line, and without the secrets of the request that it repeats."""
        if not body:
            return ""
        text = body.decode("utf-8", "replace")
        if len(text) >= SHORTEST_SECRET:
            text = without(text, self._secret_texts(request))[:EXCERPT_CHARACTERS]
        return (text if text.isprintable() else "".join(mark if mark.isprintable() else " " for mark in text)).strip()

    def _secret_texts(self, request: WebhookRequest) -> list[str]:
        """Return what is secret in a request. The headers that it shares with others of another attempt are public ones."""
        if self._secrets is None or request.target is not None:
            pairs = (line.partition(": ") for line in self._fixed[1].split("\r\n") if line)
            secret = [value for name, _, value in pairs if not _is_public(name.lower())]
            self._secrets = secret_texts(headers=secret, target=request.target or self._target, url=str(self._url))
        return self._secrets


@asynccontextmanager
async def open_sender(url: str, *, transport: Transport, timeout: timedelta, clock: Clock) -> AsyncIterator[HttpSender]:
    """Give a sender with connections of its own; `timeout` bounds a whole attempt, the answer's body included.

    Raises `UrlError` for a URL that no config takes.
    """
    target = read_url(url, "http", "https")
    pool = Pool(Dialer(target, transport, timeout_s=timeout.total_seconds(), clock=clock))
    try:
        yield HttpSender(pool, target, transport=transport, timeout=timeout, clock=clock)
    finally:
        pool.close()


def _lines(headers: Mapping[str, str]) -> str:
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\n") != len(headers) or lines.count("\r") != len(headers) or "\0" in lines:
        raise ValueError
    return lines


def _basic_auth(url: URL) -> str:
    """Return the header for a user and password in the URL (RFC 7617), or nothing."""
    if url.user is None and url.password is None:
        return ""
    pair = base64.b64encode(f"{url.user or ''}:{url.password or ''}".encode()).decode()
    return f"Authorization: Basic {pair}\r\n"


def _is_public(name: str) -> bool:
    return name in _PUBLIC_HEADERS or name.startswith("x-forwarder-")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _origin(location: str) -> str:
    """Return where a redirect points without its path and query, which may hold a secret."""
    try:
        url = URL(location)
        return str(url.origin()) if url.absolute else "another path of the same host"
    except ValueError:
        return "an invalid address"
