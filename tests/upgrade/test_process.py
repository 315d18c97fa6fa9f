"""How a successor is started, and how the end of a process is noticed."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.upgrade.process import Process, command_line
from tests.support.crash import until
from tests.support.successors import SOON, children, started


@pytest.fixture
def started_as(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give a script that this process seems to have been started by."""
    script = tmp_path / "forwarder"
    script.write_text("#!/usr/bin/python\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(script), "run", "-c", "config.yaml"])
    monkeypatch.setattr(sys, "orig_argv", ["/old/python", str(script), "run", "-c", "config.yaml"])
    return script


def test_a_script_is_run_again_as_it_is_on_disk_now_with_its_own_interpreter(started_as: Path) -> None:
    assert command_line() == [str(started_as), "run", "-c", "config.yaml", "--takeover"]


def test_one_that_took_over_itself_is_followed_by_the_same_command_line(
    started_as: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(started_as), "run", "--takeover"])
    assert command_line() == [str(started_as), "run", "--takeover"]


def test_a_module_is_run_again_by_the_same_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/forwarder/__main__.py", "run"])
    monkeypatch.setattr(sys, "orig_argv", ["python", "-X", "utf8", "-m", "forwarder", "run"])
    assert command_line() == [sys.executable, "-X", "utf8", "-m", "forwarder", "run", "--takeover"]


async def test_the_end_of_a_process_is_noticed_also_of_a_child_nobody_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:  # noqa: ASYNC220 - it only starts
        process = Process(child.pid)
        assert process.is_alive()
        assert not await process.ended(within=timedelta(milliseconds=10))
        assert child.stdin is not None
        child.stdin.close()
        assert await process.ended(within=timedelta(seconds=20))
        assert not process.is_alive()
        process.close()
        process.close()
        assert not process.is_alive()
        assert await process.ended()


def test_a_process_that_is_not_there_cannot_be_watched() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
        with pytest.raises(OSError, match="No such process"):
            Process(child.pid)


@pytest.mark.parametrize("stubborn", ["", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "])
async def test_a_successor_that_is_stopped_ends_whatever_it_does_about_it(stubborn: str) -> None:
    async with started(f"{stubborn}print('deaf', file=sys.stderr, flush=True); time.sleep(60)") as child:
        await child.named(within=SOON)
        while "deaf" not in child.output():
            assert child.is_alive()
        pid = child.pid
        await child.stop(within=timedelta(seconds=0.2 if stubborn else 20))
        assert not child.is_alive()
        child.close()
        assert not Path(f"/proc/{pid}").exists()
        assert str(child._started.pid) not in children()


async def test_a_successor_that_is_not_wanted_before_it_has_said_its_number_ends_too() -> None:
    async with started("time.sleep(60)") as child:
        launcher = child._started.pid
        forked = Path(f"/proc/{launcher}/task/{launcher}/children")
        await until(lambda: bool(forked.read_text(encoding="ascii")), limit_s=20, what="a successor")
        successor = Process(int(forked.read_text(encoding="ascii").split()[0]))
        child._named = None
        unread, child._name = child._name, os.open(os.devnull, os.O_RDONLY)
        os.close(unread)
        child.ask_to_end()
        child.close()
        assert await successor.ended(within=SOON)
        successor.close()
