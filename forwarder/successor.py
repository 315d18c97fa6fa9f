"""Another process that follows this one: how it is started, and how its end is noticed.

What this process starts is a launcher, which forks; its child is the successor (see `launch`). A program that is older than launchers is the
successor itself.

A successor that this process starts writes what it has to say on standard error into a memory file of ours until it is sure to take over,
so that whoever asked for it can be told why it could not. Then it takes the real standard error back.
"""

import asyncio
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO

from forwarder import launch
from forwarder.logs import settle

_STDERR = "FORWARDER_STDERR_FD"
_MAX_WORDS_BYTES = 64 * 1024
_LAUNCHER_MAY_TAKE = timedelta(seconds=2)
"""To end when it is let go; it is killed then, which does the same."""


class Process:
    """A process of this machine, by a descriptor of it: its number may come again, the descriptor stays with this one."""

    def __init__(self, pid: int) -> None:
        """Raises `OSError` where there is no such process to be seen from here."""
        self.pid = pid
        self._descriptor: int | None = os.pidfd_open(pid)

    def is_alive(self) -> bool:
        """Whether it has not ended yet; not where it is not watched any more."""
        return self._descriptor is not None and not self.ends(within=timedelta())

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

    def ends(self, *, within: timedelta) -> bool:
        """Wait for its end for such a time, standing still; return whether it has come."""
        if self._descriptor is None:
            return True
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(within.total_seconds() * 1000))

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing where it has ended."""
        if self._descriptor is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def close(self) -> None:
        """Watch it no more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Child:
    """A successor that this process has started, by way of a launcher."""

    def __init__(self, started: "subprocess.Popen[bytes]", words: IO[bytes], *, name: int, release: int) -> None:
        """`name` is the pipe in which it says its number; `release` the one whose end lets the launcher go."""
        self._started = started
        self._words = words
        self._name = name
        self._release = release
        self._launcher = Process(started.pid)
        self._successor: Process | None = None
        self._named: int | None = None

    @property
    def pid(self) -> int:
        """The number of the successor. Until it has said it, that of what was started."""
        if self._named is None:
            with suppress(OSError):  # nothing there yet, or closed
                said = os.read(self._name, 64).strip()
                if said.isdigit():
                    self._named = int(said)
                    self._successor = Process(self._named)
        return self._started.pid if self._named is None else self._named

    async def named(self, *, within: timedelta) -> None:
        """Return once it has said its number, or has ended, or after such a time: an older program does not say it."""
        loop, heard = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._name, heard.set)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(within.total_seconds()):
                    await heard.wait()
        finally:
            loop.remove_reader(self._name)

    async def ended(self, *, within: timedelta | None = None) -> bool:
        """Return `True` once it has ended, the launcher included, or `False` when that has not come within such a time."""
        try:
            async with asyncio.timeout(None if within is None else within.total_seconds()):
                await (
                    self._launcher.ended()
                )  # as a rule it ends after the successor, as that did; it may be killed, too
                if self.pid != self._started.pid and self._successor is not None:
                    await self._successor.ended()
        except TimeoutError:
            return False
        return True

    def is_alive(self) -> bool:
        """Whether the successor, or what may become it, has not ended yet."""
        return self._launcher.is_alive() or (self._successor is not None and self._successor.is_alive())

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

    async def stop(self, *, within: timedelta) -> None:
        """Have it end: ask it to, and kill it when it has not ended within such a time."""
        self.ask_to_end()
        for process in (self._successor, self._launcher):  # the launcher follows by itself, and reaps it
            if await self.ended(within=within):
                return
            if process is not None:
                process.send(signal.SIGKILL)
        await self.ended(within=within)

    def ask_to_end(self) -> None:
        """Send it SIGTERM; nothing where it has ended."""
        self._launcher.send(signal.SIGTERM)  # it ignores it, once it is one
        if self._release >= 0:  # it may have a successor by now whose number is not known here
            with suppress(OSError):
                os.write(self._release, launch.ABANDON)
        if self.pid != self._started.pid and self._successor is not None:
            self._successor.send(signal.SIGTERM)

    def let_go(self) -> None:
        """End the launcher, so that the successor becomes a child of whatever takes in orphans: PID 1, or a service manager."""
        if self.pid != self._started.pid:
            self._close_pipes()
            if not self._launcher.ends(within=_LAUNCHER_MAY_TAKE):
                self._launcher.send(signal.SIGKILL)
            self._started.wait()
        self.close()

    def close(self) -> None:
        """Watch it no more, and forget what it said."""
        self._started.poll()  # an ended one is a zombie until somebody asks
        self._close_pipes()
        self._words.close()
        for process in (self._launcher, self._successor):
            if process is not None:
                process.close()

    def _close_pipes(self) -> None:
        for descriptor in (self._name, self._release):
            if descriptor >= 0:
                os.close(descriptor)
        self._name = self._release = -1


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
    (name, names), (releases, release) = os.pipe(), os.pipe()
    os.set_blocking(name, False)
    try:
        started = subprocess.Popen(  # noqa: S603 - our own command line
            command,
            stdin=subprocess.DEVNULL,
            stderr=words,
            pass_fds=(stderr, names, releases),
            env={**os.environ, _STDERR: str(stderr), launch.ENVIRONMENT: f"{names},{releases}"},
        )
        return Child(started, words, name=name, release=release)
    except BaseException:
        for descriptor in (name, release):
            os.close(descriptor)
        words.close()
        raise
    finally:
        for descriptor in (stderr, names, releases):
            os.close(descriptor)


def take_stderr_back() -> None:
    """Write to the real standard error from now on, in a process that another one started as its successor."""
    given = os.environ.pop(_STDERR, "")
    if given.isdigit():
        sys.stderr.flush()
        settle(2)
        with suppress(OSError):  # it was closed meanwhile, by a wrapper around us
            os.dup2(int(given), 2)
            os.close(int(given))
