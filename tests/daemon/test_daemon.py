"""The order of a start and of a stop: what was opened is closed, however the run ends, and the stop is the start read backwards."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from structlog.testing import capture_logs

from forwarder.configfile import read
from forwarder.control.client import control
from forwarder.control.server import open_control_socket
from forwarder.core.commands import Request, RequestRefusedError, StatusRequest
from forwarder.core.delivery import Attempt, Delivery, DeliveryStatus
from forwarder.core.dispatch.retry import Decision, Done
from forwarder.core.event import Event
from forwarder.core.monitoring.counters import Counters
from forwarder.daemon import admin_side, housekeeping
from forwarder.daemon import daemon as daemon_module
from forwarder.daemon.daemon import Daemon
from forwarder.daemon.inbound import Inbound
from forwarder.daemon.outbound import Outbound
from forwarder.daemon.reload import ConfigSource
from forwarder.daemon.reporting import Reporting
from forwarder.emulator.receiver import Action, Answer, Received, Receiver
from forwarder.emulator.server import Emulator
from forwarder.ingest.startup_buffer import StartupBuffer
from forwarder.monitoring.live_feed import Listeners
from forwarder.outbox.open import open_for_change, open_outbox, require_unused
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from forwarder.streams.group import StreamGroup
from forwarder.systemd import ServiceManager
from forwarder.upgrade.takeover import Takeover, TakeoverError
from tests.support.crash import until
from tests.support.daemon_parts import config_to
from tests.support.lanes import event
from tests.support.outbox import keep
from tests.support.process import look
from tests.support.raw import serving
from tests.support.watching import unwatched

LIMIT_S = 90


@dataclass
class Scene:
    """What a daemon has around it, and what it says to the log and to the service manager."""

    folder: Path
    emulator: Emulator
    bot: Receiver
    manager: socket.socket
    log: list[Any]
    heard: list[str] = field(default_factory=list)

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox.db"

    @property
    def socket(self) -> Path:
        return self.folder / "control.sock"

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def daemon(
        self,
        *,
        url: str | None = None,
        rest: str = "",
        listeners: Listeners | None = None,
        takeover: Takeover | None = None,
        watchdog_us: int | None = None,
    ) -> Daemon:
        """Return a daemon that does not run yet; `url` is where it delivers to, if not to the receiver."""
        text = config_to(f"bot: {{url: '{url or self.bot.url}', timeout: 2m}}", stream=self.emulator.ws_url, rest=rest)
        self.config.write_text(text, encoding="utf-8")
        environment = {"NOTIFY_SOCKET": str(self.folder / "notify")}
        if watchdog_us is not None:
            environment["WATCHDOG_USEC"] = str(watchdog_us)
        return Daemon(
            ConfigSource(file=self.config, loaded=read.load(self.config), load=read.load),
            outbox_path=self.outbox,
            socket_path=self.socket,
            service=ServiceManager(environment),
            listeners=listeners or Listeners(),
            takeover=takeover,
        )

    def nobody_to_ask(self) -> Takeover:
        """Return a takeover from a process that has gone already; the lock of the outbox decides when it goes on."""
        return Takeover(self.folder / "nobody.sock", pid=1, open_streams=())

    def told(self, name: str) -> list[Any]:
        """Return the lines of the log of that name."""
        return [line for line in self.log if line["event"] == name]

    async def until_told(self, name: str) -> None:
        """Return once the log has a line of that name."""
        await until(lambda: bool(self.told(name)), limit_s=LIMIT_S, what=name)

    @property
    def course(self) -> list[str]:
        """The names of the lines of the daemon itself."""
        return [line["event"] for line in self.log if line["event"].startswith("daemon.")]

    def states(self) -> list[str]:
        """Return the first line of everything that the service manager heard so far."""
        while True:
            try:
                self.heard.append(self.manager.recv(4096).decode().split("\n")[0])
            except BlockingIOError:
                return self.heard

    async def status(self) -> dict[str, Any]:
        """Return what the daemon says of itself."""

        def ask() -> dict[str, Any]:
            with control(self.socket) as daemon:
                return daemon.ask(StatusRequest())

        return await asyncio.to_thread(ask)

    async def assert_closed(self) -> None:
        """Nothing of a run is left: no lock, no socket, no connection."""
        require_unused(self.outbox)
        assert not self.socket.exists()
        await self.emulator.wait_disconnected()

    def statuses(self) -> list[str]:
        """Return the statuses of the deliveries in the outbox."""
        return [status for (status,) in look(self.outbox, "SELECT status FROM deliveries ORDER BY event_seq")]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, capture_logs() as log:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        async with Emulator() as emulator, Receiver() as bot:
            yield Scene(tmp_path, emulator, bot, manager, log)


@asynccontextmanager
async def running(daemon: Daemon) -> AsyncIterator["asyncio.Task[Counters]"]:
    """Run it until the end of the block, at most."""
    task = asyncio.ensure_future(daemon.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=LIMIT_S)


async def ended(run: "asyncio.Task[Counters]") -> Counters:
    """Return what a run returns, or raise what it raises."""
    async with asyncio.timeout(LIMIT_S):
        return await run


class Gate:
    """A receiver's answer that comes when the test says so."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.opened = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked.set()
        await self.opened.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()


