"""scrape.st's server-sent events: one connection, held from the token to its end."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
import structlog
from yarl import URL

from forwarder.core.event import NotAnEvent
from forwarder.core.streams.sse import MAX_ID_BYTES, MESSAGE, EventStreamParser, ServerEvent
from forwarder.core.url import read_url, with_parameters
from forwarder.streams import faults
from forwarder.streams.address_memory import AddressMemory
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.running_timeout import RunningTimeout
from forwarder.streams.session import open_session
from forwarder.streams.sse_handshake import SseHandshake, SseMemory
from forwarder.streams.stream import MAX_FRAME, Listener
from forwarder.streams.transport import STRAIGHT, StreamTransport

_AT_A_TIME = 8
"""Events taken in one turn of the loop while more are ready, as with a WebSocket."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SseStream:
    """Connects to an event stream, once for each `hold`. The fields are a stream's settings, and intervals.

    The defaults of the intervals are those of scrape.st; tests set shorter ones.
    """

    name: str
    url: str
    api_key: str | None = field(repr=False)
    """`None` for the public stream, which needs no key and has events of another shape."""
    use_fast_x: bool = False
    ignore_full_payload: bool = False
    max_age: timedelta | None = None
    max_frame: int = MAX_FRAME
    """The longest event, in bytes."""
    handshake_within: timedelta = timedelta(seconds=15)
    dead_after: timedelta = timedelta(seconds=45)
    """A comment comes every 15 s, so a connection on which nothing comes for this long is dead."""
    answers_within: timedelta = timedelta(seconds=16)
    """By then a live server has sent the next comment. There is no way to ask for one."""
    addresses: AddressMemory = field(default_factory=AddressMemory, compare=False, repr=False)
    transport: StreamTransport = STRAIGHT
    memory: SseMemory = field(default_factory=SseMemory, compare=False, repr=False)

    @property
    def is_public(self) -> bool:
        """See `Stream`."""
        return self.api_key is None

    def address(self) -> URL:
        """Return what is requested, without the token."""
        if self.is_public:  # what the server does by default differs between its pages
            return with_parameters(self._read_url(), {"useFastX": "true" if self.use_fast_x else "false"})
        query = {"useFastX": self.use_fast_x, "ignoreFullPayload": self.ignore_full_payload}
        return with_parameters(self._read_url(), {name: "true" for name, is_on in query.items() if is_on})

    def _read_url(self) -> URL:
        return read_url(self.url, "http", "https")

    async def hold(self, listener: Listener) -> StreamFaultError:
        """See `Stream`: the data of each message may be an event; a message of another type is odd."""
        connections = 0

        def count() -> None:
            nonlocal connections
            connections += 1

        async with open_session(
            connect_within=listener.connect_within, addresses=self.addresses, transport=self.transport, on_connect=count
        ) as session:
            try:
                fault = await self._hold(session, listener)
            except StreamFaultError as never_open:
                never_open.connections = max(connections, 1)
                self.addresses.note_fault(never_open)
                raise
            fault.connections = max(connections, 1)
            self.addresses.note_fault(fault)
            return fault

    async def _hold(self, session: aiohttp.ClientSession, listener: Listener) -> StreamFaultError:
        handshake = SseHandshake(
            name=self.name,
            url=self._read_url(),
            address=self.address(),
            api_key=self.api_key,
            within=self.handshake_within,
            memory=self.memory,
            transport=self.transport,
        )
        response, token = await handshake.open(session, connect_within=listener.connect_within)
        try:
            if response.connection is not None and response.connection.transport is not None:
                self.addresses.note_open(response.connection.transport.get_extra_info("peername"))
            listener.opened(ends_in=None if token is None else token.rest)
            return await self._read(response, listener)
        finally:
            response.close()

    async def _read(self, response: aiohttp.ClientResponse, listener: Listener) -> StreamFaultError:
        parser = EventStreamParser(max_bytes=self.max_frame, last_id=self.memory.last_id)
        fault = await self._read_to_the_end(response, listener, parser)
        if parser.retry_ms is not None:
            asked_for = min(timedelta(milliseconds=parser.retry_ms), faults.LONGEST_RETRY_AFTER)
            fault.minimum_wait = max(fault.minimum_wait, asked_for)
        return fault

    async def _read_to_the_end(
        self, response: aiohttp.ClientResponse, listener: Listener, parser: EventStreamParser
    ) -> StreamFaultError:
        taken, last_id, ids_skipped = 0, parser.last_id, 0
        is_broken = False
        try:
            async with RunningTimeout(self.dead_after.total_seconds()) as silence:
                while not is_broken:
                    silence.is_counting = silence.is_restarted = True
                    try:
                        chunk = await response.content.readany()
                    except (aiohttp.ClientError, ConnectionError):
                        is_broken, chunk = True, _unread(response.content)
                    silence.is_counting = False
                    if not chunk:
                        break
                    listener.heard()
                    for event in parser.feed(chunk):
                        await self._take(event, listener)
                        # Never before it has been taken: after a failure the server is to send it again.
                        if event.last_id != last_id:
                            last_id = self.memory.last_id = event.last_id
                        taken += 1
                        if taken % _AT_A_TIME == 0:
                            await asyncio.sleep(0)
                    if parser.last_id != last_id:
                        last_id = self.memory.last_id = parser.last_id
                    if parser.ids_skipped and not ids_skipped:
                        self._log_skipped_ids()
                    ids_skipped = parser.ids_skipped
                    listener.heard()
                    if parser.is_too_long:
                        self._skip_long_event(parser)
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

    def _skip_long_event(self, parser: EventStreamParser) -> None:
        """Resume after an event that is too long, so that a server that goes by the `Last-Event-ID` does not send it again."""
        if parser.next_id != parser.last_id:
            self.memory.last_id = parser.next_id
        elif parser.last_id and parser.last_id == self.memory.too_long_after:
            self.memory.last_id = ""
        self.memory.too_long_after = parser.last_id

    def _log_skipped_ids(self) -> None:
        reason = f"an event's id has more than {MAX_ID_BYTES:,} bytes, or control characters"
        note = "the id is ignored, the event is taken; logged once per connection"
        log.warning("stream.id_dropped", stream=self.name, reason=reason, note=note)


def _unread(content: aiohttp.StreamReader) -> bytes:
    """Return what came before the connection broke off and was not read yet: aiohttp's reader gives only the error, which is cleared."""
    content.set_exception(None)  # type: ignore[arg-type] # it keeps the error in an attribute that may be None
    return content.read_nowait()
