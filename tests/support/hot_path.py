"""The way of an event through a daemon, the same in each run: recorded events through ingest, lanes, outbox and real sockets in one loop.

The loop's clock stands still while events are delivered, and goes on for their commit. So timers fire at the same events in every run,
however busy the machine is: each step is one event, or eight that come together, their attempts, and one commit of all that.
"""

import asyncio
import gc
import selectors
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import NamedTuple, Protocol, cast

from tests.support.daemon_parts import DaemonParts, config_to, daemon_parts
from tests.support.paths import EVENTS

_BURST = 8
"""Events of one step: as many as a stream hands over in one turn of the loop (`streams/websocket.py`)."""
_SPEED = 5
"""How fast the loop's clock runs while it is not stopped."""
_LONGEST_S = 0.025
"""How far that clock moves at most between two readings: a process that had to wait for its turn finds no timer due for that."""
_QUIET_TURNS = 5
"""Turns of the loop without an attempt under way, after which no delivery of a step is left: work is handed over within fewer."""
_WARM_UP_EVENTS = 48
_LEFT_OUT = ("public-sse-", "rss-", "x-large")
"""Recorded files that are no events of a stream, or are too large to be sent and read in one piece in every run."""
_RESPONSE = (
    b"HTTP/1.1 200 OK\r\nDate: Mon, 30 Nov 2026 08:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
)


# The events


