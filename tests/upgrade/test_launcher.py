"""The launcher of a successor: it forks, waits, and ends as the successor does."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.successors import FORKS, SOON, children, started


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_a_successor_is_a_child_of_its_launcher_and_of_nobody_here_once_it_is_let_go() -> None:
    async with started("time.sleep(60)") as child:
        await child.named(within=SOON)
        assert child.pid != child._started.pid
        assert parent_of(child.pid) == child._started.pid
        successor = child.pid
        child.detach()
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
        child.detach()
        assert str(child._started.pid) not in children()


async def test_a_program_that_knows_no_launcher_is_the_successor_itself() -> None:
    async with started("time.sleep(60)", forks=False) as child:
        await child.named(within=timedelta(milliseconds=50))
        assert child.pid == child._started.pid
        child.detach()  # nothing to let go, and nothing to wait for
        assert parent_of(child.pid) == os.getpid()


@pytest.mark.parametrize("given", ["", "x", "1", "9999,9998", "-1,-1"])
def test_without_the_pipes_of_a_predecessor_nothing_is_forked(given: str) -> None:
    program = FORKS.format(root=str(ROOT)) + "print(os.getpid(), os.environ.get('FORWARDER_LAUNCH_FDS'))"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "FORWARDER_LAUNCH_FDS": given},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        out, _ = process.communicate()
    assert out.split() == [str(process.pid), "None"]
