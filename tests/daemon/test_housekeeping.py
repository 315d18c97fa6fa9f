"""What is removed from the outbox by time and by size, and what the service manager is sent."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs

from forwarder.clocks.wall_clock import utc_now
from forwarder.core.monitoring.counters import Counters
from forwarder.core.monitoring.status import LogReport, StatusReport
from forwarder.daemon import housekeeping
from forwarder.daemon.housekeeping import ServiceStatus, keep_to_size, prune
from forwarder.daemon.runtime import ActiveRuntime, runtime_of
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from forwarder.outbox.store import OutboxStore
from forwarder.systemd import ServiceManager
from tests.core.config.support import load
from tests.support.clocks import Clocks
from tests.support.daemon_parts import config_to
from tests.support.outbox import attempt, keep
from tests.support.process import look

HOUR = timedelta(hours=1)
SOON = timedelta(milliseconds=5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
async def outbox(path: Path) -> AsyncIterator[SqliteOutbox]:
    async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
        yield outbox


@asynccontextmanager
async def running(*work: object) -> AsyncIterator[None]:
    """Run these until the end of the block."""
    tasks = [asyncio.ensure_future(cast("asyncio.Future[None]", each)) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def active(*, keep_delivered: str = "2h", keep_dead: str = "4h") -> ActiveRuntime:
    text = config_to("bot: {url: 'http://127.0.0.1:9/'}")
    kept = f"outbox: {{keep_delivered: {keep_delivered}, keep_dead: {keep_dead}}}\n"
    return ActiveRuntime(runtime_of(load(text + kept, {})), at=utc_now())


class Turns:
    """Counts how often something was asked, and lets a test wait for it."""

    def __init__(self) -> None:
        self.count = 0
        self._came = asyncio.Event()

    def note(self) -> None:
        self.count += 1
        self._came.set()

    async def more(self, by: int = 1) -> None:
        """Return after that many more."""
        until = self.count + by
        async with asyncio.timeout(60):
            while self.count < until:
                self._came.clear()
                await self._came.wait()


def note_prunes(outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch, verb: str = "prune") -> Turns:
    """Count the calls of a verb that removes, when they are over."""
    turns, inner = Turns(), getattr(outbox, verb)

    async def counted(**asked: object) -> int:
        found: int = await inner(**asked)
        turns.note()
        return found

    monkeypatch.setattr(outbox, verb, counted)
    return turns


async def test_history_is_removed_when_its_time_is_over_and_dead_letters_later(
    outbox: SqliteOutbox, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_PRUNE_EVERY", SOON)
    machine = Clocks()
    clock = machine.process_clock()
    outbox.complete(keep(outbox, 0, at=clock()), attempt(200))
    outbox.bury(keep(outbox, 1, at=clock()), attempt(400), reason="HTTP 400")
    keep(outbox, 2, at=clock())
    await outbox.settle()
    turns = note_prunes(outbox, monkeypatch)
    left = []
    with capture_logs() as lines:
        async with running(prune(outbox, active(), clock=clock)):
            for hours in (1, 2, 2):  # one, three and five hours later
                await turns.more()
                machine.pass_(hours * HOUR)
                await turns.more(2)
                left.append([status for (status,) in look(path, "SELECT status FROM deliveries ORDER BY event_seq")])
    assert left == [["delivered", "dead", "in_flight"], ["dead", "in_flight"], ["in_flight"]]
    assert [line["events"] for line in lines if line["event"] == "outbox.pruned"] == [1, 1]


async def test_a_clock_that_was_set_forward_makes_no_history_old(
    outbox: SqliteOutbox, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_PRUNE_EVERY", SOON)
    machine = Clocks()
    clock = machine.process_clock()
    clock.adopt(outbox.clock_steps, latest=None, next_seq=outbox.next_seq, keep=outbox.note_clock_steps)
    outbox.complete(keep(outbox, 0, at=clock()), attempt(200))
    await outbox.settle()
    turns = note_prunes(outbox, monkeypatch)
    async with running(prune(outbox, active(), clock=clock)):
        machine.set(timedelta(days=3))
        clock()
        await turns.more(2)
        assert look(path, "SELECT count(*) FROM deliveries") == [(1,)]
        machine.pass_(3 * HOUR)
        await turns.more(2)
        assert look(path, "SELECT count(*) FROM deliveries") == [(0,)]


async def test_nothing_is_removed_while_a_successor_is_about_to_read_it(
    outbox: SqliteOutbox, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_PRUNE_EVERY", SOON)
    machine = Clocks()
    clock = machine.process_clock()
    outbox.complete(keep(outbox, 0, at=clock()), attempt(200))
    await outbox.settle()
    machine.pass_(3 * HOUR)
    asked, is_announced = Turns(), True

    def is_needed() -> bool:
        asked.note()
        return is_announced

    turns = note_prunes(outbox, monkeypatch)
    async with running(prune(outbox, active(), clock=clock, is_needed=is_needed)):
        await asked.more(3)
        assert turns.count == 0
        is_announced = False
        await turns.more()
    assert look(path, "SELECT count(*) FROM deliveries") == [(0,)]


async def test_delivered_history_is_removed_before_its_time_where_the_outbox_is_nearly_full(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_SIZE_EVERY", SOON)
    async with open_outbox(FileSettings(path=path, durability="normal", max_size=1 << 20)) as outbox:
        numbers = count()
        while not await outbox._pruner._is_over(0.92):
            for _ in range(20):
                outbox.complete(keep(outbox, next(numbers)), attempt(200))
            await outbox.settle()
        (before,) = look(path, "SELECT count(*) FROM deliveries")[0]
        turns = note_prunes(outbox, monkeypatch, "prune_to_size")
        with capture_logs() as lines:
            async with running(keep_to_size(outbox)):
                await turns.more(2)
        pruned = [line for line in lines if line["event"] == "outbox.pruned_for_room"]
        assert pruned
        (after,) = look(path, "SELECT count(*) FROM deliveries")[0]
        assert before - after == sum(line["events"] for line in pruned) > 0


# The service manager


@contextmanager
def service(folder: Path, *, watchdog_us: int | None = None) -> Iterator[tuple[ServiceStatus, Counters, socket.socket]]:
    """Give the reports of a service, and the socket that they come to."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
        unix.bind(str(folder / "notify"))
        unix.setblocking(False)
        environment = {"NOTIFY_SOCKET": str(folder / "notify")}
        if watchdog_us is not None:
            environment["WATCHDOG_USEC"] = str(watchdog_us)
        counters = Counters()
        yield ServiceStatus(ServiceManager(environment), counters), counters, unix


