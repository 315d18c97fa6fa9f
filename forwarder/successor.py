"""Another process that follows this one: how it is started, and how its end is noticed.

A successor that this process starts writes what it has to say on standard error into a memory file of ours until it is sure to take over,
so that whoever asked for it can be told why it could not. Then it takes the real standard error back.
"""

import asyncio
import os
import select
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO

from forwarder.logs import settle

_STDERR = "FORWARDER_STDERR_FD"
_MAX_WORDS_BYTES = 64 * 1024


class Process:
    """A process of this machine, by a descriptor of it: its number may come again, the descriptor stays with this one."""

    def __init__(self, pid: int) -> None:
        """Raises `OSError` where there is no such process to be seen from here."""
        self.pid = pid
        self._descriptor: int | None = os.pidfd_open(pid)

    def is_alive(self) -> bool:
        """Whether it has not ended yet; not where it is not watched any more."""
        if self._descriptor is None:
            return False
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return not poll.poll(0)

    async def ended(self, *, within: timedelta | None = None) -> bool:
        """Return `True` once it has ended, or `False` when that has not come within such a time."""
        if self._descriptor is None:
            return True
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        own = os.dup(self._descriptor)  # a loop watches a descriptor once
        loop.add_reader(own, end.set)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(None if within is None else within.total_seconds()):
                    await end.wait()
            return end.is_set()
        finally:
            loop.remove_reader(own)
            os.close(own)

    def close(self) -> None:
        """Watch it no more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Child:
    """A successor that this process has started."""

    def __init__(self, started: "subprocess.Popen[bytes]", words: IO[bytes]) -> None:
        self._started = started
        self._words = words
        self.pid = started.pid

    def words(self) -> str:
        """Return what it has said on standard error so far, and say the same on ours."""
        self._words.seek(0)
        said = self._words.read(_MAX_WORDS_BYTES).decode("utf-8", "replace").strip()
        if said:
            with suppress(OSError):
                print(said, file=sys.stderr, flush=True)  # noqa: T201 - as if it had written there itself
        return said

    def exit_code(self) -> int:
        """Return its exit code; for one that has ended."""
        return self._started.wait()

    def stop(self) -> None:
        """Ask it to end; nothing where it has."""
        self._started.terminate()

    def close(self) -> None:
        """Forget what it said."""
        self._words.close()


def command_line() -> list[str]:
    """Return how to start this program as it was started, with `--takeover`, from what is on disk now."""
    name = Path(sys.argv[0])
    is_script = name.suffix != ".py" and name.is_file() and os.access(name, os.X_OK)
    # The script names its interpreter itself: after an upgrade that may be another one.
    how = [str(name), *sys.argv[1:]] if is_script else [sys.executable, *sys.orig_argv[1:]]
    return how if "--takeover" in how else [*how, "--takeover"]


def start(command: list[str]) -> Child:
    """Start a successor with our environment and standard output. Raises `OSError` where there is no such program."""
    words = os.fdopen(os.memfd_create("words of a successor"), "w+b")  # a disk may be full
    stderr = os.dup(2)
    try:
        started = subprocess.Popen(  # noqa: S603 - our own command line
            command,
            stdin=subprocess.DEVNULL,
            stderr=words,
            pass_fds=(stderr,),
            env={**os.environ, _STDERR: str(stderr)},
        )
    except BaseException:
        words.close()
        raise
    finally:
        os.close(stderr)
    return Child(started, words)


def take_stderr_back() -> None:
    """Write to the real standard error from now on, in a process that another one started as its successor."""
    given = os.environ.pop(_STDERR, "")
    if given.isdigit():
        sys.stderr.flush()
        settle(2)
        with suppress(OSError):  # it was closed meanwhile, by a wrapper around us
            os.dup2(int(given), 2)
            os.close(int(given))
