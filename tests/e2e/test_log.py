"""A log that nobody reads, or that cannot be written, costs lines of the log and nothing else."""

import asyncio
import json
import os
import pty
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from forwarder.emulator.receiver import Answer, Received, Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import until
from tests.support.delivery import assert_balanced, configure, status, status_text, stopped
from tests.support.disks import tmpfs, why_no_tmpfs
from tests.support.lanes import event
from tests.support.process import KEY, LOG_ALL, command, forwarder

EVENTS = 400
"""Lines of which fill any pipe."""


@contextmanager
def unread_pipe(_folder: Path) -> Iterator[int]:
    read, write = os.pipe()
    try:
        yield write
    finally:
        os.close(read)
        os.close(write)


@contextmanager
def closed_pipe(_folder: Path) -> Iterator[int]:
    read, write = os.pipe()
    os.close(read)
    try:
        yield write
    finally:
        os.close(write)


@contextmanager
def stopped_terminal(_folder: Path) -> Iterator[int]:
    """As after Ctrl-S."""
    main, terminal = pty.openpty()
    try:
        termios.tcflow(terminal, termios.TCOOFF)
        yield terminal
    finally:
        os.close(main)
        os.close(terminal)


@contextmanager
def full_device(_folder: Path) -> Iterator[int]:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def full_disk(folder: Path) -> Iterator[int]:
    with ExitStack() as held:
        disk = held.enter_context(tmpfs(folder / "small", size_mb=1))
        descriptor = os.open(disk / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        held.callback(os.close, descriptor)
        with suppress(OSError):
            while True:
                os.write(descriptor, b"\n" * 4096)
        yield descriptor


@pytest.mark.parametrize(
    "sink",
    [
        unread_pipe,
        closed_pipe,
        stopped_terminal,
        full_device,
        pytest.param(
            full_disk, marks=pytest.mark.skipif(why_no_tmpfs() is not None, reason=why_no_tmpfs() or "can mount")
        ),
    ],
)
async def test_everything_is_delivered_and_the_daemon_answers_and_ends_in_time(
    sink: Callable[[Path], AbstractContextManager[int]], tmp_path: Path
) -> None:
    """Also with failures, whose lines are written at once, and with standard error in the same place."""
    refusals = iter(range(1))

    def respond(_received: Received) -> Answer:
        return Answer() if next(refusals, None) is None else Answer(status=503)

    async with Emulator(api_key=KEY) as emulator, Receiver(respond=respond) as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "retry: {delays: [100ms, 100ms, 100ms, 1s, 1s, 1s, 1s]}")})
        with sink(tmp_path) as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "forwarder", "run", "-c", str(config), *LOG_ALL),
                stdout=output,
                stderr=output,
            )
            try:
                await emulator.wait_connected(timeout=30)
                for number in range(EVENTS):
                    await emulator.send(event(number).body)
                await bot.wait_until(
                    lambda it: len({request.body for request in it.requests if request.accepted}) == EVENTS, timeout=60
                )
                async with asyncio.timeout(30):
                    while (await status(config))["log"]["trouble"] is None:
                        pass
                process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(30):
                    assert await process.wait() == 0
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        await assert_balanced(config)


