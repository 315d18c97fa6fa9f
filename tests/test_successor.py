"""How a successor is started, and how the end of a process is noticed."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.successor import Child, Process, command_line, start
from tests.support.crash import until

SOON = timedelta(seconds=20)
FORKS = "import os, sys, time; sys.path.insert(0, {root!r}); from forwarder.launch import fork_as_successor; fork_as_successor(); "
ROOT = str(Path(__file__).parent.parent)


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


@asynccontextmanager
async def started(program: str, *, forks: bool = True) -> AsyncIterator[Child]:
    """Give a successor that runs this."""
    child = start([sys.executable, "-c", (FORKS.format(root=ROOT) if forks else "import os, sys, time; ") + program])
    try:
        yield child
    finally:
        for pid in {child.pid, child._started.pid}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        child._started.wait()
        child.close()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def children() -> list[str]:
    """What this process has started and not reaped, zombies included."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


async def test_a_successor_is_a_child_of_its_launcher_and_of_nobody_here_once_it_is_let_go() -> None:
    async with started("time.sleep(60)") as child:
        await child.named(within=SOON)
        assert child.pid != child._started.pid
        assert parent_of(child.pid) == child._started.pid
        successor = child.pid
        child.let_go()
        assert Path(f"/proc/{successor}").exists()
        assert parent_of(successor) not in {os.getpid(), child._started.pid}
        assert str(child._started.pid) not in children()


@pytest.mark.parametrize(
    ("program", "code"), [("sys.exit(78)", 78), ("os.kill(os.getpid(), 9)", -9), ("os.kill(os.getpid(), 11)", -11)]
)
@pytest.mark.parametrize("forks", [True, False])
async def test_its_exit_code_is_known_and_nothing_is_left_of_it(program: str, code: int, forks: bool) -> None:
    async with started(program, forks=forks) as child:
        assert await child.ended(within=SOON)
        assert not child.is_alive()
        assert child.exit_code() == code
        assert str(child._started.pid) not in children()


async def test_a_launcher_that_dies_before_it_has_named_its_child_is_a_successor_that_ended() -> None:
    async with started("pass", forks=False) as child:
        await child.named(within=SOON)
        assert await child.ended(within=SOON)
        assert child.pid == child._started.pid


async def test_a_launcher_that_is_killed_leaves_a_successor_that_can_go_on() -> None:
    async with started("time.sleep(60)") as child:
        await child.named(within=SOON)
        os.kill(child._started.pid, signal.SIGKILL)
        assert await child._launcher.ended(within=SOON)
        assert not await child.ended(within=timedelta(milliseconds=10))
        assert child.is_alive()
        child.let_go()
        assert str(child._started.pid) not in children()


@pytest.mark.parametrize("stubborn", ["", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "])
async def test_a_successor_that_is_stopped_ends_whatever_it_does_about_it(stubborn: str) -> None:
    async with started(f"{stubborn}print('deaf', file=sys.stderr, flush=True); time.sleep(60)") as child:
        await child.named(within=SOON)
        while "deaf" not in child.words():
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


async def test_a_program_that_knows_no_launcher_is_the_successor_itself() -> None:
    async with started("time.sleep(60)", forks=False) as child:
        await child.named(within=timedelta(milliseconds=50))
        assert child.pid == child._started.pid
        child.let_go()  # nothing to let go, and nothing to wait for
        assert parent_of(child.pid) == os.getpid()


@pytest.mark.parametrize("given", ["", "x", "1", "9999,9998", "-1,-1"])
def test_without_the_pipes_of_a_predecessor_nothing_is_forked(given: str) -> None:
    program = FORKS.format(root=ROOT) + "print(os.getpid(), os.environ.get('FORWARDER_LAUNCH_FDS'))"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "FORWARDER_LAUNCH_FDS": given},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        out, _ = process.communicate()
    assert out.split() == [str(process.pid), "None"]
