"""The floor: the least that a program in CPython can do that keeps what `durability: full` promises. It is no relay that one could use.

    python -m benchmarks.floor ws://127.0.0.1:8765/ws KEY http://127.0.0.1:9000/hook FOLDER

For each event: the WebSocket as the daemon reads it, one decoding of the envelope (msgspec), the event's id (BLAKE2b), one POST with a
prebuilt head over an asyncio transport, the response through httptools, and two rows in SQLite, which a thread of its own writes with
`synchronous=FULL`: what gathers in ten milliseconds in one transaction, by statements of many rows. It leaves out all else: rules, duplicates,
limits, retries, timeouts, the breaker, a log, metrics, and what happens when something fails. `benchmarks.compare --floor` measures it beside the daemon.
"""

import argparse
import asyncio
import hashlib
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import aiohttp
import httptools
import msgspec
import uvloop
from yarl import URL

from benchmarks.plain_script import CONCURRENCY, QUEUED

_AT_A_TIME = 8
"""Frames taken in one turn of the loop, as `forwarder/streams/websocket.py` takes them."""
_GATHER_S = 0.01
"""How long rows gather: with the commit itself, an event is on disk within 15 ms."""
_ROWS_OF_A_STATEMENT = 128
_TABLES = """
CREATE TABLE events (seq INTEGER PRIMARY KEY, id, source, mid, sid, timestamp, accepted_ms, body);
CREATE TABLE deliveries (event_seq, destination, status, attempts, started_ms, duration_ms, http_status, PRIMARY KEY (event_seq, destination)) WITHOUT ROWID;
"""
Row = tuple[Any, ...]


class Envelope(msgspec.Struct):
    """What is around a payload."""

    source: str
    mid: str | int
    sid: str | int
    timestamp: int | float
    payload: msgspec.Raw


_decode = msgspec.json.Decoder(Envelope).decode


class Store:
    """Rows that gather, and the thread that writes them: one hand-over for each commit, one back."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._loop = loop
        self._events: list[Row] = []
        self._deliveries: list[Row] = []
        self._is_busy = False
        self._work: queue.SimpleQueue[tuple[list[Row], list[Row]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def add(self, event: Row) -> None:
        """Add the row of an event."""
        self._events.append(event)
        self._gather()

    def end(self, delivery: Row) -> None:
        """Add the row of a delivery that has ended."""
        self._deliveries.append(delivery)
        self._gather()

    def _gather(self) -> None:
        if not self._is_busy:
            self._is_busy = True
            self._loop.call_later(_GATHER_S, self._hand_over)

    def _hand_over(self) -> None:
        self._work.put((self._events, self._deliveries))
        self._events, self._deliveries = [], []

    def _note_written(self) -> None:
        self._is_busy = False
        if self._events or self._deliveries:
            self._gather()

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {_TABLES}")
        while True:
            events, deliveries = self._work.get()
            connection.execute("BEGIN IMMEDIATE")
            _insert(connection, "events", events)
            _insert(connection, "deliveries", deliveries)
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(self._note_written)


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[Row]) -> None:
    for first in range(0, len(rows), _ROWS_OF_A_STATEMENT):
        some = rows[first : first + _ROWS_OF_A_STATEMENT]
        places = f"({', '.join('?' * len(some[0]))})"
        values = [value for row in some for value in row]
        connection.execute(f"INSERT INTO {table} VALUES {', '.join([places] * len(some))}", values)  # noqa: S608 - our own


class Connection(asyncio.Protocol):
    """One connection to the receiver, with at most one POST under way."""

    def __init__(self, on_response: Callable[["Connection", int], None]) -> None:
        self._on_response = on_response
        self._parser = httptools.HttpResponseParser(self)
        self.seq = 0
        self.started = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what writes."""
        self.write = cast("asyncio.Transport", transport).write  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        """Have the parser read."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._on_response(self, self._parser.get_status_code())


class Relay:
    """Posts each event over a free connection, or as soon as there is one."""

    def __init__(self, store: Store, target: URL) -> None:
        self._store = store
        self._head = (
            f"POST {target.raw_path_qs} HTTP/1.1\r\nHost: {target.host}:{target.port}\r\nContent-Type: application/json\r\n"
            "User-Agent: floor\r\nwebhook-id: msg_%s\r\nwebhook-timestamp: %d\r\nContent-Length: %d\r\n\r\n"
        )
        self._free: list[Connection] = []
        self.waiting: deque[tuple[int, bytes]] = deque()
        self._seq = 0

    async def connect(self, host: str, port: int) -> None:
        """Open the connections."""
        loop = asyncio.get_running_loop()
        for _ in range(CONCURRENCY):
            _, connection = await loop.create_connection(lambda: Connection(self._end), host, port)
            self._free.append(connection)

    def take(self, frame: bytes) -> None:
        """Store an event and post it."""
        now = time.time()
        envelope = _decode(frame)
        source, mid, sid = envelope.source, str(envelope.mid), str(envelope.sid)
        digested = b"\0".join((source.encode(), mid.encode(), sid.encode(), envelope.payload))
        event_id = hashlib.blake2b(digested, digest_size=16).hexdigest()
        self._seq += 1
        self._store.add((self._seq, event_id, source, mid, sid, envelope.timestamp, int(now * 1000), frame))
        request = (self._head % (event_id, now, len(frame))).encode() + frame
        if self._free:
            self._post(self._free.pop(), self._seq, request)
        else:
            self.waiting.append((self._seq, request))

    def _post(self, connection: Connection, seq: int, request: bytes) -> None:
        connection.seq, connection.started = seq, time.time()
        connection.write(request)

    def _end(self, connection: Connection, status: int) -> None:
        started = connection.started
        took_ms = (time.time() - started) * 1000
        self._store.end((connection.seq, "bot", "delivered", 1, int(started * 1000), took_ms, status))
        if self.waiting:
            self._post(connection, *self.waiting.popleft())
        else:
            self._free.append(connection)


async def relay(stream: str, key: str, target: URL, folder: Path) -> None:
    posts = Relay(Store(folder / "floor.db", asyncio.get_running_loop()), target)
    await posts.connect(target.host or "", target.port or 80)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(stream, headers={"x-api-key": key}, autoping=False, decode_text=False) as websocket,
    ):
        taken = 0
        while (message := await websocket.receive()).type is aiohttp.WSMsgType.TEXT:
            posts.take(message.data)
            taken += 1
            if taken % _AT_A_TIME == 0:
                await asyncio.sleep(0)
                while len(posts.waiting) > QUEUED:  # noqa: ASYNC110 - each turn of the loop ends some
                    await asyncio.sleep(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("stream", help="ws:// URL")
    parser.add_argument("key", help="sent as x-api-key")
    parser.add_argument("target", help="http:// URL where each event is posted")
    parser.add_argument("folder", type=Path, help="where floor.db is made")
    arguments = parser.parse_args()
    uvloop.run(relay(arguments.stream, arguments.key, URL(arguments.target), arguments.folder))
