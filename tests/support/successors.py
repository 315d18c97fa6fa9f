"""Successors that run a few lines of Python."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

from forwarder.upgrade.process import Child, start
from tests.support.paths import ROOT

SOON = timedelta(seconds=20)


FORKS = "import os, sys, time; sys.path.insert(0, {root!r}); from forwarder.upgrade.launcher import fork_as_successor; fork_as_successor(); "


@asynccontextmanager
async def started(program: str, *, forks: bool = True) -> AsyncIterator[Child]:
    """Give a successor that runs this."""
    child = start(
        [sys.executable, "-c", (FORKS.format(root=str(ROOT)) if forks else "import os, sys, time; ") + program]
    )
    try:
        yield child
    finally:
        for pid in {child.pid, child._started.pid}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        child._started.wait()
        child.close()


def children() -> list[str]:
    """What this process has started and not reaped, zombies included."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