# A whole run


async def test_a_run_starts_delivers_and_stops_with_what_it_counted(scene: Scene) -> None:
    events: list[Event] = []
    attempts: list[Decision] = []

    def on_attempt(_delivery: Delivery, _attempt: Attempt, decision: Decision) -> None:
        attempts.append(decision)

    listeners = Listeners(on_event=lambda event, *_: events.append(event), on_attempt=on_attempt)
    daemon = scene.daemon(listeners=listeners)
    async with running(daemon) as run:
        await scene.emulator.wait_connected()
        await scene.emulator.send(event(1).body)
        await scene.bot.wait_for(1)
        await until(lambda: bool(attempts), limit_s=LIMIT_S, what="the attempt is reported")
        await scene.until_told("daemon.ready")
        daemon.stop()
        counters = await ended(run)
    assert (counters, counters.seen, counters.delivered) == (daemon.counters, 1, 1)
    assert [each.body for each in events] == [event(1).body]
    assert isinstance(attempts[0], Done)
    assert scene.course == ["daemon.started", "daemon.ready", "daemon.stopping", "daemon.stopped"]
    assert scene.told("daemon.stopped")[0]["delivered"] == 1
    assert [each for each in scene.states() if not each.startswith("STATUS")] == ["READY=1", "STOPPING=1"]
    assert scene.statuses() == ["delivered"]
    await scene.assert_closed()


