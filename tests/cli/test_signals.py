"""No signal has its default action, which is death, from the first line of `forwarder run` to its end."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from tests.support.crash import until
from tests.support.process import Forwarder, forwarder, write_config

NOWHERE = "ws://127.0.0.1:9/ws"


def handles(daemon: Forwarder, number: signal.Signals) -> bool:
    """Whether the process has a handler of its own for it."""
    for line in Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) & 1 << (number - 1))
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_while_the_program_is_being_loaded_ends_it_with_0(tmp_path: Path, number: signal.Signals) -> None:
    config = write_config(tmp_path, stream=NOWHERE, destinations={"bot": "http://127.0.0.1:9/"})
    async with forwarder(config) as daemon:
        await until(lambda: handles(daemon, signal.SIGUSR2), limit_s=20, what="the handlers, of which that is the last")
        daemon.send(number)
        assert await daemon.ended() == exit_codes.OK
        assert not [line for line in daemon.lines if line["event"] == "daemon.ready"]


async def test_handlers_are_there_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    config = write_config(tmp_path, stream=NOWHERE, destinations={"bot": "http://127.0.0.1:9/"})
    async with forwarder(config) as daemon:
        await until(lambda: handles(daemon, signal.SIGTERM), limit_s=20, what="a handler")
        loaded = Path(f"/proc/{daemon.process.pid}/maps").read_text()
        daemon.process.kill()
    assert "pydantic_core" not in loaded


async def test_a_reload_and_an_upgrade_that_are_asked_for_too_early_are_done_later(tmp_path: Path) -> None:
    config = write_config(tmp_path, stream=NOWHERE, destinations={"bot": "http://127.0.0.1:9/"})
    async with forwarder(config) as daemon:
        await until(lambda: handles(daemon, signal.SIGUSR2), limit_s=20, what="a handler")
        daemon.send(signal.SIGHUP)
        daemon.send(signal.SIGUSR2)
        await daemon.wait_for("reload.unchanged")
        started = await daemon.wait_for("upgrade.started")
        daemon.send(signal.SIGTERM)
        await until(lambda: daemon.process.returncode is not None, limit_s=20, what="its end")
        assert daemon.process.returncode == exit_codes.OK
        successor = Path(f"/proc/{started['successor']}")
        await until(lambda: not successor.exists(), limit_s=20, what="the end of the successor")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2])
async def test_signals_that_come_until_the_very_end_do_not_change_how_it_ends(
    tmp_path: Path, number: signal.Signals
) -> None:
    config = write_config(tmp_path, stream=NOWHERE, destinations={"bot": "http://127.0.0.1:9/"})
    async with forwarder(config) as daemon:
        await daemon.wait_for("daemon.ready")
        daemon.send(signal.SIGTERM)
        while daemon.process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(daemon.process.pid, number)  # `send` would take its end from the loop
            await asyncio.sleep(0.001)
        assert daemon.process.returncode == exit_codes.OK