async def test_a_log_that_is_read_again_says_once_what_is_missing(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        read, write = os.pipe()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "forwarder", "run", "-c", str(config), *LOG_ALL),
            stdout=write,
        )
        os.close(write)
        try:
            await emulator.wait_connected(timeout=30)
            began = monotonic()
            sent = 0
            while (await status(config))["log"]["lines_dropped"] == 0:
                assert monotonic() - began < 120
                for number in range(sent, sent + 4000):
                    await emulator.send(event(number).body)
                sent += 4000
                await bot.wait_for(sent, timeout=60)
            assert "log: CANNOT BE WRITTEN: it is not read as fast as it is written; " in await status_text(config)
            lines: list[dict[str, Any]] = []
            reading = asyncio.get_running_loop().run_in_executor(None, _read, read, lines)
            await until(
                lambda: any(line["event"] == "log.interrupted" for line in lines),
                limit_s=90,
                what="the line that says it",
            )
            assert (await status(config))["log"]["trouble"] is None
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
            await reading
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        (interrupted,) = (line for line in lines if line["event"] == "log.interrupted")
        delivered = sum(line["event"] == "delivery.delivered" for line in lines)
        summed = sum(line["delivered"] for line in lines if line["event"] == "delivery.summary")
        summaries_dropped = interrupted["lines_dropped"] - (sent - delivered)  # there may be one for each minute
        assert summaries_dropped >= 0
        assert (summed == sent) == (summaries_dropped == 0)
        assert lines[-1]["event"] == "daemon.stopped"


async def test_what_is_delivered_is_summed_up_also_what_arrives_in_the_grace_period(tmp_path: Path) -> None:
    """Only what failed before has a line of its own."""
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        bot.respond = lambda _received: Answer(status=503) if bot.received == 1 else Answer()
        config = configure(tmp_path, emulator, {"bot": (bot, "retry: {delays: [10ms]}")})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(event(1).body)
            line = await daemon.wait_for("delivery.delivered")
            await emulator.send(event(2).body)
            await bot.wait_for(2)  # of three requests
            bot.respond = lambda _received: Answer(delay_s=0.5)
            await emulator.send(event(3).body)
            await bot.wait_until(lambda it: it.received == 4)
            await stopped(daemon)
        names = [each["event"] for each in daemon.lines]
        assert (line["attempt"], line["level"], names.count("delivery.delivered")) == (2, "info", 1)
        summaries = [each for each in daemon.lines if each["event"] == "delivery.summary"]
        assert sum(each["delivered"] for each in summaries) == 3
        assert {(each["level"], *each["destinations"]) for each in summaries} == {("info", "bot")}
        assert names[-2:] == ["delivery.summary", "daemon.stopped"]


def _read(descriptor: int, lines: list[dict[str, Any]]) -> None:
    with os.fdopen(descriptor, "rb") as file:
        lines.extend(json.loads(line) for line in file)


async def test_a_daemon_with_closed_standard_files_works_and_writes_into_no_file_of_its_own(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        shell = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", f'exec "{sys.executable}" -m forwarder run -c "{config}" <&- >&- 2>&-')
        )
        try:
            await emulator.wait_connected(timeout=30)
            for number in range(20):
                await emulator.send(event(number).body)
            await bot.wait_for(20)
            shell.send_signal(signal.SIGTERM)
            assert await shell.wait() == 0
        finally:
            if shell.returncode is None:
                shell.kill()
                await shell.wait()
        await assert_balanced(config)
    for name, code in (("status", 69), ("events", 0)):  # commands likewise
        line = f'"{sys.executable}" -m forwarder {name} -c "{config}" >&- 2>&-'
        done = await asyncio.create_subprocess_exec("/bin/sh", "-c", line)
        assert await done.wait() == code


async def test_an_upgrade_works_while_nobody_reads_the_log(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        successor = 0
        with unread_pipe(tmp_path) as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "forwarder", "run", "-c", str(config)), stdout=output, stderr=output
            )
            try:
                await emulator.wait_connected(timeout=30)
                for number in range(EVENTS):
                    await emulator.send(event(number).body)
                await bot.wait_for(EVENTS, timeout=60)
                code, out, err = await command("upgrade", "-c", str(config), limit_s=60)
                assert code == 0, out + err
                assert await process.wait() == 0
                successor = (await status(config))["pid"]
                await emulator.send(event(EVENTS).body)
                await bot.wait_for(EVENTS + 1)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
                if successor:
                    os.kill(successor, signal.SIGTERM)
            await until(lambda: not Path(f"/proc/{successor}").exists(), limit_s=30, what="the end of the successor")
        await assert_balanced(config)