async def test_the_stop_is_the_start_read_backwards(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def note(owner: type, verb: str) -> None:
        inner: Callable[..., object] = getattr(owner, verb)

        def noted(*arguments: object, **named: object) -> object:
            steps.append(f"{owner.__name__}.{verb}")
            return inner(*arguments, **named)

        monkeypatch.setattr(owner, verb, noted)

    note(SqliteOutbox, "recover")
    for owner in (Outbound, StreamGroup):
        note(owner, "start")
        note(owner, "end")
    note(Reporting, "flush_on_stop")
    note(Inbound, "flush_on_stop")
    note(ServiceManager, "stopping")
    daemon = scene.daemon()
    async with running(daemon) as run:
        await scene.until_told("daemon.ready")
        daemon.stop()
        await ended(run)
    assert steps == [
        *("SqliteOutbox.recover", "Outbound.start", "StreamGroup.start"),
        # What is in memory alone is recorded while there is somebody to deliver it; the streams end before who they bring events to.
        *("Reporting.flush_on_stop", "Inbound.flush_on_stop", "ServiceManager.stopping"),
        *("StreamGroup.end", "Outbound.end"),
    ]


async def test_a_stop_ends_the_streams_waits_for_attempts_under_way_and_closes_the_outbox_last(scene: Scene) -> None:
    gate = Gate()
    async with serving(gate.serve) as port:
        daemon = scene.daemon(url=f"http://127.0.0.1:{port}/", rest="grace_period: 60s\n")
        async with running(daemon) as run:
            await scene.emulator.wait_connected()
            await scene.emulator.send(event(1).body)
            await gate.asked.wait()
            daemon.stop()
            await scene.emulator.wait_disconnected()
            assert not run.done()
            assert (await scene.status())["state"] == "stopping"
            with pytest.raises(OutboxUnusableError):
                require_unused(scene.outbox)
            gate.opened.set()
            assert (await ended(run)).delivered == 1
    assert scene.statuses() == ["delivered"]
    assert scene.told("daemon.stopping")[0]["grace_s"] == 60
    await scene.assert_closed()


async def test_a_second_stop_does_not_wait_for_attempts_under_way_and_keeps_their_deliveries(scene: Scene) -> None:
    asked = asyncio.Event()

    def hang(_request: Received) -> Answer:
        asked.set()
        return Answer(action=Action.HANG)

    scene.bot.respond = hang
    daemon = scene.daemon(rest="grace_period: 5m\n")
    async with running(daemon) as run:
        await scene.emulator.wait_connected()
        await scene.emulator.send(event(1).body)
        await asked.wait()
        daemon.stop()
        await scene.until_told("daemon.stopping")
        assert scene.told("daemon.stop_at_once") == []
        daemon.stop()
        assert (await ended(run)).delivered == 0
    assert len(scene.told("daemon.stop_at_once")) == 1
    assert scene.statuses() == ["pending"]
    await scene.assert_closed()


async def test_it_is_ready_once_every_first_connection_was_tried_even_if_it_failed(scene: Scene) -> None:
    scene.emulator.hang(3600, handshakes=True)
    daemon = scene.daemon()
    async with running(daemon) as run:
        await scene.until_told("daemon.started")
        assert (await scene.status())["state"] == "running"
        assert "READY=1" not in scene.states()
        daemon.stop()
        await ended(run)
    assert "READY=1" not in scene.states()
    assert "daemon.ready" not in scene.course
    scene.emulator.clear()
    scene.emulator.refuse(503)
    async with running(scene.daemon()):
        await until(lambda: "READY=1" in scene.states(), limit_s=LIMIT_S, what="ready")
        assert not scene.emulator.connections


async def test_deliveries_to_a_destination_that_the_config_does_not_have_are_kept_and_named(scene: Scene) -> None:
    scene.daemon()
    async with open_outbox(scene.outbox) as outbox:
        keep(outbox, 0, DeliveryStatus.PENDING)
        keep(outbox, 1, DeliveryStatus.PENDING)
    text = scene.config.read_text(encoding="utf-8").replace("bot", "new")
    scene.config.write_text(text, encoding="utf-8")
    daemon = Daemon(
        ConfigSource(file=scene.config, loaded=read.load(scene.config), load=read.load),
        outbox_path=scene.outbox,
        socket_path=scene.socket,
        service=ServiceManager({}),
    )
    async with running(daemon) as run:
        await scene.until_told("daemon.ready")
        daemon.stop()
        await ended(run)
    assert [(line["destination"], line["waiting"]) for line in scene.told("outbox.no_such_destination")] == [("bot", 2)]
    assert scene.told("daemon.started")[0]["waiting"] == 2
    assert scene.statuses() == ["pending", "pending"]
    scene.log.clear()
    async with running(scene.daemon()):
        await scene.bot.wait_for(2)
    assert scene.told("outbox.no_such_destination") == []


# A stop before the run, and during the start


@pytest.mark.parametrize("times", [1, 2])
async def test_a_stop_that_comes_before_the_run_ends_it_in_order(scene: Scene, times: int) -> None:
    async with open_outbox(scene.outbox) as outbox:
        keep(outbox, 0, DeliveryStatus.PENDING)
    daemon = scene.daemon(rest="grace_period: 60s\n")
    for _ in range(times):
        daemon.stop()
    async with running(daemon) as run:
        assert (await ended(run)).seen == 0
    assert len(scene.told("daemon.stop_at_once")) == times - 1
    assert [each for each in scene.course if each != "daemon.stop_at_once"] == [
        *("daemon.started", "daemon.stopping", "daemon.stopped")
    ]
    assert scene.states() == ["STOPPING=1"]
    await scene.assert_closed()


async def test_a_reload_that_is_asked_for_before_the_run_is_made_in_it(scene: Scene) -> None:
    daemon = scene.daemon()
    daemon.reload()
    async with running(daemon):
        await scene.until_told("reload.unchanged")


async def test_a_stop_while_the_outbox_is_waited_for_ends_the_run_at_once(scene: Scene) -> None:
    daemon = scene.daemon()
    async with open_outbox(scene.outbox):
        pass
    with open_for_change(scene.outbox):  # a command, which is waited for
        async with running(daemon) as run:
            await asyncio.sleep(0)
            daemon.stop()
            with pytest.raises(asyncio.CancelledError):
                await ended(run)
        await until(
            lambda: "outbox lock" not in {thread.name for thread in threading.enumerate()}, limit_s=60, what="its end"
        )
    assert scene.course == []
    assert scene.states() == []
    assert scene.emulator.handshakes == []
    await scene.assert_closed()


# A start that fails


async def test_an_outbox_in_use_ends_the_start_before_anything_is_started(scene: Scene) -> None:
    async with open_outbox(scene.outbox):
        async with running(scene.daemon()) as run:
            with pytest.raises(OutboxUnusableError) as raised:
                await ended(run)
    assert raised.value.problem is OutboxProblem.IN_USE
    assert scene.course == []
    assert scene.states() == []
    assert scene.emulator.handshakes == []
    await scene.assert_closed()


STEPS: list[tuple[type | ModuleType, str]] = [
    (SqliteOutbox, "recover"),
    (daemon_module, "open_inbound"),
    (daemon_module, "open_reporting"),
    (daemon_module, "Outbound"),
    (admin_side, "open_control_socket"),
    (Outbound, "start"),
    (StreamGroup, "start"),
]
"""The steps of a start, in their order."""


@pytest.mark.parametrize(("owner", "step"), STEPS, ids=[f"{owner.__name__}.{step}" for owner, step in STEPS])
async def test_a_step_that_fails_is_raised_as_it_is_and_everything_before_it_is_closed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, owner: object, step: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(f"put there by a test: {step}")

    with monkeypatch.context() as broken:
        broken.setattr(owner, step, fail)
        async with running(scene.daemon()) as run:
            with pytest.raises(OSError, match=f"put there by a test: {step}"):
                await ended(run)
    assert not {"daemon.ready", "daemon.stopping", "daemon.stopped"}.intersection(scene.course)
    assert scene.states() == []
    await scene.assert_closed()
    async with running(scene.daemon()):  # and nothing of it is in the way of the next start
        await scene.until_told("daemon.ready")


async def test_an_internal_task_that_fails_ends_the_run_without_the_steps_of_a_stop(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = asyncio.Event()

    async def lose(_outbox: object) -> None:
        await fails.wait()
        raise OSError("put there by a test")

    monkeypatch.setattr(housekeeping, "keep_to_size", lose)
    async with running(scene.daemon()) as run:
        await scene.until_told("daemon.ready")
        fails.set()
        with pytest.raises(ExceptionGroup) as raised:
            await ended(run)
    assert raised.group_contains(OSError, match="put there by a test")
    assert scene.course == ["daemon.started", "daemon.ready"]
    assert "STOPPING=1" not in scene.states()
    await scene.assert_closed()


# A takeover


def note_kept(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return a list that gets the frames of the streams as they are kept."""
    kept: list[bytes] = []
    take = StartupBuffer.take

    async def noted(buffer: StartupBuffer, frame: bytes, *, stream: str, is_public: bool = False) -> None:
        await take(buffer, frame, stream=stream, is_public=is_public)
        kept.append(frame)

    monkeypatch.setattr(StartupBuffer, "take", noted)
    return kept


async def test_a_takeover_opens_its_streams_first_and_hands_on_what_they_brought_once_it_has_the_outbox(
    scene: Scene,
) -> None:
    async with running(scene.daemon(takeover=scene.nobody_to_ask())) as run:
        async with open_outbox(scene.outbox):  # the other process still has it
            await scene.emulator.wait_connected()
            for number in (1, 2, 3):
                await scene.emulator.send(event(number).body)
            await scene.until_told("takeover.predecessor_gone")
            assert not run.done()
            assert scene.course == []
        await scene.until_told("takeover.done")
        await scene.bot.wait_for(3)
        await scene.until_told("daemon.ready")
        assert len(scene.emulator.handshakes) == 1
    assert [line["frames_kept"] for line in scene.told("takeover.done")] == [3]
    assert sorted(json.loads(request.body)["mid"] for request in scene.bot.requests) == ["1", "2", "3"]


async def test_a_stop_while_it_waits_for_the_outbox_of_another_says_what_is_lost(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = note_kept(monkeypatch)
    daemon = scene.daemon(takeover=scene.nobody_to_ask())
    async with open_outbox(scene.outbox):
        async with running(daemon) as run:
            await scene.until_told("takeover.predecessor_gone")
            for number in (1, 2):
                await scene.emulator.send(event(number).body)
            await until(lambda: len(kept) == 2, limit_s=LIMIT_S, what="both are kept")
            daemon.stop()
            with pytest.raises(asyncio.CancelledError):
                await ended(run)
    assert [line["frames"] for line in scene.told("takeover.frames_lost")] == [2]
    assert scene.course == []
    await scene.assert_closed()


async def test_a_stop_gives_up_what_cannot_be_taken_in_and_records_it_as_a_gap(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait(_inbound: Inbound) -> int:
        await asyncio.Event().wait()  # there is no room in memory
        return 0

    monkeypatch.setattr(Inbound, "open", wait)
    kept = note_kept(monkeypatch)
    daemon = scene.daemon(rest="grace_period: 0s\n")
    async with running(daemon) as run:
        await scene.emulator.wait_connected()
        await scene.emulator.send(event(1).body)
        await until(lambda: len(kept) == 1, limit_s=LIMIT_S, what="it is kept")
        daemon.stop()
        await ended(run)
    assert [line["frames"] for line in scene.told("takeover.frames_lost")] == [1]
    ((reason,),) = look(scene.outbox, "SELECT reason FROM gaps")
    assert "with 1 frame not taken in" in reason


async def test_a_takeover_that_is_refused_ends_the_streams_and_opens_no_outbox(scene: Scene) -> None:
    async def refuse(_request: Request, _person: str) -> dict[str, object]:
        raise RequestRefusedError("not now")

    takeover = Takeover(scene.folder / "other.sock", pid=1, open_streams=())
    async with open_control_socket(scene.folder / "other.sock", refuse, open_watch=unwatched):
        async with running(scene.daemon(takeover=takeover)) as run:
            with pytest.raises(TakeoverError, match="not now"):
                await ended(run)
    assert len(scene.emulator.handshakes) == 1
    assert not scene.outbox.exists()
    assert scene.course == []
    await scene.assert_closed()


async def test_the_watchdog_is_fed_during_a_takeover_and_after_it_only_if_the_writer_moves(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqliteOutbox, "beats", 7)  # a writer that stands still
    looks = count()
    seen = 0

    def wake(_outbox: SqliteOutbox) -> None:
        nonlocal seen
        seen = next(looks)

    monkeypatch.setattr(SqliteOutbox, "wake", wake)  # the watchdog calls it each time it looks
    async with running(scene.daemon(takeover=scene.nobody_to_ask(), watchdog_us=20_000)):
        async with open_outbox(scene.outbox):
            await until(lambda: scene.states().count("WATCHDOG=1") > 2, limit_s=LIMIT_S, what="fed")
        await until(lambda: "READY=1" in scene.states(), limit_s=LIMIT_S, what="ready")
        since, before = len(scene.states()), seen
        await until(lambda: seen > before + 5, limit_s=LIMIT_S, what="the watchdog looks")
        assert "WATCHDOG=1" not in scene.states()[since:]


async def test_the_watchdog_hears_at_the_end_of_a_takeover_because_the_next_sign_is_an_interval_away(
    scene: Scene,
) -> None:
    async with running(scene.daemon(takeover=scene.nobody_to_ask(), watchdog_us=3_600_000_000)):
        await until(lambda: "READY=1" in scene.states(), limit_s=LIMIT_S, what="ready")
        assert scene.states().count("WATCHDOG=1") == 1
