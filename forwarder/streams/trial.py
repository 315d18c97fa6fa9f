"""Opens a stream once, to see whether it can be."""

import asyncio
from datetime import timedelta

from forwarder.streams.connection import Connection
from forwarder.streams.faults import StreamFaultError
from forwarder.streams.stream import Stream

_CONNECT_WITHIN = timedelta(seconds=10)
_MOMENT_S = 1.5
"""Longer than scrape.st needs to close the connection of an unknown key."""


async def try_once(stream: Stream) -> StreamFaultError | None:
    """Open `stream` once and close it again; return what is wrong, or `None` when it stayed open for a moment."""

    async def ignore(_frame: bytes) -> None:
        pass

    async with asyncio.TaskGroup() as group:
        connection = Connection(stream, take=ignore, on_odd_frame=lambda _kind: None, connect_within=_CONNECT_WITHIN)
        connection.start(group)
        await connection.settled.wait()
        if connection.opened_at is not None and not await connection.over(within_s=_MOMENT_S):
            await connection.close()
            return None
        await connection.over(within_s=None)
        return connection.fault
