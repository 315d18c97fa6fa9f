"""A daemon in this process whose outbox is small, with its stream and its receivers: to fill it up, and to see it drain."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import structlog

from forwarder.configfile import read
from forwarder.control.client import control
from forwarder.core.commands import PauseChange, Request, StatusRequest
from forwarder.core.monitoring.counters import Counters
from forwarder.daemon import housekeeping
from forwarder.daemon.daemon import Daemon
from forwarder.daemon.reload import ConfigSource
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.script import replay
from forwarder.emulator.server import Emulator
from forwarder.outbox.sqlite import claimer, claims, write_queue
from forwarder.systemd import ServiceManager
from tests.support.process import KEY, look

LIMIT_S = 180.0
"""How long a daemon may take to fill its outbox or to drain it. Alone it takes a few seconds; beside five other tests it took more than 60."""
_AHEAD = 100
"""Events that are sent and not read yet, at most."""


@dataclass(kw_only=True)
class Limits:
    """What the daemon may have in memory; small ones are reached soon."""

    events: int = 300
    body_bytes: int = 4 << 20
    unwritten: int = 300
    oldest: int = 50

    def put(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have them hold."""
        monkeypatch.setattr(write_queue, "MAX_WAITING_EVENTS", self.events)
        monkeypatch.setattr(write_queue, "MAX_WAITING_BYTES", self.body_bytes)
        monkeypatch.setattr(write_queue, "_LOOK_AT", self.events // 20)
        monkeypatch.setattr(claimer, "MAX_UNWRITTEN", self.unwritten)
        monkeypatch.setattr(claims, "OLDEST", self.oldest)
        monkeypatch.setattr(housekeeping, "_SIZE_EVERY", timedelta(seconds=0.5))


@dataclass
class Full:
    """The daemon with what is around it."""

    emulator: Emulator
    receivers: Mapping[str, Receiver]
    config: Path
    outbox: Path
    log: list[dict[str, Any]] = field(default_factory=list)
    daemon: Daemon | None = None
    running: "asyncio.Task[Counters] | None" = None
    sent: list[bytes] = field(default_factory=list)
    started_at: int = 0
    """Where in the log."""

    def start(self) -> None:
        """Run the daemon."""
        loaded = read.load(self.config)
        assert loaded.config is not None, loaded.problems
        self.daemon = Daemon(
            ConfigSource(file=self.config, loaded=loaded, load=read.load),
            outbox_path=self.outbox,
            socket_path=self.outbox.with_name("control.sock"),
            service=ServiceManager({}),
        )
        self.started_at = len(self.log)
        self.running = asyncio.ensure_future(self.daemon.run())

    async def stopped(self, limit_s: float = 30) -> Counters:
        """Have it stop; raises what it raises."""
        assert self.daemon is not None
        assert self.running is not None
        self.daemon.stop()
        async with asyncio.timeout(limit_s):
            return await self.running

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of the log of that name."""
        return [line for line in self.log if line["event"] == event]

    async def until(self, what: str, holds: Callable[[], bool], *, limit_s: float) -> float:
        """Return after how many seconds it holds."""
        began = monotonic()
        while not holds():
            assert self.running is not None
            if self.running.done():
                self.running.result()
            if monotonic() - began > limit_s:
                raise AssertionError(f"not within {limit_s} s: {what}; {self.progress()}")
            await asyncio.sleep(0.02)
        return monotonic() - began

    def progress(self) -> str:
        """Return how far it is."""
        taken = {name: len(self.taken(name)) for name in self.receivers}
        names = Counter(line["event"] for line in self.log if line["level"] not in {"debug", "info"})
        return f"sent {len(self.sent)}, taken {taken}, log {dict(names)}, last {self.log[-3:]}"

    def taken(self, name: str) -> set[bytes]:
        """Return the bodies that a receiver took."""
        return {request.body for request in self.receivers[name].requests if request.accepted}

    async def send(self, frame: bytes) -> None:
        """Send one event."""
        self.sent.append(frame)
        await self.emulator.send(frame)

    async def fill(
        self, frames: "Frames", *, until: str = "outbox.reading_stopped", limit: int = 6_000, limit_s: float = LIMIT_S
    ) -> None:
        """Send until the daemon reads no more, or until the log has something else."""
        count, ahead = len(self.logged(until)), len(self.sent)
        daemon = self.daemon
        assert daemon is not None
        ahead -= daemon.counters.seen

        def seen() -> int:
            return daemon.counters.seen + ahead

        async def send() -> None:
            for frame in frames.some(limit):
                await self.send(frame)
                while len(self.sent) - seen() > _AHEAD:  # noqa: ASYNC110 - what lies in sockets has to be delivered, too
                    await asyncio.sleep(0.002)

        sending = asyncio.ensure_future(send())
        try:
            await self.until(until, lambda: len(self.logged(until)) > count, limit_s=limit_s)
        finally:
            sending.cancel()

    def is_degraded(self) -> bool:
        """Whether the last log line about the outbox, since the last start, says that it cannot be written."""
        lines = self.log[self.started_at :]
        names = [line["event"] for line in lines if line["event"] in {"outbox.degraded", "outbox.recovered"}]
        return names[-1:] == ["outbox.degraded"]

    async def emptied(self, *, limit_s: float = LIMIT_S) -> None:
        """Return once nothing waits, on disk or in memory, and the outbox is well."""
        began = monotonic()
        while True:
            outbox = (await self.status())["outbox"]
            ((waiting,),) = look(
                self.outbox, "SELECT count(*) FROM deliveries WHERE status IN ('pending', 'in_flight')"
            )
            if not (waiting or outbox["events_in_memory"] or outbox["deliveries_in_memory"] or outbox["trouble"]):
                return
            if monotonic() - began > limit_s:
                raise AssertionError(f"not empty within {limit_s} s: {waiting} wait, {outbox}; {self.progress()}")
            await asyncio.sleep(0.05)

    async def status(self) -> dict[str, Any]:
        """Return what the daemon says of itself."""
        return await asyncio.to_thread(self._ask, StatusRequest(verb="status"))

    async def command(self, asked: PauseChange) -> tuple[int, int]:
        """Have the daemon do it; return how many were changed, and how many left alone."""
        done = await asyncio.to_thread(self._ask, asked)
        return int(done["changed"]), int(done["left_alone"])

    def _ask(self, asked: Request) -> dict[str, Any]:
        with control(self.outbox.with_name("control.sock")) as daemon:
            return daemon.ask(asked)

    async def resumed(self, name: str) -> None:
        """Have a destination go on."""
        await self.command(PauseChange(verb="resume", destination=name, now_ms=0))

    async def drained(self, *, limit_s: float, to: Sequence[str] | None = None) -> float:
        """Return after how long each of these has everything that was sent."""
        names = list(self.receivers) if to is None else to
        return await self.until(
            "everything delivered",
            lambda: all(self.taken(name).issuperset(self.sent) for name in names),
            limit_s=limit_s,
        )


class Frames:
    """Distinct events without end."""

    def __init__(self, *, padding: int = 0) -> None:
        more = b'{"padding":"%b",' % (b"x" * padding) if padding else b"{"
        self.more = (more + frame.removeprefix(b"{") for _, frame in replay(loop=True))

    def some(self, count: int) -> list[bytes]:
        """Return so many."""
        return list(islice(self.more, count))


@asynccontextmanager
async def full(
    folder: Path,
    *,
    destinations: Mapping[str, str],
    max_size: str = "1MiB",
    outbox: Path | None = None,
    route: str = "",
    retry: str = "{delays: [200ms, 500ms" + ", 1s" * 40 + "]}",
    grace: str = "5s",
) -> AsyncIterator[Full]:
    """Run a daemon whose `destinations` have these settings more, as YAML, and get every event."""
    outbox = outbox or folder / "outbox.db"
    log: list[dict[str, Any]] = []
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator())
        receivers = {name: await stack.enter_async_context(Receiver()) for name in destinations}
        named = "\n".join(
            f"  {name}: {{url: '{receivers[name].url}', timeout: 5s, retry: {retry}{', ' if more else ''}{more}}}"
            for name, more in destinations.items()
        )
        config = folder / "config.yaml"
        config.write_text(
            f"grace_period: {grace}\n"
            f"streams:\n  - url: {emulator.ws_url}\n    api_key: {KEY}\n    use_fast_x: true\n    max_frame: 256KiB\n"
            f"outbox: {{url: 'sqlite:{outbox}', max_size: {max_size}}}\ndestinations:\n{named}\n"
            f"routes:\n  - {{name: everything, to: [{', '.join(destinations)}]{route}}}\n",
            encoding="utf-8",
        )

        def note(_logger: object, _method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
            if line["level"] != "debug":
                log.append(dict(line))
            raise structlog.DropEvent

        structlog.configure(processors=[structlog.processors.add_log_level, note], cache_logger_on_first_use=False)
        stack.callback(structlog.reset_defaults)
        it = Full(emulator, receivers, config, outbox, log)
        it.start()
        try:
            await emulator.wait_connected()
            yield it
        finally:
            if it.running is not None and not it.running.done():
                it.running.cancel()
                await asyncio.wait([it.running], timeout=10)
