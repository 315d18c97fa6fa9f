"""The load side, a process of its own: a WebSocket stream that writes prebuilt frames, and a receiver that answers at once.

`benchmarks.rig.LoadSide` starts it and talks to it in lines of JSON: one command in, one answer out. Both ends
(`benchmarks/endpoints.py`) cost little beside what is measured. All times come from this process's
CLOCK_MONOTONIC: of a frame just before it is written, of a POST when its last byte was read.
"""

import asyncio
import gc
import json
import sys
import time
from array import array

import uvloop

from benchmarks.endpoints import Receiver, Stream, text_frame

FIRST_MID = 2_006_700_000_000_000_000
_IN_ONE_WRITE = 16
"""Frames of a burst that share a system call."""

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


class Load:
    """What is sent and what came back. One batch of events at a time; a POST of anything else is only counted.

    Where an event goes to several receivers, it has arrived when it is at the last of them.
    """

    def __init__(self) -> None:
        self.answer = _answer(200)
        self._stream: Stream | None = None
        self._connected = asyncio.Event()
        self._all_received = asyncio.Event()
        self._next_mid = FIRST_MID
        self._first_mid = 0
        self._sent = array("q")
        self._received = array("q")
        self._missing_at: list[int] = []
        """For each event one bit for each receiver that does not have it yet."""
        self._repeats = 0
        self._left = 0
        self._others = 0
        self._first_other = 0
        self._last_other = 0
        self._more_receivers: list[asyncio.Server] = []

    def note_stream(self, stream: Stream | None) -> None:
        """Remember the client that is connected, or that none is."""
        self._stream = stream
        (self._connected.clear if stream is None else self._connected.set)()

    def note_post(self, mid: int, now: int, receiver: int) -> None:
        """Match a POST with its event."""
        at = mid - self._first_mid
        if not 0 <= at < len(self._received):
            self._first_other = self._first_other or now
            self._last_other = now
            self._others += 1
            return
        missing = self._missing_at[at] & ~(1 << receiver)
        if missing == self._missing_at[at]:
            self._repeats += 1
            return
        self._missing_at[at] = missing
        if not missing:
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
                    int(values["count"]),
                    int(values["size_bytes"]),
                    values["rate"],
                    values["within_s"],
                    receivers=int(values.get("receivers", 1)),
                )
            case "more_receivers":
                return {"urls": [await self._open_receiver(number) for number in range(1, int(values["count"]) + 1)]}
            case _:
                raise ValueError(command)

    def _others_seen(self) -> dict[str, object]:
        return {"count": self._others, "first_ns": self._first_other, "last_ns": self._last_other}

    async def _open_receiver(self, number: int) -> str:
        server = await asyncio.get_running_loop().create_server(lambda: Receiver(self, number), "127.0.0.1", 0)
        self._more_receivers.append(server)
        return _receiver_url(server)

    async def _send(
        self, count: int, size_bytes: int, rate: float, within_s: float, *, receivers: int
    ) -> dict[str, object]:
        """Send `count` events, `rate` a second or (0) as fast as the client takes them; wait for the POSTs `within_s`."""
        frames = [text_frame(event) for event in build_events(self._next_mid, count, size_bytes)]
        self._first_mid, self._next_mid = self._next_mid, self._next_mid + count
        self._sent = array("q", bytes(8 * count))
        self._received = array("q", bytes(8 * count))
        self._missing_at = [(1 << receivers) - 1] * count
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
            "missing": sum(missing.bit_count() for missing in self._missing_at),
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


def _receiver_url(server: asyncio.Server) -> str:
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"


def _answer(status: int) -> bytes:
    reason = "OK" if status == 200 else "Refused"
    return f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok".encode()


async def main() -> None:
    loop, load = asyncio.get_running_loop(), Load()
    streams = await loop.create_server(lambda: Stream(load.note_stream), "127.0.0.1", 0)
    receivers = await loop.create_server(lambda: Receiver(load), "127.0.0.1", 0)
    stream = f"ws://127.0.0.1:{streams.sockets[0].getsockname()[1]}/ws"
    print(json.dumps({"stream": stream, "receiver": _receiver_url(receivers)}))
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
