"""How an event stream is opened: the token, the request, and where the server is asked to resume."""

from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
import structlog
from yarl import URL

from forwarder.core.destinations.request import USER_AGENT
from forwarder.core.url import with_parameters
from forwarder.streams import faults
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.running_timeout import RunningTimeout
from forwarder.streams.token import Token, TokenSource, read_some
from forwarder.streams.transport import STRAIGHT, StreamTransport

_MAY_BE_THE_ID = frozenset({400, 410, 412, 413, 416, 422, 431, 500})
"""Statuses that the `Last-Event-ID` of a request may have caused: the request is repeated without it, at once and once."""
_DOUBTED_AFTER = 2
"""After so many failures in a row of requests with a `Last-Event-ID`, of any kind, the next request is made without it."""

log = structlog.get_logger(__name__)


@dataclass(eq=False)
class _StatusRefusedError(Exception):
    """The server answered the request for the stream with another status than 200."""

    status: int
    fault: StreamFaultError


@dataclass(slots=True)
class SseMemory:
    """Keeps what the connections of one stream share: the token, and where to resume."""

    tokens: TokenSource = field(default_factory=TokenSource)
    last_id: str = ""
    """The id of the last event that was taken: text that a header can carry, see `EventStreamParser`."""
    too_long_after: str = ""
    """The last id at the time when an event was too long."""
    failures_with_id: int = 0
    """Requests with an id that failed, in a row. One that fails without the id leaves one, so that tries with and without it take turns."""

    def id_to_send(self) -> str:
        """Return the `Last-Event-ID` of the next request; empty for none, also if the server may be refusing the id."""
        return "" if self.failures_with_id >= _DOUBTED_AFTER else self.last_id

    def note_failed(self, sent_id: str) -> None:
        """Count a request that the server accepted and did not answer with a stream."""
        self.failures_with_id = self.failures_with_id + 1 if sent_id else min(self.failures_with_id, _DOUBTED_AFTER - 1)


@dataclass(slots=True, kw_only=True)
class SseHandshake:
    """Makes one try to open an event stream, of one request or of several."""

    name: str
    url: URL
    """The URL of the config, which that of the token is derived from."""
    address: URL
    """What is requested, without the token."""
    api_key: str | None = field(repr=False)
    within: timedelta
    memory: SseMemory
    transport: StreamTransport = STRAIGHT
    _sent_id: str | None = field(default=None, init=False)
    """The `Last-Event-ID` of the last request for the stream; `None` if there was no request yet."""

    async def open(
        self, session: aiohttp.ClientSession, *, connect_within: timedelta
    ) -> tuple[aiohttp.ClientResponse, Token | None]:
        """Return the response whose body is the stream, and the token that it was opened with. Raises `StreamFaultError`."""
        try:
            opened = await self._open_in_time(session, connect_within)
        except StreamFaultError as fault:
            if fault.is_reached and self._sent_id is not None:
                self.memory.note_failed(self._sent_id)
            raise
        if self.memory.last_id and not self._sent_id:
            self.memory.last_id = ""
            log.warning("stream.id_refused", stream=self.name, note="the stream opened without Last-Event-ID")
        self.memory.failures_with_id = 0
        return opened

    async def _open_in_time(
        self, session: aiohttp.ClientSession, connect_within: timedelta
    ) -> tuple[aiohttp.ClientResponse, Token | None]:
        host = self.url.raw_host
        try:
            async with RunningTimeout(self.within.total_seconds()):
                return await self._open(session)
        except aiohttp.ConnectionTimeoutError as error:
            raise faults.from_hang(host, connect_within.total_seconds(), is_reached=False) from error
        except TimeoutError as error:
            raise faults.from_hang(host, self.within.total_seconds(), is_reached=True) from error
        except (aiohttp.ClientError, OSError) as error:
            raise faults.from_connect(error, host, self.url.port) from error

    async def _open(self, session: aiohttp.ClientSession) -> tuple[aiohttp.ClientResponse, Token | None]:
        """Return the response and the token. If the token is refused, another one is requested, once.

        If that is refused as well, the `Last-Event-ID` may be the cause: it is left out before the key is blamed.
        """
        last_id, token = self.memory.id_to_send(), None
        is_token_new = self.api_key is None
        while True:
            if self.api_key is not None:
                token = await self.memory.tokens.get(
                    session, self.url, self.api_key, within=self.within, transport=self.transport
                )
            try:
                return await self._get(session, token, last_id), token
            except StreamFaultError as fault:
                if fault.kind is not FaultKind.KEY_REFUSED:
                    raise
                last_id = self._sent_id or ""
                if not is_token_new:
                    is_token_new = True
                    self.memory.tokens.forget()
                elif last_id:
                    last_id = ""
                elif self.api_key is None:
                    raise faults.public_refused() from None
                else:
                    self.memory.tokens.forget()
                    raise

    async def _get(self, session: aiohttp.ClientSession, token: Token | None, last_id: str) -> aiohttp.ClientResponse:
        """Return the response. An id that the server refuses is forgotten."""
        try:
            return await self._ask(session, token, last_id)
        except _StatusRefusedError as refusal:
            if not last_id or refusal.status not in _MAY_BE_THE_ID:
                raise refusal.fault from None
            status = refusal.status
        log.warning("stream.id_refused", stream=self.name, status=status, note="repeated without Last-Event-ID")
        if status < 500:
            self.memory.last_id = ""
        try:
            response = await self._ask(session, token, "")
        except _StatusRefusedError as refusal:
            raise refusal.fault from None
        self.memory.last_id = ""  # after a 500 it is known only now that the id was the cause
        return response

    async def _ask(self, session: aiohttp.ClientSession, token: Token | None, last_id: str) -> aiohttp.ClientResponse:
        self._sent_id = last_id
        address = self.address if token is None else with_parameters(self.address, {"token": token.value})
        headers = {
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            "Cache-Control": "no-store",
            "User-Agent": USER_AGENT,
            # After a refusal a token is requested again, and not on a connection that the server is about to end.
            "Connection": "close",
        }
        if last_id:
            headers["Last-Event-ID"] = last_id  # aiohttp writes headers in UTF-8, as the standard asks for
        response = await session.get(
            address, headers=headers, allow_redirects=False, **self.transport.request_options()
        )
        try:
            await _require_stream(response)
        except BaseException:
            response.close()
            raise
        return response


async def _require_stream(response: aiohttp.ClientResponse) -> None:
    if response.status == 204:
        raise faults.not_wanted()
    if response.status != 200:
        body = await read_some(response)
        fault = faults.from_status(
            response.status, response.headers, body, wanted="does not open an event stream there"
        )
        raise _StatusRefusedError(response.status, fault)
    if response.content_type != "text/event-stream":
        raise faults.wrong_type()
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise faults.wrong_type("compressed, which was not asked for")
