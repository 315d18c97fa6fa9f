"""The heartbeat of the real daemon: an outside monitor is requested while all is well, and only then."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from forwarder.emulator.receiver import Answer, Received, Receiver
from forwarder.emulator.script import packaged_events
from forwarder.emulator.server import Emulator
from tests.support.crash import until
from tests.support.delivery import configure, status, stopped
from tests.support.fast_heartbeat import PROGRAM
from tests.support.process import KEY, Forwarder, command, forwarder

SECRET = "0b6e1f0e-ping-id"


def url_of(monitor: Receiver, path: str = SECRET) -> str:
    return monitor.url.replace("hook", path)


@asynccontextmanager
async def beating(
    folder: Path, settings: str = "every: 10s", *, destination: str = ""
) -> AsyncIterator[tuple[Path, Forwarder, Emulator, Receiver, Receiver]]:
    """Give a config, the daemon that runs with it, its stream, its destination and its monitor."""
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver() as monitor:
        extra = (
            f"heartbeat: {{url: '{url_of(monitor)}', {settings.replace('FAIL', url_of(monitor, SECRET + '/fail'))}}}\n"
        )
        config = configure(folder, emulator, {"bot": (bot, destination)}, extra=extra)
        async with forwarder(config, program=PROGRAM) as daemon:
            yield config, daemon, emulator, bot, monitor


async def more(monitor: Receiver, count: int = 2) -> None:
    """The monitor is requested again and again."""
    await monitor.wait_for(monitor.accepted + count)


async def no_more(monitor: Receiver) -> None:
    """One request may be under way; after it there is none for several intervals."""
    await asyncio.sleep(0.3)
    received = monitor.received
    await asyncio.sleep(2)
    assert monitor.received == received


async def test_the_monitor_is_requested_while_all_is_well_and_neither_while_a_stream_is_away_nor_at_a_stop(
    tmp_path: Path,
) -> None:
    async with beating(tmp_path) as (_config, daemon, emulator, bot, monitor):
        await more(monitor, 3)
        first = monitor.requests[0]
        assert (first.method, first.path, first.body) == ("GET", f"/{SECRET}", b"")
        assert first.headers["user-agent"].startswith("forwarder/")
        emulator.refuse(503, seconds=600)
        await emulator.drop()
        line = await daemon.wait_for("heartbeat.withheld", level="warning")
        assert "no stream has been open" in line["reason"]
        await no_more(monitor)
        emulator.clear()
        await daemon.wait_for("heartbeat.resumed")
        await more(monitor)
        await stopped(daemon)
        assert bot.received == 0
    assert SECRET not in json.dumps(daemon.lines)
    assert sum(line["event"].startswith("heartbeat.") for line in daemon.lines) == 2


async def test_a_destination_that_is_down_ends_the_requests_unless_only_down_counts(tmp_path: Path) -> None:
    down = "breaker: {failures_in_a_row: 1}, retry: {delays: [100ms, 1h]}"
    async with beating(tmp_path, destination=down) as (config, daemon, emulator, bot, monitor):
        await more(monitor)
        bot.status = 500
        await emulator.send(packaged_events()[0])
        line = await daemon.wait_for("heartbeat.withheld")
        assert "destination bot is down" in line["reason"]
        await no_more(monitor)
        config.write_text(config.read_text().replace("every: 10s", "every: 10s, when: up"))
        await daemon.wait_for("reload.done")
        await more(monitor)
        assert (await status(config))["verdict"]["level"] == "DEGRADED"
        await stopped(daemon)


async def test_a_url_for_failures_is_requested_meanwhile(tmp_path: Path) -> None:
    async with beating(tmp_path, "every: 10s, fail_url: 'FAIL'") as (_config, daemon, emulator, _bot, monitor):
        await more(monitor)
        emulator.refuse(503, seconds=600)
        await emulator.drop()
        await daemon.wait_for("heartbeat.withheld")
        await monitor.wait_until(paths(f"/{SECRET}/fail", 2))
        emulator.clear()
        await daemon.wait_for("heartbeat.resumed")
        seen = monitor.received
        await monitor.wait_until(lambda it: any(each.path == f"/{SECRET}" for each in it.requests[seen:]))
        await stopped(daemon)


def paths(path: str, count: int) -> Callable[[Receiver], bool]:
    return lambda monitor: sum(request.path == path for request in monitor.requests) >= count


async def test_a_monitor_that_fails_is_reported_once_and_holds_up_no_delivery(tmp_path: Path) -> None:
    async with beating(tmp_path, "every: 10s, timeout: 1s") as (_config, daemon, emulator, bot, monitor):

        def hang_or_fail(request: Received) -> Answer:
            return Answer(action="hang") if monitor.received == 1 else Answer(status=500, body=SECRET.encode())

        monitor.respond = hang_or_fail
        await monitor.wait_until(lambda it: it.received == 1)
        await emulator.send(packaged_events()[0])
        await bot.wait_for(1)  # while the monitor does not answer
        line = await daemon.wait_for("heartbeat.failed", level="warning")
        assert line["reason"] == "no answer within 1 s"
        await monitor.wait_until(lambda it: it.received >= 4)
        monitor.respond = None
        await daemon.wait_for("heartbeat.works")
        await stopped(daemon)
    assert [line["event"] for line in daemon.lines if line["event"] == "heartbeat.failed"] == ["heartbeat.failed"]
    assert SECRET not in json.dumps(daemon.lines)


async def test_it_can_be_edited_and_removed_while_the_daemon_runs(tmp_path: Path) -> None:
    async with beating(tmp_path) as (config, daemon, _emulator, _bot, monitor), Receiver() as second:
        await more(monitor)
        text = config.read_text()
        config.write_text(text.replace(url_of(monitor), url_of(second, "other-id")))
        line = await daemon.wait_for("reload.done")
        assert line["plan"] == ["heartbeat.url changed"]
        await more(second)
        await no_more(monitor)
        config.write_text(text[: text.index("heartbeat:")])
        await daemon.wait_for("reload.done", count=2)
        await no_more(second)
        config.write_text(text)
        await daemon.wait_for("reload.done", count=3)
        await more(monitor)
        await stopped(daemon)
    assert "other-id" not in json.dumps(daemon.lines)


async def test_an_address_that_is_denied_is_not_requested(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver() as monitor:
        url = url_of(monitor).replace("127.0.0.1", "localhost")
        extra = f"heartbeat: {{url: '{url}', every: 10s}}\nnetworks: {{deny: private}}\n"
        config = configure(tmp_path, emulator, {"bot": (bot, "")}, extra=extra)
        config.write_text(config.read_text().replace(bot.url, "http://bot.invalid/hook"))
        async with forwarder(config, program=PROGRAM) as daemon:
            await daemon.wait_for("heartbeat.failed")
            await stopped(daemon)
        assert monitor.received == 0


async def test_over_an_upgrade_the_requests_go_on(tmp_path: Path) -> None:
    async with beating(tmp_path) as (config, daemon, _emulator, _bot, monitor):
        await more(monitor)
        await daemon.wait_for("daemon.ready")
        successor = 0
        try:
            code, out, err = await command("upgrade", "-c", str(config))
            assert code == 0, out + err
            successor = (await status(config))["pid"]
            assert successor != daemon.process.pid
            await until(lambda: daemon.process.returncode is not None, limit_s=90, what="the end of the old process")
            await more(monitor, 3)
            os.kill(successor, signal.SIGTERM)
            await daemon.wait_for("daemon.stopped")
        finally:
            if successor:
                with suppress(ProcessLookupError):
                    os.kill(successor, signal.SIGKILL)
    assert not [line for line in daemon.lines if line["event"].startswith("heartbeat.")]
