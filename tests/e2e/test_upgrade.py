"""`forwarder upgrade` and SIGUSR2: the running daemon starts its successor itself, and the service manager follows."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import Load, assert_balanced, until
from tests.support.delivery import configure, status
from tests.support.process import KEY, Forwarder, command, forwarder


@asynccontextmanager
async def upgradable(folder: Path, **env: str) -> AsyncIterator[tuple[Path, Forwarder, Emulator, Receiver]]:
    """Give a daemon that is ready; whatever follows it is ended too."""
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = configure(folder, emulator, {"bot": (receiver, "")}, extra="reload: {watch: false}\n")
        async with forwarder(config, env=env) as daemon:
            try:
                await daemon.wait_for("daemon.ready")
                yield config, daemon, emulator, receiver
            finally:
                for line in [each for each in daemon.lines if each["event"] == "upgrade.started"]:
                    end(line["successor"])


async def ended(daemon: Forwarder) -> int | None:
    """Return its exit code; `Forwarder.ended` would wait for its successor too, which writes to the same pipe."""
    await until(lambda: daemon.process.returncode is not None, limit_s=20, what="the end of the old process")
    return daemon.process.returncode


def end(pid: int) -> None:
    """Kill a successor, which is no child of ours, where it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def test_an_upgrade_under_load_loses_and_doubles_nothing_and_the_next_one_works_as_well(tmp_path: Path) -> None:
    async with upgradable(tmp_path) as (config, daemon, emulator, receiver):
        async with Load(emulator, rate=300).flowing():
            code, out, err = await command("upgrade", "-c", str(config))
            assert code == exit_codes.OK, out + err
            first = (await status(config))["pid"]
            assert f"process {first} takes over from process {daemon.process.pid}" in out
            assert f"process {first}, is in charge" in out
            assert await ended(daemon) == exit_codes.OK
            code, out, err = await command("upgrade", "-c", str(config))
            assert code == exit_codes.OK, out + err
            second = (await status(config))["pid"]
            assert len({daemon.process.pid, first, second}) == 3
        sent = {each.frame for each in emulator.sent}
        await receiver.wait_until(lambda it: {request.body for request in it.requests} >= sent)
        assert receiver.accepted == len(sent)
        os.kill(second, signal.SIGTERM)
        await daemon.wait_for("daemon.stopped")
        await assert_balanced(config)


async def test_a_successor_that_cannot_start_is_told_and_the_daemon_goes_on(tmp_path: Path) -> None:
    async with upgradable(tmp_path) as (config, daemon, emulator, receiver):
        good = config.read_text()
        config.write_text(good.replace("routes", "rutes") + "admin: {socket: outbox.db.sock}\n")
        code, out, err = await command("upgrade", "-c", str(config))
        assert code == exit_codes.FAILURE, out
        assert "ended with exit code 78" in err
        assert "rutes" in err
        assert "this one goes on" in err
        daemon.send(signal.SIGUSR2)  # the same, told in the log
        await daemon.wait_for("upgrade.failed", count=2)
        config.write_text(good)
        await Load(emulator, rate=100).send(5)
        await receiver.wait_for(5)
        assert (await status(config))["pid"] == daemon.process.pid
        daemon.send(signal.SIGUSR2)
        await daemon.wait_for("daemon.handed_over")
        assert await ended(daemon) == exit_codes.OK


async def test_of_two_upgrades_at_once_one_is_refused(tmp_path: Path) -> None:
    async with upgradable(tmp_path) as (config, daemon, _, _):
        outcomes = await asyncio.gather(*(command("upgrade", "-c", str(config)) for _ in range(2)))
        assert sorted(code for code, _, _ in outcomes) == [exit_codes.OK, exit_codes.FAILURE], outcomes
        assert await ended(daemon) == exit_codes.OK
        assert len([line for line in daemon.lines if line["event"] == "upgrade.started"]) == 1


async def test_where_none_runs_there_is_nothing_to_upgrade(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = configure(tmp_path, emulator, {"bot": (receiver, "")})
        code, _, err = await command("upgrade", "-c", str(config))
        assert code == exit_codes.NO_DAEMON
        assert "no forwarder answers" in err


async def test_the_service_manager_is_told_who_goes_on_before_the_old_process_ends(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        heard: list[str] = []
        asyncio.get_running_loop().add_reader(manager, lambda: heard.append(manager.recv(4096).decode()))
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        async with upgradable(tmp_path, **env) as (config, daemon, _, _):
            # Another process is not of the service: its end would not be noticed.
            code, _, err = await command("run", "--takeover", "-c", str(config))
            assert code == exit_codes.NO_TAKEOVER
            assert "forwarder upgrade" in err
            code, out, err = await command("upgrade", "-c", str(config))
            assert code == exit_codes.OK, out + err
            assert await ended(daemon) == exit_codes.OK
            successor = (await status(config))["pid"]
            main = [each.startswith(f"MAINPID={successor}\n") for each in heard].index(True)

            def hears(what: str) -> bool:
                return any(each.split("\n")[0] == what for each in heard[main:])

            await until(lambda: hears("READY=1"), limit_s=20, what="ready")
            await until(lambda: hears("WATCHDOG=1"), limit_s=20, what="a sign of life")
            assert not any(each.startswith("STOPPING=1") for each in heard)
            os.kill(successor, signal.SIGTERM)
            await daemon.wait_for("daemon.stopped")
            await until(lambda: hears("STOPPING=1"), limit_s=20, what="stopping")
        asyncio.get_running_loop().remove_reader(manager)


async def test_a_stop_during_an_upgrade_stops_the_successor_too(tmp_path: Path) -> None:
    async with upgradable(tmp_path) as (config, daemon, emulator, _):
        emulator.hang(30, handshakes=True)  # the successor waits for its stream
        daemon.send(signal.SIGUSR2)
        started = await daemon.wait_for("upgrade.started")
        await daemon.wait_for("takeover.announced")
        daemon.send(signal.SIGTERM)
        assert await ended(daemon) == exit_codes.OK
        successor = Path(f"/proc/{started['successor']}")
        await until(lambda: not successor.exists(), limit_s=20, what="the end of the successor")
        assert (await command("status", "-c", str(config)))[0] == exit_codes.NO_DAEMON
