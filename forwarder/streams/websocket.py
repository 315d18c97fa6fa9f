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

from forwarder.core.event import NotAnEvent
from forwarder.core.url import read_url
from forwarder.core.webhook import USER_AGENT
from forwarder.streams import faults
from forwarder.streams.faults import StreamFaultError
from forwarder.streams.http import is_peer_open, open_session
from forwarder.streams.running_timeout import RunningTimeout
from forwarder.streams.stream import MAX_FRAME, Listener

_AT_A_TIME = 8
"""Frames taken in one turn of the loop while more lie ready. `receive` does not wait then, and deliveries must have their
turns, so that a burst is read as fast as it is sent on, and not all of it by way of the disk. A turn a frame costs more."""
_CLOSE_TIMEOUT_S = 1
"""scrape.st's close frame has no code and leaves TCP open: aiohttp would wait its default of 10 s for the rest."""

_QUIET_S = 0.05
_MOST_LOOKS = 200
_MOST_PINGS = 16

_WebSocket = aiohttp.ClientWebSocketResponse[Literal[False]]
"""Whose text frames come as bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketStream:
    """How to connect. Intervals are settable for tests; their defaults are scrape.st's."""

    name: str
    url: str
    api_key: str = field(repr=False)
    use_fast_x: bool = False
    ignore_full_payload: bool = False
    max_age: timedelta | None = None
    max_frame: int = MAX_FRAME
    """Bytes of one message; at a longer one aiohttp ends the connection with 1009."""
    ping_every: timedelta = timedelta(seconds=20)
    """Only the *text* `ping` (or a PONG frame) counts as life at scrape.st, which ends a connection after 60 s without."""
    handshake_within: timedelta = timedelta(seconds=15)
    dead_after: timedelta = timedelta(seconds=60)
    """Nothing complete heard for so long means that nobody is there."""
    answers_within: timedelta = timedelta(seconds=2)
    """Our pings are answered by then, where anybody is there."""

    def address(self) -> URL:
        """Return what is connected to."""
        url = read_url(self.url, "ws", "wss")
        if self.use_fast_x:
            url = url.update_query(useFastX="true")
        if self.ignore_full_payload:
            url = url.update_query(ignoreFullPayload="true")
        return url

    async def hold(self, listener: Listener) -> StreamFaultError:
        """See `Stream`: every text frame is one that may be an event, any other is odd."""
        async with open_session(connect_within=listener.connect_within) as session:
            websocket = await self._connect(session, listener.connect_within)
            try:
                listener.opened()
                return await self._read(websocket, listener)
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
                    decode_text=False,  # it goes on as it came; one that is not UTF-8 is counted by `decode_event`, and costs no connection
                    max_msg_size=self.max_frame,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_TIMEOUT_S),
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
                    silence.restart()
                    reading.is_waiting = True
                    message = await websocket.receive()
                    reading.is_waiting = False
                    reading.messages += 1
                    silence.pause()
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
                            # Of a close frame its own code, 0 for none: aiohttp puts 1000 in place of a missing one.
                            code = message.data if message.type is aiohttp.WSMsgType.CLOSE else websocket.close_code
                            reason = message.extra if isinstance(message.extra, str) else ""
                            return faults.from_close(
                                code,
                                reason.replace(self.api_key, "***"),
                                opened_for=opened_for,
                                heard_anything=heard_anything,
                            )
                    heard_anything = True
                    listener.heard()
        except TimeoutError:
            return faults.from_silence(self.dead_after)

    async def _keep_alive(self, websocket: _WebSocket, probe: asyncio.Event, reading: "_Reading") -> None:
        """Send the text `ping`, and a PING frame for servers that know only that, until the connection is gone."""
        with suppress(aiohttp.ClientError, ConnectionError):  # `_read` sees the same end and says so
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
    """How the reading of a connection goes, so that we write only when it does no harm.

    A peer that has closed its side answers whatever we write with a reset, which discards what it had sent and we have not read yet:
    much, after a standstill. So what came is read first, and to a peer that is known to have closed nothing is written.
    """

    def __init__(self) -> None:
        self.is_waiting = False
        """For a message."""
        self.messages = 0
        self.pings: deque[bytes] = deque(maxlen=_MOST_PINGS)
        """Those that came and are not answered."""
        self.is_pinged = asyncio.Event()

    async def quiet(self) -> None:
        """Return when nothing has come for a moment, at the latest after ten seconds: a server waits a minute for our ping."""
        for _ in range(_MOST_LOOKS):
            before = self.messages
            await asyncio.sleep(_QUIET_S)
            if self.is_waiting and self.messages == before:
                return