def recorded_events(count: int, *, first: int = 0) -> list[bytes]:
    """Return the recorded events again and again, each time with other ids; `first` is the number of the first one.

    The two events of a post (fast-x and x) have the same id, as in the recording. Each post is of an account of its own, so that no two
    of a step have to wait for each other where an order is kept.
    """
    files = sorted(EVENTS.glob("*.json"))
    frames = [path.read_bytes().strip() for path in files if not path.name.startswith(_LEFT_OUT)]
    return [_renumbered(frames[at % len(frames)], at // len(frames)) for at in range(first, first + count)]


def _renumbered(frame: bytes, turn: int) -> bytes:
    mid = _value(frame, b"mid")
    new = b"%b%04d" % (mid[:-4] if len(mid) > 8 else mid, turn)
    return frame.replace(mid, new).replace(b'"sid":"%b"' % _value(frame, b"sid"), b'"sid":"%b"' % new, 1)


def _value(frame: bytes, key: bytes) -> bytes:
    return frame.partition(b'"%b":' % key)[2].partition(b",")[0].strip(b'"')


# The configs


def _plain(urls: list[str]) -> str:
    return config_to(f"bot: {{url: '{urls[0]}'}}")


def _many_rules(urls: list[str]) -> str:
    destinations = "".join(
        f"  {name}: {{url: '{url}'}}\n" for name, url in zip(("bot", "desk", "archive"), urls, strict=True)
    )
    routes = "".join(f"  - {{name: rule {number}, {rule}}}\n" for number, rule in enumerate(_rules(), 1))
    return (
        "streams: [{name: main, api_key: test-key, url: 'ws://127.0.0.1:9/ws'}]\n"
        f"destinations:\n{destinations}routes:\n{routes}"
    )


def _rules() -> Iterator[str]:
    """Yield 200 rules of several kinds over all sources; about one in twenty holds for some recorded event."""
    known = ("novadesk", "kitsune_news", "marsad_x", "devorbit", "chainlantern")
    words = ("markets", "release", "testnet", "mainnet", "queues", "maintenance", "breaking")
    for number in range(40):
        name, word = f"account{number}", f"word{number}"
        author = known[number // 8] if number % 8 == 0 else name
        text = words[number // 6] if number % 6 == 0 else word
        yield f"match: {{source: [x, fast-x], author: [{author}, {name}]}}, to: [bot]"
        yield f"match: {{text: {{word: [{text}, {word}]}}}}, to: [desk]"
        yield f"match: {{source: telegram, channel: [{1234567890 + 40 * number}, {number + 1}]}}, to: [bot, desk]"
        yield f"match: {{any: [{{text: {{contains: {word}}}}}, {{sid: '{number}'}}], not: {{kind: repost}}}}, to: [archive]"
        if number % 4:
            yield f"match: {{source: x, payload.lang: l{number}, payload.favorite_count: {{gte: {number}}}}}, to: [archive]"
        else:
            yield f"match: {{text: {{regex: '\\b{number // 4}x[0-9a-f]{{40}}\\b'}}}}, to: [bot, archive]"


def _in_order(urls: list[str]) -> str:
    return config_to(f"bot: {{url: '{urls[0]}', order: sid, rate_limit: 10000/s}}").replace(
        "to: [bot]", "to: [bot], prefer: first"
    )


def _signed_template(urls: list[str]) -> str:
    body = '{"note": {{ post.text | tojson }}, "by": {{ post.author.name | tojson }}, "link": {{ post.link | tojson }}}'
    secret = "whsec_" + "Zm9yd2FyZGVyIHRlc3RzIHNlY3JldCBrZXk="
    return config_to(
        f"crm: {{url: '{urls[0]}', signing: {{secret: {secret}}}, format: {{type: template, body: '{body}'}}}}"
    )


def _ten_destinations(urls: list[str]) -> str:
    return config_to(*(f"bot{number}: {{url: '{url}'}}" for number, url in enumerate(urls)))


class Scenario(NamedTuple):
    """A config, and what is sent through a daemon with it."""

    events: int
    at_a_time: int
    receivers: int
    text: Callable[[list[str]], str]
    """Returns the config with the URLs of the receivers."""


CONFIGS = {
    "one destination": Scenario(1_000, _BURST, 1, _plain),
    "200 rules, three destinations": Scenario(1_000, _BURST, 3, _many_rules),
    "in order per account, rate limit, prefer": Scenario(1_000, _BURST, 1, _in_order),
    "signed, template": Scenario(1_000, 1, 1, _signed_template),
    "ten destinations": Scenario(200, _BURST, 10, _ten_destinations),
}
"""Five typical configs."""


# The run


class _ImpatientSelector(selectors.DefaultSelector):
    """Waits only a fraction of the time."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout and timeout / _SPEED)


class PausedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be stopped. It runs fast, and no stall of the machine makes it jump. Sockets and threads go on as always."""

    def __init__(self) -> None:
        self._now = self._read_at = monotonic()
        self.is_stopped = False
        super().__init__(_ImpatientSelector())

    def time(self) -> float:
        """Return the time of its clock."""
        was, self._read_at = self._read_at, monotonic()
        if not self.is_stopped:
            self._now += min((self._read_at - was) * _SPEED, _LONGEST_S)
        return self._now


class Receiver(asyncio.Protocol):
    """One connection of a receiver that responds to each POST at once."""

    def __init__(self, received: Counter[str]) -> None:
        self._received = received
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (head := self._buffer.find(b"\r\n\r\n")) >= 0:
            length = self._buffer[:head].rpartition(b"Content-Length: ")[2].partition(b"\r\n")[0]
            end = head + 4 + int(length)
            if len(self._buffer) < end:
                return
            self._buffer = self._buffer[end:]
            self._received["requests"] += 1
            self._transport.write(_RESPONSE)


class Meter(Protocol):
    """Measures what runs between `enable` and `disable`, as `cProfile.Profile` does."""

    def enable(self) -> None:
        """Begin or go on."""

    def disable(self) -> None:
        """Stop, for now or for good."""


@dataclass
class _HotPath:
    """A daemon's parts with receivers, through which events are sent step by step."""

    loop: PausedLoop
    parts: DaemonParts
    at_a_time: int

    async def send(self, frames: list[bytes], meter: Meter) -> None:
        """Send frames and return when they are delivered and on disk, with the meter running."""
        meter.enable()
        for first in range(0, len(frames), self.at_a_time):
            for frame in frames[first : first + self.at_a_time]:
                await self.parts.inbound.ingest.take(frame, stream="main")
            quiet = 0
            while quiet < _QUIET_TURNS:
                await asyncio.sleep(0)
                meter.disable()
                quiet = 0 if self._is_under_way() else quiet + 1
                meter.enable()
            self.loop.is_stopped = False
            await self.parts.outbox.settle()
            self.loop.is_stopped = True
        meter.disable()

    async def drain(self) -> None:
        """Return when no delivery waits any more: the first ones may have come before their lane was ready."""
        self.loop.is_stopped = False
        while self.open_deliveries():
            await asyncio.sleep(0.01)
            await self.parts.outbox.settle()
        self.loop.is_stopped = True

    def open_deliveries(self) -> int:
        """Return how many deliveries have not ended, as the file has it."""
        with closing(sqlite3.connect(self.parts.outbox_path)) as connection:
            found = connection.execute("SELECT count(*) FROM deliveries WHERE status IN ('pending', 'in_flight')")
            return int(found.fetchone()[0])

    def _is_under_way(self) -> bool:
        return any(lane.status().under_way for lane in self.parts.dispatcher.lanes.values())


def run(scenario: Scenario, meter: Meter, *, durability: str = "normal") -> int:
    """Send the events of a scenario; return how many deliveries were made while the meter ran.

    Some events go through it before that, which pay for connections, caches and late imports.
    """
    with asyncio.Runner(loop_factory=PausedLoop) as runner:
        return runner.run(_run(scenario, meter, durability))


async def _run(scenario: Scenario, meter: Meter, durability: str) -> int:
    loop, received = cast("PausedLoop", asyncio.get_running_loop()), Counter[str]()
    servers = [await loop.create_server(lambda: Receiver(received), "127.0.0.1", 0) for _ in range(scenario.receivers)]
    urls = [f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook" for server in servers]
    frames = recorded_events(_WARM_UP_EVENTS + scenario.events)
    with tempfile.TemporaryDirectory(prefix="forwarder-hot-path-") as folder:
        async with daemon_parts(Path(folder), scenario.text(urls), durability=durability) as parts:
            hot_path = _HotPath(loop, parts, scenario.at_a_time)
            loop.is_stopped = True
            await hot_path.send(frames[: _WARM_UP_EVENTS // 2], _NoMeter())
            await hot_path.drain()
            await hot_path.send(
                frames[_WARM_UP_EVENTS // 2 : _WARM_UP_EVENTS], _NoMeter()
            )  # opens as many connections as a step needs
            before = parts.counters.delivered
            gc.collect()
            await hot_path.send(frames[_WARM_UP_EVENTS:], meter)
            delivered = parts.counters.delivered
            assert received["requests"] == delivered == parts.attempts.done, (received, parts.counters)
            assert not hot_path.open_deliveries()
            loop.is_stopped = False
    for server in servers:
        server.close()
    return delivered - before


class _NoMeter:
    def enable(self) -> None:
        pass

    def disable(self) -> None:
        pass
