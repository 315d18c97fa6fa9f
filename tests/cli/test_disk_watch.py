"""A command ends if the daemon or the disk does not answer, and passes on signals and output meanwhile."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import until
from tests.support.delivery import configure
from tests.support.disks import disk, run, why_no_disk
from tests.support.lanes import event
from tests.support.process import KEY, Forwarder, command_as_process, forwarder


@asynccontextmanager
async def running(folder: Path, outbox: str = "") -> AsyncIterator[tuple[Path, Forwarder, Emulator, Receiver]]:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(folder, emulator, {"bot": (bot, "")})
        if outbox:
            config.write_text(config.read_text().replace("sqlite:outbox.db", f"sqlite:{outbox}"))
        async with forwarder(config) as daemon:
            await daemon.wait_for("daemon.ready")
            for number in range(3):
                await emulator.send(event(number).body)
            await bot.wait_for(3)
            yield config, daemon, emulator, bot


async def test_a_stopped_daemon_ends_every_question_with_69_and_a_sentence_and_reading_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path) as (config, daemon, _, _):
        path = str(config)
        daemon.send(signal.SIGSTOP)
        try:
            began = monotonic()
            questions = [
                ("status", "--prometheus"),
                ("pause", "bot"),
                ("reconnect",),
                ("reload",),
                ("upgrade",),
                ("replay", "--since", "1h", "--to", "bot"),
                ("replay", "--since", "1h", "--to", "bot", "--wait"),
                ("outbox", "vacuum"),
                ("check", "--diff"),
            ]
            answers = await asyncio.gather(*(command_as_process(*words, "-c", path, limit_s=60) for words in questions))
            assert monotonic() - began < 60
            for words, (code, out, err) in zip(questions, answers, strict=True):
                assert code == exit_codes.NO_DAEMON, (words, out, err)
                assert f"kill -CONT {daemon.process.pid}" in err, (words, err)
                assert "Traceback" not in err
            assert "forwarder_up 0" in answers[0][1]
            readings = [("events",), ("outbox", "check")]
            answers = await asyncio.gather(*(command_as_process(*words, "-c", path) for words in readings))
            assert [code for code, _, _ in answers] == [0] * len(readings), answers
            code, _, err = await command_as_process("run", "--takeover", "-c", path)
            assert code == exit_codes.NO_TAKEOVER
            assert f"kill -CONT {daemon.process.pid}" in err
        finally:
            daemon.send(signal.SIGCONT)
        code, out, _ = await command_as_process("status", "--json", "-c", path)
        assert code == 0, out
        status = json.loads(out)  # the client has given up: nothing is done for it
        assert status["pid"] == daemon.process.pid
        assert status["destinations"]["bot"]["paused"] is None
        assert {line["event"] for line in daemon.lines}.isdisjoint({"upgrade.started", "destination.paused"})


@pytest.mark.skipif(why_no_disk() is not None, reason=why_no_disk() or "can mount")
async def test_a_frozen_file_system_hangs_no_command(tmp_path: Path) -> None:
    with disk(tmp_path, size_mb=64) as made:
        async with running(tmp_path, outbox=str(made.mounted / "outbox.db")) as (config, daemon, _, _):
            path = str(config)
            run("fsfreeze", "--freeze", str(made.mounted))
            try:
                commands = [
                    ("status", "--json"),
                    ("status",),
                    ("deliveries", "--json"),
                    ("audit",),
                    ("pause", "bot"),
                    ("replay", "--since", "1h", "--to", "bot"),
                ]
                answers = await asyncio.gather(
                    *(command_as_process(*words, "-c", path, limit_s=60) for words in commands)
                )
                for words, (code, out, err) in zip(commands, answers, strict=True):
                    assert code == exit_codes.DISK_SILENT, (words, out, err)
                    assert "disk" in err, (words, err)
                    assert "Traceback" not in err
                status = json.loads(answers[0][1])  # what the daemon itself knows is there
                assert status["pid"] == daemon.process.pid
                assert status["waiting"] is None
            finally:
                run("fsfreeze", "--unfreeze", str(made.mounted))
            code, out, err = await command_as_process("status", "-c", path)
            assert code == 0, out + err
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0


# The process that does the work, and the one that looks on


def child_of(pid: int) -> int:
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return int(child)


@pytest.fixture
async def waiting(tmp_path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Give a command that lasts: it waits for a delivery that a paused destination does not get."""
    async with running(tmp_path) as (config, _, _, _):
        for words in (("pause", "bot"), ("replay", "--since", "1h", "--to", "bot")):
            code, out, err = await command_as_process(*words, "-c", str(config))
            assert code == 0, out + err
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "forwarder", "replay", "--since", "1h", "--to", "bot", "--wait", "-c", str(config)),
            stdout=subprocess.PIPE,
            preexec_fn=_heed_signals,
        )
        assert process.stdout is not None
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


def _heed_signals() -> None:
    """Tests that run in the background may ignore some, and their children with them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def has_open(pid: int, name: str) -> bool:
    with suppress(FileNotFoundError):  # closed meanwhile
        return any(each.readlink().name == name for each in Path(f"/proc/{pid}/fd").iterdir())
    return False


async def begun(process: asyncio.subprocess.Process) -> int:
    """Return the child, once there is one."""
    async with asyncio.timeout(20):
        while True:
            with suppress(ValueError):
                return child_of(process.pid)
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP)]
)
async def test_a_signal_to_the_command_reaches_the_process_that_does_the_work(
    waiting: asyncio.subprocess.Process, number: signal.Signals, code: int
) -> None:
    child = await begun(waiting)
    await until(lambda: has_open(child, "outbox.db"), limit_s=90, what="the child's work")
    waiting.send_signal(number)
    async with asyncio.timeout(20):
        assert await waiting.wait() == code
    assert not Path(f"/proc/{child}").exists()


async def test_a_command_that_is_killed_leaves_no_process(waiting: asyncio.subprocess.Process) -> None:
    child = await begun(waiting)
    waiting.kill()
    await until(lambda: not is_running(child), limit_s=20, what="the end of the child")


async def test_what_a_command_prints_goes_through_whole_and_a_reader_that_leaves_ends_it(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        async with forwarder(config) as daemon:
            await daemon.wait_for("daemon.ready")
            for number in range(300):
                await emulator.send(event(number, padding=2000).body)
            await bot.wait_for(300)
            daemon.send(signal.SIGTERM)
            assert await daemon.ended() == 0
        words = [sys.executable, "-m", "forwarder", "outbox", "export", "-c", str(config)]
        file = tmp_path / "export"
        with file.open("wb") as to:
            assert (await (await asyncio.create_subprocess_exec(*words, stdout=to)).wait()) == 0
        piped = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE)
        out, _ = await piped.communicate()
        assert piped.returncode == 0
        assert out == file.read_bytes()
        assert len(out.splitlines()) == 300
        shell = f"{' '.join(words)} | head -n 1; exit ${{PIPESTATUS[0]}}"
        head = await asyncio.create_subprocess_exec("/bin/bash", "-c", shell, stdout=subprocess.PIPE)
        out, _ = await head.communicate()
        assert len(out.splitlines()) == 1
        assert head.returncode == 141
