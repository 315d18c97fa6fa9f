"""scrape.st's WebSocket: one connection, held from the upgrade to its end."""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Literal

import aiohttp
from yarl import URL

from forwarder.core.destinations.request import USER_AGENT
from forwarder.core.event import NotAnEvent
from forwarder.core.masking import masked
from forwarder.core.url import read_url, with_parameters
from forwarder.streams import faults
from forwarder.streams.address_memory import AddressMemory
from forwarder.streams.faults import StreamFaultError
from forwarder.streams.running_timeout import RunningTimeout
from forwarder.streams.session import is_peer_open, open_session
from forwarder.streams.stream import MAX_FRAME, Listener
from forwarder.streams.transport import STRAIGHT, StreamTransport

_AT_A_TIME = 8
"""Frames taken in one turn of the loop while more are ready. `receive` does not wait then, and deliveries need their turns, so that
a burst is delivered as fast as it is read and does not all go through the disk. One turn per frame would cost more."""
_CLOSE_TIMEOUT_S = 1
"""scrape.st's close frame has no code and leaves TCP open: aiohttp would wait its default of 10 s for the rest."""

_QUIET_S = 0.05
_MOST_LOOKS = 200
_TURNS = 4
"""Turns of the loop after each look: what came during a standstill is read in the first, and taken by the reader in the next."""
_MOST_PINGS = 16

