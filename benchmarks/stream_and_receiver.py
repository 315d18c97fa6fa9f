"""The load side, a process of its own: a WebSocket stream that writes prebuilt frames, and a receiver that answers at once.

`benchmarks.rig.LoadSide` starts it and talks to it in lines of JSON: one command in, one answer out. Both ends are bare
protocols without a framework, so that they cost little beside what is measured. All times come from this process's
CLOCK_MONOTONIC: of a frame just before it is written, of a POST when its last byte was read.
"""

import asyncio
import base64
import gc
import hashlib
import json
import re
import sys
import time
from array import array
from collections.abc import Callable
from typing import cast

import uvloop

KEY = "benchmark"
FIRST_MID = 2_006_700_000_000_000_000
_IN_ONE_WRITE = 16
"""Frames of a burst that share a system call."""

_ACCEPT_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_HEADER = re.compile(rb"\r\n([^:\r\n]+):[ \t]*([^\r\n]*)")
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_MID = re.compile(rb'"mid":"(\d+)"')

_WORDS = "markets open flat while futures drift lower ahead of the rate decision and traders wait for the minutes "
_PLACE_OF_MID = "0" * 19


def _template(size_bytes: int) -> bytes:
    """Return an event of source x in the shape of the stream, with a text as long as it takes to be of that size."""

    def event(text: str) -> bytes:
        mid = _PLACE_OF_MID
        author = {
            "id": "44100001",
            "name": "Nova Desk",
            "screen_name": "novadesk",
            "profile_image_url": "https://img.example.invalid/novadesk.jpg",
            "verified": True,
            "is_blue_verified": True,
        }
        payload = {
            "id": mid,
            "text": text,
            "created_at": "Thu Jan 01 00:00:00 +0000 2026",
            "lang": "en",
            **dict.fromkeys(("favorite_count", "retweet_count", "reply_count", "quote_count", "bookmark_count"), 0),
            "author": author,
            "entities": {"hashtags": [], "symbols": [], "timestamps": [], "urls": [], "user_mentions": []},
            "conversation_id": mid,
            "retweeted_tweet": False,
            "link": f"https://x.com/novadesk/status/{mid}",
        }
        envelope = {"mid": mid, "sid": "44100001", "source": "x", "timestamp": 1767225600000, "payload": payload}
        return json.dumps(envelope, separators=(",", ":")).encode()

    missing = max(size_bytes - len(event("")), 0)
    return event((_WORDS * (missing // len(_WORDS) + 1))[:missing])


def build_events(first_mid: int, count: int, size_bytes: int) -> list[bytes]:
    """Return events that differ in their mid, numbered from `first_mid` on."""
    template, place = _template(size_bytes), _PLACE_OF_MID.encode()
    return [template.replace(place, b"%019d" % mid) for mid in range(first_mid, first_mid + count)]


def _text_frame(payload: bytes) -> bytes:
    if len(payload) < 126:
        return bytes((0x81, len(payload))) + payload
    return b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload


class Stream(asyncio.Protocol):
    """A WebSocket server for one client at a time; a later one takes the place of an earlier one."""

    def __init__(self, on_open: "Callable[[Stream | None], None]") -> None:
        self._on_open = on_open
        self._buffer = b""
        self._is_open = False
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._transport.set_write_buffer_limits(high=256 * 1024)

    def connection_lost(self, _error: Exception | None) -> None:
        """Say that nobody listens any more."""
        self._writable.set()
        if self._is_open:
            self._on_open(None)

    def pause_writing(self) -> None:
        """Note that the client reads slower than we write."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Note that the client has caught up."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Take the upgrade, then the client's pings."""
        self._buffer += data
        if not self._is_open:
            if b"\r\n\r\n" not in self._buffer:
                return
            request, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
            self._open(request)
        while self._take_frame():
            pass

    def _open(self, request: bytes) -> None:
        headers = {name.lower(): value for name, value in _HEADER.findall(request)}
        if not request.startswith(b"GET /ws") or headers.get(b"x-api-key") != KEY.encode():
            self._transport.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self._transport.close()
            return
        digest = hashlib.sha1(headers[b"sec-websocket-key"] + _ACCEPT_SUFFIX).digest()  # noqa: S324 - RFC 6455 says so
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        self._is_open = True
        self._on_open(self)

    def _take_frame(self) -> bool:
        """Take one short masked frame off the buffer, if there is a whole one. Clients send only pings, pongs and closes."""
        if not self._is_open or len(self._buffer) < 6:
            return False
        opcode, length = self._buffer[0] & 0x0F, self._buffer[1] & 0x7F
        end = 6 + length
        if len(self._buffer) < end:
            return False
        mask = self._buffer[2:6]
        payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self._buffer[6:end]))
        self._buffer = self._buffer[end:]
        if opcode == 0x8:
            self._transport.write(bytes((0x88, length)) + payload)
            self._transport.close()
        elif opcode in {0x1, 0x9}:  # the service answers both kinds of ping with a PONG frame
            self._transport.write(bytes((0x8A, length if opcode == 0x9 else 0)) + (payload if opcode == 0x9 else b""))
        return True

    async def write(self, frames: bytes) -> None:
        """Write, then wait while the client does not keep up."""
        self._transport.write(frames)
        await self._writable.wait()


class Receiver(asyncio.Protocol):
    """One keep-alive connection: reads POSTs with a Content-Length and answers each at once."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._buffer = bytearray()
        self._body_at = 0
        self._ends_at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        while self._is_complete():
            mid = _MID.search(self._buffer, self._body_at, self._ends_at)
            self._load.note_post(-1 if mid is None else int(mid[1]), time.monotonic_ns())
            del self._buffer[: self._ends_at]
            self._ends_at = 0
            self._transport.write(self._load.answer)

    def _is_complete(self) -> bool:
        if not self._ends_at:
            head = self._buffer.find(b"\r\n\r\n")
            if head < 0:
                return False
            length = _CONTENT_LENGTH.search(self._buffer, 0, head + 2)
            self._body_at = head + 4
            self._ends_at = self._body_at + (int(length[1]) if length else 0)
        return len(self._buffer) >= self._ends_at


class Load:
    """What is sent and what came back. One batch of events at a time; a POST of anything else is only counted."""

    def __init__(self) -> None:
        self.answer = _answer(200)
        self._stream: Stream | None = None
        self._connected = asyncio.Event()
        self._all_received = asyncio.Event()
        self._next_mid = FIRST_MID
        self._first_mid = 0
        self._sent = array("q")
        self._received = array("q")
        self._repeats = 0
        self._left = 0
        self._others = 0
        self._first_other = 0
        self._last_other = 0

    def note_stream(self, stream: Stream | None) -> None:
        """Remember the client that is connected, or that none is."""
        self._stream = stream
        (self._connected.clear if stream is None else self._connected.set)()

    def note_post(self, mid: int, now: int) -> None:
        """Match a POST with its event."""
        at = mid - self._first_mid
        if not 0 <= at < len(self._received):
            self._first_other = self._first_other or now
            self._last_other = now
            self._others += 1
        elif self._received[at]:
            self._repeats += 1
        else:
            self._received[at] = now
            self._left -= 1
            if not self._left:
                self._all_received.set()

    async def obey(self, command: str, values: dict[str, float]) -> dict[str, object]:
        """Do what a line asks for and return the answer."""
        match command:
            case "wait_connected":
                async with asyncio.timeout(values["within_s"]):
                    await self._connected.wait()
                return {"at_ns": time.monotonic_ns()}
            case "answer":
                self.answer = _answer(int(values["status"]))
                return {}
            case "others":
                return self._others_seen()
            case "forget_others":
                self._others = self._first_other = self._last_other = 0
                return {}
            case "send":
                return await self._send(
                    int(values["count"]), int(values["size_bytes"]), values["rate"], values["within_s"]
                )
            case _:
                raise ValueError(command)

    def _others_seen(self) -> dict[str, object]:
        return {"count": self._others, "first_ns": self._first_other, "last_ns": self._last_other}

    async def _send(self, count: int, size_bytes: int, rate: float, within_s: float) -> dict[str, object]:
        """Send `count` events, `rate` a second or (0) as fast as the client takes them; wait for the POSTs `within_s`."""
        frames = [_text_frame(event) for event in build_events(self._next_mid, count, size_bytes)]
        self._first_mid, self._next_mid = self._next_mid, self._next_mid + count
        self._sent = array("q", bytes(8 * count))
        self._received = array("q", bytes(8 * count))
        self._repeats, self._left = 0, count
        self._all_received.clear()
        gc.collect()
        gc.freeze()
        used = time.process_time()
        try:
            async with asyncio.timeout(within_s):
                await (self._send_steadily(frames, rate) if rate else self._send_burst(frames))
                await self._all_received.wait()
            await asyncio.sleep(0.3)  # a repeat would come now
        except TimeoutError:
            pass  # the answer says what is missing
        used = time.process_time() - used
        arrived = [at for at in range(count) if self._received[at]]
        return {
            "sent": sum(map(bool, self._sent)),
            "missing": count - len(arrived),
            "repeats": self._repeats,
            "sending_s": (max(self._sent) - self._sent[0]) / 1e9,
            "taken_s": (max(self._received) - self._sent[0]) / 1e9,
            "latencies_ms": [round((self._received[at] - self._sent[at]) / 1e6, 3) for at in arrived],
            "load_cpu_s": used,
        }

    async def _send_steadily(self, frames: list[bytes], rate: float) -> None:
        begin = time.monotonic()
        for number, frame in enumerate(frames):
            await asyncio.sleep(begin + number / rate - time.monotonic())
            if self._stream is not None:
                self._sent[number] = time.monotonic_ns()
                await self._stream.write(frame)

    async def _send_burst(self, frames: list[bytes]) -> None:
        for first in range(0, len(frames), _IN_ONE_WRITE):
            if self._stream is None:
                return
            some = frames[first : first + _IN_ONE_WRITE]
            now = time.monotonic_ns()
            for number in range(first, first + len(some)):
                self._sent[number] = now
            await self._stream.write(b"".join(some))


def _answer(status: int) -> bytes:
    reason = "OK" if status == 200 else "Refused"
    return f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok".encode()


async def main() -> None:
    loop, load = asyncio.get_running_loop(), Load()
    streams = await loop.create_server(lambda: Stream(load.note_stream), "127.0.0.1", 0)
    receivers = await loop.create_server(lambda: Receiver(load), "127.0.0.1", 0)
    ports = [server.sockets[0].getsockname()[1] for server in (streams, receivers)]
    print(json.dumps({"stream": f"ws://127.0.0.1:{ports[0]}/ws", "receiver": f"http://127.0.0.1:{ports[1]}/hook"}))
    while True:
        sys.stdout.flush()
        line = await asyncio.to_thread(sys.stdin.readline)
        if not line:
            return
        values = json.loads(line)
        try:
            answer = await load.obey(values.pop("do"), values)
        except TimeoutError:
            answer = {"error": "timed out"}
        print(json.dumps(answer))


if __name__ == "__main__":
    uvloop.run(main())
