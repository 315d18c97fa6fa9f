"""Opens streams once, to see whether they can be opened."""

import asyncio
from datetime import timedelta

from forwarder.core.config import Config
from forwarder.streams.build import streams_of
from forwarder.streams.connection import StreamConnection
from forwarder.streams.faults import StreamFaultError
from forwarder.streams.stream import Stream

_CONNECT_WITHIN = timedelta(seconds=10)
_MOMENT_S = 1.5
"""How long a connection has to stay open: longer than scrape.st needs to close that of an unknown key."""


async def try_once(stream: Stream) -> StreamFaultError | None:
    """Open `stream` once and close it again; return what is wrong, or `None` if it stayed open for a moment."""

    async def ignore(_frame: bytes) -> None:
        pass

    async with asyncio.TaskGroup() as group:
        connection = StreamConnection(
            stream, take=ignore, on_odd_frame=lambda _kind: None, connect_within=_CONNECT_WITHIN
        )
        connection.start(group)
        await connection.settled.wait()
        if connection.opened_at is not None and not await connection.over(within_s=_MOMENT_S):
            await connection.close()
            return None
        await connection.over(within_s=None)
        return connection.fault


async def try_streams(config: Config) -> dict[str, StreamFaultError | None]:
    """Open each stream of the config once; return what is wrong with it, or `None`, by its name."""
    streams = streams_of(config)
    found = await asyncio.gather(*(try_once(stream) for stream in streams))
    return {stream.name: fault for stream, fault in zip(streams, found, strict=True)}