_WebSocket = aiohttp.ClientWebSocketResponse[Literal[False]]
"""A WebSocket whose text frames come as bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketStream:
    """Connects to a WebSocket, once for each `hold`. The fields are a stream's settings, and intervals.

    The defaults of the intervals are those of scrape.st; tests set shorter ones.
    """

    name: str
    url: str
    api_key: str = field(repr=False)
    use_fast_x: bool = False
    ignore_full_payload: bool = False
    max_age: timedelta | None = None
    max_frame: int = MAX_FRAME
    """The longest message in bytes; at a longer one aiohttp ends the connection with 1009."""
    ping_every: timedelta = timedelta(seconds=20)
    """For scrape.st only the *text* `ping` (or a PONG frame) is a sign of life. It ends a connection after 60 s without one."""
    handshake_within: timedelta = timedelta(seconds=15)
    dead_after: timedelta = timedelta(seconds=60)
    """A connection on which nothing complete comes for this long is dead."""
    answers_within: timedelta = timedelta(seconds=2)
    """By then a live server has answered a ping."""
    addresses: AddressMemory = field(default_factory=AddressMemory, compare=False, repr=False)
    transport: StreamTransport = STRAIGHT

    @property
    def is_public(self) -> bool:
        """See `Stream`."""
        return False

    def address(self) -> URL:
        """Return the URL to connect to."""
        wanted = {"useFastX": self.use_fast_x, "ignoreFullPayload": self.ignore_full_payload}
        return with_parameters(
            read_url(self.url, "ws", "wss"), {name: "true" for name, is_on in wanted.items() if is_on}
        )

    async def hold(self, listener: Listener) -> StreamFaultError:
        """See `Stream`: every text frame may be an event; a binary one is odd."""
        async with open_session(
            connect_within=listener.connect_within, addresses=self.addresses, transport=self.transport
        ) as session:
            try:
                websocket = await self._connect(session, listener.connect_within)
            except StreamFaultError as never_open:
                self.addresses.note_fault(never_open)
                raise
            try:
                self.addresses.note_open(websocket.get_extra_info("peername"))
                listener.opened()
                fault = await self._read(websocket, listener)
                self.addresses.note_fault(fault)
                return fault
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(2 * _CLOSE_TIMEOUT_S):
                        await websocket.close()

    async def _connect(self, session: aiohttp.ClientSession, connect_within: timedelta) -> _WebSocket:
        url = self.address()
        try:
            async with RunningTimeout(self.handshake_within.total_seconds()):
                return await session.ws_connect(
                    url,
                    headers={"x-api-key": self.api_key, "User-Agent": USER_AGENT},
                    autoping=False,
                    decode_text=False,  # frames stay as they came: `decode_event` counts one that is not UTF-8, and the connection stays open
                    max_msg_size=self.max_frame,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_TIMEOUT_S),
                    **self.transport.request_options(),
                )
        except aiohttp.ConnectionTimeoutError as error:
            raise faults.from_hang(url.raw_host, connect_within.total_seconds(), is_reached=False) from error
        except TimeoutError as error:
            raise faults.from_hang(url.raw_host, self.handshake_within.total_seconds(), is_reached=True) from error
        except aiohttp.WSServerHandshakeError as error:
            raise faults.from_handshake(error) from error
        except (aiohttp.ClientError, OSError) as error:
            raise faults.from_connect(error, url.raw_host, url.port) from error

    async def _read(self, websocket: _WebSocket, listener: Listener) -> StreamFaultError:
        async with asyncio.TaskGroup() as group:
            reading = _Reading()
            writing = [
                group.create_task(
                    self._keep_alive(websocket, listener.probe, reading), name=f"stream {self.name} ping"
                ),
                group.create_task(self._answer_pings(websocket, reading), name=f"stream {self.name} pong"),
            ]
            try:
                return await self._read_to_the_end(websocket, listener, reading)
            finally:
                for task in writing:
                    task.cancel()

    async def _read_to_the_end(
        self, websocket: _WebSocket, listener: Listener, reading: "_Reading"
    ) -> StreamFaultError:
        opened = monotonic()
        heard_anything = False
        taken = 0
        dead_after_s = self.dead_after.total_seconds()
        try:
            async with RunningTimeout(dead_after_s) as silence:
                while True:
                    silence.is_counting = silence.is_restarted = True
                    reading.is_waiting = True
                    message = await websocket.receive()
                    reading.is_waiting = False
                    reading.messages += 1
                    silence.is_counting = False
                    match message.type:
                        case aiohttp.WSMsgType.TEXT:
                            await listener.take(message.data)
                            taken += 1
                            if taken % _AT_A_TIME == 0:
                                await asyncio.sleep(0)
                        case aiohttp.WSMsgType.BINARY:
                            listener.note_odd_frame(NotAnEvent.BINARY)
                        case aiohttp.WSMsgType.PING:
                            reading.pings.append(message.data)
                            reading.is_pinged.set()
                        case aiohttp.WSMsgType.PONG:
                            pass
                        case aiohttp.WSMsgType.ERROR:
                            return faults.from_error(message.data, self.max_frame)
                        case _:
                            opened_for = timedelta(seconds=monotonic() - opened)
                            # The code of the close frame itself, 0 for none: `close_code` is 1000 if there was none.
                            code = message.data if message.type is aiohttp.WSMsgType.CLOSE else websocket.close_code
                            reason = message.extra if isinstance(message.extra, str) else ""
                            return faults.from_close(
                                code,
                                masked(reason, [self.api_key]),
                                opened_for=opened_for,
                                heard_anything=heard_anything,
                            )
                    heard_anything = True
                    listener.heard()
        except TimeoutError:
            return faults.from_silence(self.dead_after)

    async def _keep_alive(self, websocket: _WebSocket, probe: asyncio.Event, reading: "_Reading") -> None:
        """Send the text `ping`, and a PING frame for servers that know only that, until the connection ends."""
        with suppress(aiohttp.ClientError, ConnectionError):  # `_read` sees the same end and reports it
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.ping_every.total_seconds()):
                        await probe.wait()
                probe.clear()
                await reading.quiet()
                if is_peer_open(websocket.get_extra_info("socket")):
                    await websocket.send_str("ping")
                    await websocket.ping()

    async def _answer_pings(self, websocket: _WebSocket, reading: "_Reading") -> None:
        with suppress(aiohttp.ClientError, ConnectionError):
            while True:
                await reading.is_pinged.wait()
                reading.is_pinged.clear()
                await reading.quiet()
                while reading.pings and is_peer_open(websocket.get_extra_info("socket")):
                    await websocket.pong(reading.pings.popleft())


class _Reading:
    """Shows how far the reading of a connection is, so that nothing is written that could lose what is not read yet.

    A peer that has closed its side answers anything that is written with a reset, and a reset discards what it sent and we have not read
    yet, which is much after a standstill. So what came is read first, and nothing is written to a peer that is known to have closed.
    """

    def __init__(self) -> None:
        self.is_waiting = False
        """It waits for the next message."""
        self.messages = 0
        self.pings: deque[bytes] = deque(maxlen=_MOST_PINGS)
        """The payloads of pings that are not answered yet."""
        self.is_pinged = asyncio.Event()

    async def quiet(self) -> None:
        """Return when nothing has come for a moment, after ten seconds at the latest: a server waits a minute for our ping."""
        for _ in range(_MOST_LOOKS):
            before = self.messages
            await asyncio.sleep(_QUIET_S)
            for _turn in range(
                _TURNS
            ):  # after a standstill the timer comes first, and nothing of what is there has been read
                await asyncio.sleep(0)
            if self.is_waiting and self.messages == before:
                return
