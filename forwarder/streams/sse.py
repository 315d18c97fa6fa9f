"""scrape.st's server-sent events: one connection, held from the token to its end."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
import structlog
from yarl import URL

from forwarder.core.event import NotAnEvent
from forwarder.core.event_stream import MAX_ID_BYTES, MESSAGE, EventStreamParser, ServerEvent
from forwarder.core.url import read_url
from forwarder.core.webhook import USER_AGENT
from forwarder.streams import faults
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.http import open_session
from forwarder.streams.running_timeout import RunningTimeout
from forwarder.streams.stream import MAX_FRAME, Listener
from forwarder.streams.token import Token, TokenSource, read_some

_AT_A_TIME = 8
"""Events taken in one turn of the loop while more lie ready, as with a WebSocket."""
_MAY_BE_THE_ID = frozenset({400, 410, 412, 413, 416, 422, 431, 500})
"""Answers to a request with a `Last-Event-ID` that may speak of that: it is made again without it, at once and once."""
_DOUBTED_AFTER = 2
"""So many failures in a row of requests with a `Last-Event-ID`, of whatever kind, and the next request is made without it."""

log = structlog.get_logger(__name__)


@dataclass(eq=False)
class _RefusedError(Exception):
    """The stream was answered with another status than 200."""

    status: int
    fault: StreamFaultError


@dataclass(slots=True)
class Memory:
    """What outlasts a connection."""

    tokens: TokenSource = field(default_factory=TokenSource)
    last_id: str = ""
    """Of the last event that was taken. Text that a header can carry, see `EventStreamParser`."""
    too_long_after: str = ""
    """The id that was the last one when an event was too long."""
    failures_with_id: int = 0
    """In a row, of requests that the server took. One that fails without the id leaves one, so that tries with and without it take turns."""

    def id_to_send(self) -> str:
        """Return the `Last-Event-ID` of the next request; empty for none, also where the id may be what the server does not take."""
        return "" if self.failures_with_id >= _DOUBTED_AFTER else self.last_id

    def note_failed(self, sent_id: str) -> None:
        """Count a request that the server took and did not answer with a stream."""
        self.failures_with_id = self.failures_with_id + 1 if sent_id else min(self.failures_with_id, _DOUBTED_AFTER - 1)


@dataclass(slots=True)
class _Asked:
    """What one try has asked the server for."""

    with_id: str | None = None
    """The `Last-Event-ID` of the last request for the stream; `None`: there was no request yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SseStream:
    """How to connect. Intervals are settable for tests; their defaults are scrape.st's."""

    name: str
    url: str
    api_key: str | None = field(repr=False)
    """`None`: the public stream, which needs no key and has events of another shape."""
    use_fast_x: bool = False
    ignore_full_payload: bool = False
    max_age: timedelta | None = None
    max_frame: int = MAX_FRAME
    """Bytes of one event."""
    handshake_within: timedelta = timedelta(seconds=15)
    dead_after: timedelta = timedelta(seconds=45)
    """A comment comes every 15 s: without a byte for so long nobody is there."""
    answers_within: timedelta = timedelta(seconds=16)
    """The next comment has come by then, where anybody is there: there is no way to ask."""
    memory: Memory = field(default_factory=Memory, compare=False, repr=False)

    def address(self) -> URL:
        """Return what is connected to, without the token."""
        query = {"useFastX": self.use_fast_x, "ignoreFullPayload": self.ignore_full_payload}
        url = read_url(self.url, "http", "https")
        return url.update_query({name: "true" for name, is_on in query.items() if is_on})

    async def hold(self, listener: Listener) -> StreamFaultError:
        """See `Stream`: the data of each message is what may be an event; one of another type is odd."""
        connections = 0

        def count() -> None:
            nonlocal connections
            connections += 1

        async with open_session(connect_within=listener.connect_within, on_connect=count) as session:
            try:
                fault = await self._hold(session, listener)
            except StreamFaultError as never_open:
                never_open.connections = max(connections, 1)
                raise
            fault.connections = max(connections, 1)
            return fault

    async def _hold(self, session: aiohttp.ClientSession, listener: Listener) -> StreamFaultError:
        asked = _Asked()
        try:
            response, token = await self._open_in_time(session, listener, asked)
        except StreamFaultError as fault:
            if fault.is_reached and asked.with_id is not None:
                self.memory.note_failed(asked.with_id)
            raise
        self._note_opened(asked)
        try:
            listener.opened(ends_in=None if token is None else token.rest)
            return await self._read(response, listener)
        finally:
            response.close()

    def _note_opened(self, asked: _Asked) -> None:
        """Forget the id where the stream opens without it alone, and begin the count of failures again."""
        if self.memory.last_id and not asked.with_id:
            self.memory.last_id = ""
            log.warning("stream.id_refused", stream=self.name, note="the stream opened once Last-Event-ID was left out")
        self.memory.failures_with_id = 0

    async def _open_in_time(
        self, session: aiohttp.ClientSession, listener: Listener, asked: _Asked
    ) -> tuple[aiohttp.ClientResponse, Token | None]:
        url = read_url(self.url, "http", "https")
        try:
            async with RunningTimeout(self.handshake_within.total_seconds()):
                return await self._open(session, url, asked)
        except aiohttp.ConnectionTimeoutError as error:
            raise faults.from_hang(url.raw_host, listener.connect_within.total_seconds(), is_reached=False) from error
        except TimeoutError as error:
            raise faults.from_hang(url.raw_host, self.handshake_within.total_seconds(), is_reached=True) from error
        except (aiohttp.ClientError, OSError) as error:
            raise faults.from_connect(error, url.raw_host, url.port) from error

    async def _open(
        self, session: aiohttp.ClientSession, url: URL, asked: _Asked
    ) -> tuple[aiohttp.ClientResponse, Token | None]:
        """Return the response whose body is the stream. A token that is refused is minted anew, once.

        When that is refused as well, the `Last-Event-ID` may be the cause: it is left out before the key is blamed.
        """
        last_id, token = self.memory.id_to_send(), None
        is_token_new = self.api_key is None
        while True:
            if self.api_key is not None:
                token = await self.memory.tokens.get(session, url, self.api_key, within=self.handshake_within)
            try:
                return await self._get(session, token, last_id, asked), token
            except StreamFaultError as fault:
                if fault.kind is not FaultKind.KEY_REFUSED:
                    raise
                last_id = asked.with_id or ""
                if not is_token_new:
                    is_token_new = True
                    self.memory.tokens.forget()
                elif last_id:
                    last_id = ""
                else:
                    self.memory.tokens.forget()
                    raise

    async def _get(
        self, session: aiohttp.ClientSession, token: Token | None, last_id: str, asked: _Asked
    ) -> aiohttp.ClientResponse:
        """Return the response. An id that the server says it does not take back is forgotten."""
        try:
            return await self._ask(session, token, last_id, asked)
        except _RefusedError as refusal:
            if not last_id or refusal.status not in _MAY_BE_THE_ID:
                raise refusal.fault from None
            status = refusal.status
        log.warning("stream.id_refused", stream=self.name, status=status, note="asked again without Last-Event-ID")
        if status < 500:
            self.memory.last_id = ""
        try:
            response = await self._ask(session, token, "", asked)
        except _RefusedError as refusal:
            raise refusal.fault from None
        self.memory.last_id = ""  # of a 500 it is known by now that the id was the cause
        return response

    async def _ask(
        self, session: aiohttp.ClientSession, token: Token | None, last_id: str, asked: _Asked
    ) -> aiohttp.ClientResponse:
        asked.with_id = last_id
        address = self.address()
        if token is not None:
            address = address.update_query(token=token.value)
        headers = {
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            "Cache-Control": "no-store",
            "User-Agent": USER_AGENT,
            # After a refusal a token is asked for again, and not by a connection that the server is about to end.
            "Connection": "close",
        }
        if last_id:
            headers["Last-Event-ID"] = last_id  # aiohttp writes headers in UTF-8, as the standard asks for
        response = await session.get(address, headers=headers, allow_redirects=False)
        try:
            await self._require_stream(response)
        except BaseException:
            response.close()
            raise
        return response

    async def _require_stream(self, response: aiohttp.ClientResponse) -> None:
        if response.status == 204:
            raise faults.not_wanted()
        if response.status != 200:
            body = await read_some(response)
            fault = faults.from_status(
                response.status, response.headers, body, wanted="does not open an event stream there"
            )
            raise _RefusedError(response.status, fault)
        if response.content_type != "text/event-stream":
            raise faults.wrong_type()
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise faults.wrong_type("compressed, which was not asked for")

    async def _read(self, response: aiohttp.ClientResponse, listener: Listener) -> StreamFaultError:
        parser = EventStreamParser(max_bytes=self.max_frame, last_id=self.memory.last_id)
        fault = await self._read_to_the_end(response, listener, parser)
        if parser.retry_ms is not None:
            wish = min(timedelta(milliseconds=parser.retry_ms), faults.LONGEST_WISH)
            fault.minimum_wait = max(fault.minimum_wait, wish)
        return fault

    async def _read_to_the_end(
        self, response: aiohttp.ClientResponse, listener: Listener, parser: EventStreamParser
    ) -> StreamFaultError:
        taken, last_id, ids_passed_over = 0, parser.last_id, 0
        is_broken = False
        try:
            async with RunningTimeout(self.dead_after.total_seconds()) as silence:
                while not is_broken:
                    silence.restart()
                    try:
                        chunk = await response.content.readany()
                    except (aiohttp.ClientError, ConnectionError):
                        is_broken, chunk = True, _unread(response.content)
                    silence.pause()
                    if not chunk:
                        break
                    listener.heard()
                    for event in parser.feed(chunk):
                        await self._take(event, listener)
                        if (
                            event.last_id != last_id
                        ):  # and never before it has been taken: the server sends it again then
                            last_id = self.memory.last_id = event.last_id
                        taken += 1
                        if taken % _AT_A_TIME == 0:
                            await asyncio.sleep(0)
                    if parser.last_id != last_id:
                        last_id = self.memory.last_id = parser.last_id
                    if parser.ids_passed_over and not ids_passed_over:
                        self._say_that_ids_are_passed_over()
                    ids_passed_over = parser.ids_passed_over
                    listener.heard()
                    if parser.is_too_long:
                        self._pass_over_the_long_one(parser)
                        return faults.too_long(self.max_frame)
        except TimeoutError:
            return faults.from_silence(self.dead_after)
        if is_broken:
            return StreamFaultError(FaultKind.CLOSED, "the connection broke off")
        return StreamFaultError(FaultKind.CLOSED, "the server ended the stream")

    async def _take(self, event: ServerEvent, listener: Listener) -> None:
        if event.type == MESSAGE:
            await listener.take(event.data)
        else:
            listener.note_odd_frame(NotAnEvent.OTHER_TYPE)

    def _pass_over_the_long_one(self, parser: EventStreamParser) -> None:
        """Have the server not begin with the same event again, where it goes on after the `Last-Event-ID`."""
        if parser.next_id != parser.last_id:
            self.memory.last_id = parser.next_id
        elif parser.last_id and parser.last_id == self.memory.too_long_after:
            self.memory.last_id = ""
        self.memory.too_long_after = parser.last_id

    def _say_that_ids_are_passed_over(self) -> None:
        reason = f"an event's id has more than {MAX_ID_BYTES:,} bytes, or control characters"
        note = "passed over, the event is taken; said once a connection"
        log.warning("stream.id_dropped", stream=self.name, reason=reason, note=note)


def _unread(content: aiohttp.StreamReader) -> bytes:
    """Return what came before the connection broke off and was not read yet: aiohttp's reader gives only the error, which is cleared."""
    content.set_exception(None)  # type: ignore[arg-type] # it keeps the error in an attribute that may be None
    return content.read_nowait()
