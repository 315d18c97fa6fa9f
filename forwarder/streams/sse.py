"""scrape.st's server-sent events: one connection, held from the token to its end."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
from yarl import URL

from forwarder.core.event import NotAnEvent
from forwarder.core.event_stream import MESSAGE, EventStreamParser
from forwarder.core.url import read_url
from forwarder.core.webhook import USER_AGENT
from forwarder.streams import faults
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.http import open_session
from forwarder.streams.stream import MAX_FRAME, Listener
from forwarder.streams.token import Token, TokenSource, read_some

_AT_A_TIME = 8
"""Events taken in one turn of the loop while more lie ready, as with a WebSocket."""
_LONGEST_RETRY = timedelta(minutes=5)


@dataclass(slots=True)
class Memory:
    """What outlasts a connection."""

    tokens: TokenSource = field(default_factory=TokenSource)
    last_id: str = ""


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
    memory: Memory = field(default_factory=Memory, compare=False, repr=False)

    def address(self) -> URL:
        """Return what is connected to, without the token."""
        query = {"useFastX": self.use_fast_x, "ignoreFullPayload": self.ignore_full_payload}
        url = read_url(self.url, "http", "https")
        return url.update_query({name: "true" for name, is_on in query.items() if is_on})

    async def hold(self, listener: Listener) -> StreamFaultError:
        """See `Stream`: the data of each message is what may be an event; one of another type is odd."""
        url = read_url(self.url, "http", "https")
        async with open_session(connect_within=listener.connect_within, silent_for=self.dead_after) as session:
            try:
                async with asyncio.timeout(self.handshake_within.total_seconds()):
                    response, token = await self._open(session, url)
            except aiohttp.ConnectionTimeoutError as error:
                raise faults.from_hang(
                    url.raw_host, listener.connect_within.total_seconds(), is_reached=False
                ) from error
            except TimeoutError as error:
                raise faults.from_hang(url.raw_host, self.handshake_within.total_seconds(), is_reached=True) from error
            except (aiohttp.ClientError, OSError) as error:
                raise faults.from_connect(error, url.raw_host, url.port) from error
            try:
                listener.opened(ends_in=None if token is None else token.rest)
                return await self._read(response, listener)
            finally:
                response.close()

    async def _open(self, session: aiohttp.ClientSession, url: URL) -> tuple[aiohttp.ClientResponse, Token | None]:
        """Return the response whose body is the stream. A token that is refused is minted anew, once."""
        if self.api_key is None:
            return await self._get(session, None), None
        for may_mint_again in (True, False):
            token = await self.memory.tokens.get(session, url, self.api_key, within=self.handshake_within)
            try:
                return await self._get(session, token), token
            except StreamFaultError as fault:
                if fault.kind is not FaultKind.KEY_REFUSED:
                    raise
                self.memory.tokens.forget()
                if not may_mint_again:
                    raise
        raise AssertionError

    async def _get(self, session: aiohttp.ClientSession, token: Token | None) -> aiohttp.ClientResponse:
        asked = self.address()
        if token is not None:
            asked = asked.update_query(token=token.value)
        headers = {
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            "Cache-Control": "no-store",
            "User-Agent": USER_AGENT,
            # After a refusal a token is asked for again, and not by a connection that the server is about to end.
            "Connection": "close",
        }
        if self.memory.last_id:
            headers["Last-Event-ID"] = self.memory.last_id
        response = await session.get(asked, headers=headers, allow_redirects=False)
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
            raise faults.from_status(
                response.status, response.headers, body, wanted="does not open an event stream there"
            )
        if response.content_type != "text/event-stream":
            raise faults.wrong_type()
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise faults.wrong_type("compressed, which was not asked for")

    async def _read(self, response: aiohttp.ClientResponse, listener: Listener) -> StreamFaultError:
        parser = EventStreamParser(max_bytes=self.max_frame)
        fault = await self._read_to_the_end(response, listener, parser)
        self.memory.last_id = parser.last_id if parser.last_id.isprintable() else ""
        if parser.retry_ms is not None:
            fault.minimum_wait = max(fault.minimum_wait, min(timedelta(milliseconds=parser.retry_ms), _LONGEST_RETRY))
        return fault

    async def _read_to_the_end(
        self, response: aiohttp.ClientResponse, listener: Listener, parser: EventStreamParser
    ) -> StreamFaultError:
        taken = 0
        try:
            async for chunk in response.content.iter_any():
                listener.heard()
                for event in parser.feed(chunk):
                    if event.type != MESSAGE:
                        listener.note_odd_frame(NotAnEvent.OTHER_TYPE)
                        continue
                    await listener.take(event.data)
                    taken += 1
                    if taken % _AT_A_TIME == 0:
                        await asyncio.sleep(0)
                listener.heard()
                if parser.is_too_long:
                    return faults.too_long(self.max_frame)
        except aiohttp.SocketTimeoutError:
            return faults.from_silence(self.dead_after)
        except (aiohttp.ClientError, ConnectionError):
            return StreamFaultError(FaultKind.CLOSED, "the connection broke off")
        return StreamFaultError(FaultKind.CLOSED, "the server ended the stream")
