"""A TCP proxy with faults: it delays, holds, swallows, cuts and refuses, so that a path can be bad between two good ends."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum, auto
from types import TracebackType
from typing import Self

from forwarder.emulator.connection import reset_on_close

_CHUNK = 16 * 1024
_HELD_CHUNKS = 64
"""What a direction holds at most; then the sender has to wait, as on a full path."""


class CutHow(StrEnum):
    """How a connection ends for both sides."""

    RESET = auto()
    FIN = auto()


class FaultProxy:
    """`async with FaultProxy(port) as proxy:`; what connects to `proxy.port` of 127.0.0.1 is connected to `port`.

    `delay_s`, `jitter_s` and `bytes_per_s` may be changed at any time. The order of bytes is always kept.
    """

    def __init__(
        self,
        port: int,
        *,
        delay_s: float = 0.0,
        jitter_s: float = 0.0,
        bytes_per_s: float | None = None,
        chance: random.Random | None = None,
    ) -> None:
        """`delay_s` is for each way, and up to `jitter_s` more for each piece; `bytes_per_s` for each way of each connection."""
        self._to = port
        self.delay_s = delay_s
        self.jitter_s = jitter_s
        self.bytes_per_s = bytes_per_s
        self._chance = chance or random.Random(7)  # noqa: S311 - has to be repeatable
        self._server: asyncio.Server | None = None
        self._links: dict[_Link, asyncio.Task[None]] = {}
        self._swallows_new = False
        self.port = 0
        self.accepted = 0
        """Connections so far."""

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        tasks = list(self._links.values())
        self.cut()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self._links)

    async def listen(self) -> None:
        """Take connections, on the same port as before."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Have new connections refused until `listen`; those that are open go on."""
        if self._server is not None:
            self._server.close()
            self._server = None
            await asyncio.sleep(0)

    def stall(self) -> None:
        """Hold every byte of the connections that are open, until `resume`; new ones are served."""
        for link in self._links:
            link.flowing.clear()

    def resume(self) -> None:
        """Let go what was held."""
        for link in self._links:
            link.flowing.set()

    def swallow(self, *, new_ones: bool = True) -> None:
        """Throw away every byte, and say nothing to new connections either: a black hole. Such connections never recover."""
        self._swallows_new = new_ones
        for link in self._links:
            link.swallows = True

    def swallow_no_more(self) -> None:
        """Serve new connections again."""
        self._swallows_new = False

    def cut(self, how: CutHow = CutHow.RESET) -> int:
        """End all connections now, whatever was under way in them; return how many there were."""
        links = list(self._links)
        for link in links:
            link.cut(how)
        return len(links)

    @asynccontextmanager
    async def cutting(self, at_least_s: float, at_most_s: float) -> AsyncIterator[None]:
        """Cut every so often at random while the block lasts, by RST or FIN."""

        async def cut_on() -> None:
            while True:
                await asyncio.sleep(self._chance.uniform(at_least_s, at_most_s))
                self.cut(self._chance.choice(list(CutHow)))

        task = asyncio.ensure_future(cut_on())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        link = _Link(self, reader, writer, swallows=self._swallows_new)
        task = asyncio.current_task()
        assert task is not None
        self._links[link] = task
        try:
            await link.run(self._to)
        except OSError:  # one of the two has gone, or the target refuses
            pass
        except asyncio.CancelledError:  # Python 3.11 logs a task of `start_server` that ends so as a fault
            pass
        finally:
            link.cut(CutHow.FIN)
            del self._links[link]

    def later_s(self) -> float:
        """Return how long the piece that comes now is on its way."""
        return self.delay_s + self.jitter_s * self._chance.random()


class _Link:
    """One connection through the proxy, and its two sides."""

    def __init__(
        self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, swallows: bool
    ) -> None:
        self._proxy = proxy
        self._reader, self._writer = reader, writer
        self._writers = [writer]
        self._is_cut = asyncio.Event()
        self.swallows = swallows
        self.flowing = asyncio.Event()
        self.flowing.set()

    async def run(self, port: int) -> None:
        """Pass both ways on until one of the sides ends, or it is cut."""
        if self.swallows:
            await self._is_cut.wait()
            return
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        self._writers.append(writer)
        ways = [
            asyncio.ensure_future(self._carry(self._reader, writer)),
            asyncio.ensure_future(self._carry(reader, self._writer)),
        ]
        ends = [*ways, asyncio.ensure_future(self._is_cut.wait())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one way to its end; what is under way when the sender ends still arrives."""
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_HELD_CHUNKS)
        now = asyncio.get_running_loop().time

        async def take() -> None:
            due = 0.0
            while piece := await reader.read(_CHUNK):
                due = max(due, now() + self._proxy.later_s())
                await pieces.put((due, piece))
            await pieces.put((due, b""))

        async def give() -> None:
            while True:
                due, piece = await pieces.get()
                await asyncio.sleep(due - now())
                await self.flowing.wait()
                if self.swallows:
                    await self._is_cut.wait()
                if not piece:
                    return
                writer.write(piece)
                await writer.drain()
                if self._proxy.bytes_per_s is not None:
                    await asyncio.sleep(len(piece) / self._proxy.bytes_per_s)

        taking = asyncio.ensure_future(take())
        try:
            await give()
        finally:
            taking.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await taking

    def cut(self, how: CutHow) -> None:
        """End it for both sides."""
        self._is_cut.set()
        for writer in self._writers:
            plug = writer.get_extra_info("socket")
            if how is CutHow.FIN:
                writer.close()
            elif plug is not None and not writer.is_closing():
                reset_on_close(plug)
                writer.transport.abort()
