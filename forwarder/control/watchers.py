"""Streams what passes to one connection of the control socket: JSON lines, until the client goes away or the daemon stops.

A client that does not read holds up only its own lines: what passes meanwhile is kept up to a limit, then the oldest are lost, and a line
says how many.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from forwarder.control.peer import has_gone
from forwarder.core.commands import ALIVE, END, Watch
from forwarder.core.monitoring.live import Lost, Passing

ALIVE_EVERY_S = 5.0
"""How often a line is sent when nothing passes, so that the client can tell a quiet daemon from one that hangs."""
_LOOK_EVERY_S = 0.5
"""How often it is looked whether the client is still there when nothing passes."""
_GATHER_S = 0.05
"""What passes in so short a time is sent together: a system call for every event and every watcher would cost more than all the rest."""
_UNSENT_BYTES = 64 * 1024
"""How much may wait in memory for the client to read, besides what the kernel holds."""

_encode = msgspec.json.Encoder().encode


class PassingSource(Protocol):
    """Gives what passes, in pieces."""

    lost: int
    """How many were lost so far, because they were not taken in time."""

    async def take(self) -> Sequence[Passing]:
        """Return what waits, once there is something; nothing at the end."""
        ...


OpenWatch = Callable[[Watch], AbstractContextManager[PassingSource]]
"""Begins to keep what a request asks to see, for the length of a block."""


async def send_passing(passing: PassingSource, writer: asyncio.StreamWriter) -> None:
    """Write what passes until it ends. Raises `ConnectionError` once the client is gone; a client that does not read is waited for."""
    writer.transport.set_write_buffer_limits(high=_UNSENT_BYTES)
    loop = asyncio.get_running_loop()
    descriptor = writer.get_extra_info("socket").fileno()
    lost, alive_at = 0, loop.time() + ALIVE_EVERY_S
    while not has_gone(descriptor):
        try:
            async with asyncio.timeout(_LOOK_EVERY_S):
                taken = await passing.take()
        except TimeoutError:
            if loop.time() < alive_at:
                continue
            lines = [ALIVE]
        else:
            lines = [_encode(item) for item in taken] or [END]
            if passing.lost > lost:
                lines.insert(0, _encode(Lost(lost=passing.lost - lost)))
                lost = passing.lost
        writer.write(b"\n".join(lines) + b"\n")
        await writer.drain()
        if lines == [END]:
            return
        alive_at = loop.time() + ALIVE_EVERY_S
        await asyncio.sleep(_GATHER_S)