async def heard(unix: socket.socket, message: str, *, times: int = 1) -> None:
    """Return once a message came so often."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(60):
        while times:
            times -= (await loop.sock_recv(unix, 4096)).decode().split("\n")[0] == message


def waiting(unix: socket.socket) -> list[str]:
    """Return the first lines of all messages that are there."""
    found = []
    while True:
        try:
            found.append(unix.recv(4096).decode().split("\n")[0])
        except BlockingIOError:
            return found


def test_the_service_is_ready_with_a_line_of_counts(tmp_path: Path) -> None:
    with service(tmp_path) as (status, counters, unix):
        counters.seen = 3
        status.reloading()
        status.ready()
        assert unix.recv(4096).decode().startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert unix.recv(4096).decode() == "READY=1\nSTATUS=3 events seen, 0 delivered, 0 dead"


async def test_the_watchdog_is_fed_while_the_loop_and_the_writer_move(tmp_path: Path, outbox: SqliteOutbox) -> None:
    with service(tmp_path, watchdog_us=20_000) as (status, _, unix):
        async with running(status.feed_watchdog(outbox)):
            await heard(unix, "WATCHDOG=1", times=3)


async def test_the_verdict_is_shown_again_when_it_changes_and_not_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_SHOW_EVERY", timedelta(milliseconds=1))
    looks = 0
    report = StatusReport()

    def current() -> StatusReport:
        nonlocal looks
        looks += 1
        return report

    with service(tmp_path) as (status, counters, unix):
        async with running(status.show_verdict(current, utc_now)):
            await heard(unix, "STATUS=OK; 0 events seen, 0 delivered, 0 dead")
            before = looks
            while looks < before + 3:  # noqa: ASYNC110 - a look has no event
                await asyncio.sleep(0.001)
            assert waiting(unix) == []
            report = StatusReport(log=LogReport(trouble="no space left on device"))
            counters.seen = 1
            text = "DEGRADED: the log cannot be written (no space left on device); 1 event seen, 0 delivered, 0 dead"
            await heard(unix, f"STATUS={text}")
            status.ready()  # after a reload
            assert unix.recv(4096).decode() == f"READY=1\nSTATUS={text}"


async def test_without_a_service_manager_no_verdict_is_made() -> None:
    status = ServiceStatus(ServiceManager({}), Counters())
    await status.show_verdict(lambda: pytest.fail("nobody reads it"), utc_now)


class Stuck:
    """An outbox whose writer does not move, until a test says so."""

    def __init__(self) -> None:
        self.beats = 0
        self.woken = Turns()

    def wake(self) -> None:
        self.woken.note()


async def test_a_writer_that_does_not_move_feeds_no_watchdog(tmp_path: Path) -> None:
    stuck = Stuck()
    with service(tmp_path, watchdog_us=10_000) as (status, _, unix):
        async with running(status.feed_watchdog(cast("OutboxStore", stuck))):
            await stuck.woken.more(5)
            assert "WATCHDOG=1" not in waiting(unix)
            stuck.beats += 1
            await heard(unix, "WATCHDOG=1")


async def test_the_watchdog_is_fed_while_the_outbox_is_opened(tmp_path: Path) -> None:
    with service(tmp_path, watchdog_us=20_000) as (status, _, unix):
        async with running(status.feed_watchdog_while_starting()):
            await heard(unix, "WATCHDOG=1", times=2)


async def test_without_a_watchdog_nothing_feeds_it(tmp_path: Path, outbox: SqliteOutbox) -> None:
    with service(tmp_path) as (status, _, unix):
        await status.feed_watchdog(outbox)
        await status.feed_watchdog_while_starting()
        assert waiting(unix) == []
