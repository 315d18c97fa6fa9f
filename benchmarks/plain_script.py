"""The script that one would write by hand instead of running a daemon: a stream in, POSTs out, nothing kept, nothing retried.

    python -m benchmarks.plain_script ws://127.0.0.1:8765/ws KEY http://127.0.0.1:9000/hook

It is the yardstick of `benchmarks.compare`, so it is written well: uvloop, one session, 16 POSTs at once, a queue with a
bound, bytes that are never decoded. With several targets each event is posted to one after the other, as a loop does that. An event
that a receiver refuses, and everything queued when it dies, is lost.
"""

import argparse
import asyncio
import sys

import aiohttp
import uvloop

CONCURRENCY = 16
QUEUED = 1_000
"""Past it the stream is read no further, so that a burst does not fill the memory."""
HEADERS = {"Content-Type": "application/json"}


async def post_queued(session: aiohttp.ClientSession, targets: list[str], queue: "asyncio.Queue[bytes]") -> None:
    while True:
        body = await queue.get()
        for target in targets:
            try:
                async with session.post(target, data=body, headers=HEADERS) as response:
                    await response.read()
                    if response.status >= 300:
                        print(f"lost an event: HTTP {response.status}", file=sys.stderr)
            except (aiohttp.ClientError, TimeoutError) as error:
                print(f"lost an event: {error!r}", file=sys.stderr)


async def read_stream(session: aiohttp.ClientSession, stream: str, key: str, queue: "asyncio.Queue[bytes]") -> None:
    async with session.ws_connect(stream, headers={"x-api-key": key}, heartbeat=30, decode_text=False) as websocket:
        async for message in websocket:
            if message.type is aiohttp.WSMsgType.TEXT:
                await queue.put(message.data)


async def relay(stream: str, key: str, targets: list[str]) -> None:
    queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUED)
    async with (
        aiohttp.ClientSession() as reading,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONCURRENCY), timeout=aiohttp.ClientTimeout(total=5)
        ) as posting,
        asyncio.TaskGroup() as group,
    ):
        workers = [group.create_task(post_queued(posting, targets, queue)) for _ in range(CONCURRENCY)]
        await read_stream(reading, stream, key, queue)
        for worker in workers:
            worker.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("stream", help="ws:// or wss:// URL")
    parser.add_argument("key", help="sent as x-api-key")
    parser.add_argument("targets", nargs="+", metavar="target", help="where each event is posted")
    arguments = parser.parse_args()
    uvloop.run(relay(arguments.stream, arguments.key, arguments.targets))
