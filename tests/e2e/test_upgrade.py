"""`forwarder upgrade` and SIGUSR2: the running daemon starts its successor itself, and the service manager follows."""

import asyncio
import os
import re
import shutil
import signal
import socket
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import Load, assert_balanced, until
from tests.support.delivery import configure, status
from tests.support.paths import ROOT
from tests.support.process import KEY, Forwarder, command, command_as_process, forwarder


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
    await until(lambda: daemon.process.returncode is not None, limit_s=90, what="the end of the old process")
    return daemon.process.returncode


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def ancestors_of(pid: int) -> list[int]:
    found: list[int] = []
    while pid > 1:
        pid = parent_of(pid)
        found.append(pid)
    return found


def end(pid: int) -> None:
    """Kill a successor, which is no child of ours, where it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def test_an_upgrade_under_load_loses_and_duplicates_nothing_and_the_next_one_works_as_well(
    tmp_path: Path,
) -> None:
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


async def test_a_successor_that_cannot_start_is_reported_and_the_daemon_goes_on(tmp_path: Path) -> None:
    async with upgradable(tmp_path) as (config, daemon, emulator, receiver):
        good = config.read_text()
        config.write_text(good.replace("routes", "rutes") + "admin: {socket: outbox.db.sock}\n")
        code, out, err = await command("upgrade", "-c", str(config))
        assert code == exit_codes.FAILURE, out
        assert "ended with exit code 78" in err
        assert "rutes" in err
        assert "this process keeps running" in err
        daemon.send(signal.SIGUSR2)  # the same, reported in the log
        await daemon.wait_for("upgrade.failed", count=2)
        config.write_text(good)
        await Load(emulator, rate=100).send(5)
        await receiver.wait_for(5)
        assert (await status(config))["pid"] == daemon.process.pid
        daemon.send(signal.SIGUSR2)
        await daemon.wait_for("daemon.handed_over")
        assert await ended(daemon) == exit_codes.OK


async def test_a_successor_that_could_not_start_leaves_no_zombie(tmp_path: Path) -> None:
    async with upgradable(tmp_path) as (config, daemon, _, _):
        good = config.read_text()
        config.write_text(good.replace("routes", "rutes") + "admin: {socket: outbox.db.sock}\n")
        for _ in range(2):
            assert (await command("upgrade", "-c", str(config)))[0] == exit_codes.FAILURE
        pid = daemon.process.pid
        children = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
        assert not any(children)
        if os.geteuid() == 0:  # the daemon keeps its memory and its files private
            descriptors = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]
            assert not [each for each in descriptors if "words of a successor" in each]


async def test_of_two_upgrades_at_once_one_is_refused(tmp_path: Path) -> None:
    async with upgradable(tmp_path) as (config, daemon, _, _):
        outcomes = await asyncio.gather(*(command_as_process("upgrade", "-c", str(config)) for _ in range(2)))
        assert sorted(code for code, _, _ in outcomes) == [exit_codes.OK, exit_codes.FAILURE], outcomes
        assert await ended(daemon) == exit_codes.OK
        assert len([line for line in daemon.lines if line["event"] == "upgrade.started"]) == 1


async def test_a_launcher_that_is_killed_does_not_keep_its_successor_from_taking_over(tmp_path: Path) -> None:
    async with upgradable(tmp_path) as (config, daemon, emulator, _):
        emulator.hang(2, handshakes=True)
        daemon.send(signal.SIGUSR2)
        successor = (await daemon.wait_for("upgrade.started"))["successor"]
        await daemon.wait_for("takeover.announced", by=successor)
        launcher = parent_of(successor)
        assert parent_of(launcher) == daemon.process.pid
        os.kill(launcher, signal.SIGKILL)
        await daemon.wait_for("daemon.handed_over")
        assert await ended(daemon) == exit_codes.OK
        await daemon.wait_for("takeover.done")
        assert (await status(config))["pid"] == successor


async def test_an_upgrade_replaces_the_interpreter_too(tmp_path: Path) -> None:
    def install(version: str) -> None:
        interpreter = tmp_path / version / "python"
        interpreter.parent.mkdir()
        interpreter.symlink_to(Path(sys.executable).resolve())
        script.write_text(f"#!{interpreter}\nimport sys\nfrom forwarder.cli import main\nsys.exit(main())\n")
        script.chmod(0o755)

    script = tmp_path / "forwarder"
    install("old")
    path = os.pathsep.join(each for each in [str(ROOT), *sys.path] if each)
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = configure(tmp_path, emulator, {"bot": (receiver, "")})
        async with forwarder(config, env={"PYTHONPATH": path}, program=[str(script)]) as daemon:
            await daemon.wait_for("daemon.ready")
            shutil.rmtree(tmp_path / "old")
            install("new")
            code, out, err = await command("upgrade", "-c", str(config))
            assert code == exit_codes.OK, out + err
            successor = (await status(config))["pid"]
            assert str(tmp_path / "new") in Path(f"/proc/{successor}/cmdline").read_text()
            assert await ended(daemon) == exit_codes.OK
            os.kill(successor, signal.SIGTERM)
            await daemon.wait_for("daemon.stopped")


async def test_a_successor_that_dies_after_it_was_left_the_place_is_reported_by_the_exit_code(tmp_path: Path) -> None:
    async with upgradable(tmp_path) as (config, daemon, emulator, receiver):
        text = config.read_text().replace("/hook'}", "/hook', timeout: 60s}")
        assert "timeout: 60s" in text
        config.write_text(text + "grace_period: 4s\n")
        receiver.delay_s = 60  # so that it uses up its grace period
        await command("reload", "-c", str(config))
        await Load(emulator, rate=100).send(10)
        await receiver.wait_until(lambda it: it.received >= 1)
        daemon.send(signal.SIGUSR2)
        successor = (await daemon.wait_for("upgrade.started"))["successor"]
        await daemon.wait_for("daemon.stopping")
        end(successor)
        await daemon.wait_for("daemon.successor_lost")
        assert await ended(daemon) == exit_codes.FAILURE


async def test_a_stream_that_only_the_settings_of_before_a_reload_hold_is_not_given_up_to_a_successor_that_cannot_open_it(
    tmp_path: Path,
) -> None:
    async with upgradable(tmp_path) as (config, daemon, emulator, receiver):
        config.write_text(config.read_text().replace(f"api_key: {KEY}", "api_key: another-key"))
        code, out, err = await command("reload", "-c", str(config))
        assert code == exit_codes.OK, out + err
        await daemon.wait_for("stream.unavailable", kind="key_refused")
        code, out, err = await command("upgrade", "-c", str(config))
        assert code == exit_codes.FAILURE, out + err
        await Load(emulator, rate=100).send(10)
        await receiver.wait_until(lambda it: it.accepted == 10)
        assert daemon.process.returncode is None


async def test_the_service_manager_is_notified_who_goes_on_before_the_old_process_ends(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        received: list[str] = []
        senders: dict[int, int] = {}
        ancestors: dict[int, list[int]] = {}

        def receive() -> None:
            message, [(_, _, sender)], *_ = manager.recvmsg(4096, 4096)
            received.append(message.decode())
            if named := re.match(r"MAINPID=(\d+)", received[-1]):
                pid = int(named[1])
                senders[pid], *_ = struct.unpack("3i", sender)
                ancestors[pid] = ancestors_of(pid)

        asyncio.get_running_loop().add_reader(manager, receive)
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
            assert senders[successor] == daemon.process.pid
            assert daemon.process.pid not in ancestors[successor]  # systemd waits for the end of its own children alone
            main = [each.startswith(f"MAINPID={successor}\n") for each in received].index(True)

            def has_received(what: str) -> bool:
                return any(each.split("\n")[0] == what for each in received[main:])

            await until(lambda: has_received("READY=1"), limit_s=90, what="ready")
            await until(lambda: has_received("WATCHDOG=1"), limit_s=90, what="a sign of life")
            assert not any(each.startswith("STOPPING=1") for each in received)
            os.kill(successor, signal.SIGTERM)
            await daemon.wait_for("daemon.stopped")
            await until(lambda: has_received("STOPPING=1"), limit_s=90, what="stopping")
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
        await until(lambda: not successor.exists(), limit_s=90, what="the end of the successor")
        assert (await command("status", "-c", str(config)))[0] == exit_codes.NO_DAEMON
