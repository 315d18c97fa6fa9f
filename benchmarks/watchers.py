"""Those who watch a daemon, in a process of their own: clients of the live stream of the page, of `top`, and a scrape each second.

    python -m benchmarks.watchers ADDRESS SOCKET [--live 3]

It runs until it is ended, and prints a line of JSON when all are connected. A client that fails ends it with an error.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

import aiohttp

_EACH_S = 1.0
_LINE_BYTES = 1 << 22


async def _read_live(session: aiohttp.ClientSession, url: str, connected: asyncio.Event) -> None:
    """Read the live stream, as a page does that is open in a browser."""
    async with session.get(f"{url}/api/v1/live", timeout=aiohttp.ClientTimeout(total=None)) as response:
        response.raise_for_status()
        connected.set()
        async for _ in response.content.iter_any():
            pass
    raise ConnectionError("the live stream has ended")


async def _scrape(session: aiohttp.ClientSession, url: str, connected: asyncio.Event) -> None:
    """Fetch the metrics each second, as Prometheus does."""
    while True:
        headers = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
        async with session.get(f"{url}/metrics", headers=headers) as response:
            response.raise_for_status()
            await response.read()
        connected.set()
        await asyncio.sleep(_EACH_S)


async def _watch(socket: Path, connected: asyncio.Event) -> None:
    """Read what passes through the control socket, as `top` and `tail` do."""
    reader, writer = await asyncio.open_unix_connection(str(socket), limit=_LINE_BYTES)
    writer.write(b'{"verb": "watch"}\n')
    await writer.drain()
    connected.set()
    while line := await reader.readline():
        if b'"error"' in line[:20]:
            raise ConnectionError(line.decode())
    raise ConnectionError("the control socket has ended")


async def _ask_status(socket: Path, connected: asyncio.Event) -> None:
    """Ask for the status each second, as `top` does."""
    reader, writer = await asyncio.open_unix_connection(str(socket), limit=_LINE_BYTES)
    while True:
        writer.write(b'{"verb": "status"}\n')
        await writer.drain()
        json.loads(await reader.readline())
        connected.set()
        await asyncio.sleep(_EACH_S)


async def watch(address: str, socket: Path, *, live: int) -> None:
    """Run all of them, until one of them fails."""
    url = f"http://{address}"
    connected = [asyncio.Event() for _ in range(live + 3)]
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for number in range(live):
            group.create_task(_read_live(session, url, connected[number]))
        group.create_task(_scrape(session, url, connected[live]))
        group.create_task(_watch(socket, connected[live + 1]))
        group.create_task(_ask_status(socket, connected[live + 2]))
        for each in connected:
            await each.wait()
        print(json.dumps({"connected": len(connected)}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Watch a daemon.")
    parser.add_argument("address")
    parser.add_argument("socket", type=Path)
    parser.add_argument("--live", type=int, default=3)
    settings = parser.parse_args()
    try:
        asyncio.run(watch(settings.address, settings.socket, live=settings.live))
    except* (OSError, aiohttp.ClientError) as errors:
        sys.exit("; ".join(map(str, errors.exceptions)))


if __name__ == "__main__":
    main()
