"""Holds one stream after the other, each once, and prints by how many bytes the process has grown, at most. A process of its own."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from forwarder.streams.websocket import WebSocketStream
from tests.support.streams import FakeListener, hold_once


def _peak_bytes() -> int:
    """Return the peak of this program; `ru_maxrss` would be that of the process that started it, where that was larger."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (kib,) = (int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return kib * 1024


async def _slowly(_frame: bytes) -> None:
    await asyncio.sleep(0.2)


async def _weigh(first: str, *urls: str) -> None:
    await hold_once(WebSocketStream(name="main", url=first, api_key="key"))  # everything is loaded now
    before = _peak_bytes()
    for url in urls:
        stream = WebSocketStream(name="main", url=url, api_key="key", dead_after=timedelta(seconds=3))
        fault = await hold_once(stream, FakeListener(take=_slowly), limit_s=30)
        print(_peak_bytes() - before, fault.kind, flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    asyncio.run(_weigh(*sys.argv[1:]))
