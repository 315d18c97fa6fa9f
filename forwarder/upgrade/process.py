"""A successor of this process: how it is started, and how its end is noticed.

This process starts a launcher, which forks; its child is the successor (see `launcher`). A program that is older than launchers is itself
the successor.

Until the handover is certain, the standard error of the successor is a memory file of this process, so that the person who asked for the
upgrade can read why it failed. Then the successor takes back the real standard error.
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

from forwarder.logs.setup import flush
from forwarder.upgrade import launcher

_STDERR = "FORWARDER_STDERR_FD"
_MAX_OUTPUT_BYTES = 64 * 1024
_LAUNCHER_MAY_TAKE = timedelta(seconds=2)
"""How long a launcher may take to end when it is released; then it is killed, which has the same effect."""


class Process:
    """Watches one process by a descriptor: its process id may be used again, the descriptor stays with this process."""

    def __init__(self, pid: int) -> None:
        """Raises `OSError` if no such process is visible from here."""
        self.pid = pid
        self._descriptor: int | None = os.pidfd_open(pid)

    def is_alive(self) -> bool:
        """Return whether it has not ended; `False` after `close`."""
        return self._descriptor is not None and not self.ends(within=timedelta())

    async def ended(self, *, within: timedelta | None = None) -> bool:
        """Wait for its end, for `within` at most; return whether it has ended."""
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
        """Wait for its end for `within`, and block meanwhile; return whether it has ended."""
        if self._descriptor is None:
            return True
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(within.total_seconds() * 1000))

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; does nothing if it has ended."""
        if self._descriptor is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def close(self) -> None:
        """Stop watching it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Child:
    """Is a successor that this process has started, with its launcher."""

    def __init__(self, started: "subprocess.Popen[bytes]", output: IO[bytes], *, name: int, release: int) -> None:
        """`name` is the pipe in which it reports its process id; `release` is the one whose end releases the launcher."""
        self._started = started
        self._output = output
        self._name = name
        self._release = release
        self._launcher = Process(started.pid)
        self._successor: Process | None = None
        self._named: int | None = None

    @property
    def pid(self) -> int:
        """The process id of the successor, or that of the launcher until the successor has reported its own."""
        if self._named is None:
            with suppress(OSError):  # nothing there yet, or closed
                said = os.read(self._name, 64).strip()
                if said.isdigit():
                    self._named = int(said)
                    self._successor = Process(self._named)
        return self._started.pid if self._named is None else self._named

    async def named(self, *, within: timedelta) -> None:
        """Wait until it has reported its process id or has ended, for `within` at most: an older program does not report it."""
        loop, heard = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._name, heard.set)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(within.total_seconds()):
                    await heard.wait()
        finally:
            loop.remove_reader(self._name)

    async def ended(self, *, within: timedelta | None = None) -> bool:
        """Wait for its end and that of its launcher, for `within` at most; return whether both have ended."""
        try:
            async with asyncio.timeout(None if within is None else within.total_seconds()):
                await self._launcher.ended()  # usually the last to end, but it may be killed
                if self.pid != self._started.pid and self._successor is not None:
                    await self._successor.ended()
        except TimeoutError:
            return False
        return True

    def is_alive(self) -> bool:
        """Return whether the successor, or what may become the successor, has not ended."""
        return self._launcher.is_alive() or (self._successor is not None and self._successor.is_alive())

    def output(self) -> str:
        """Return what it has written to standard error so far, and write the same to ours."""
        self._output.seek(0)
        said = self._output.read(_MAX_OUTPUT_BYTES).decode("utf-8", "replace").strip()
        if said:
            with suppress(OSError):
                print(said, file=sys.stderr, flush=True)  # noqa: T201 - as if it had written there
        return said

    def exit_code(self) -> int:
        """Return its exit code. Call it after it has ended."""
        return self._started.wait()

    async def stop(self, *, within: timedelta) -> None:
        """End it: ask it to end, and kill it if it has not ended within that time."""
        self.ask_to_end()
        for process in (self._successor, self._launcher):  # the launcher ends after the successor, and reaps it
            if await self.ended(within=within):
                return
            if process is not None:
                process.send(signal.SIGKILL)
        await self.ended(within=within)

    def ask_to_end(self) -> None:
        """Send it SIGTERM; does nothing if it has ended."""
        self._launcher.send(signal.SIGTERM)  # a launcher ignores it
        if self._release >= 0:  # there may be a successor whose process id is not known here
            with suppress(OSError):
                os.write(self._release, launcher.ABANDON)
        if self.pid != self._started.pid and self._successor is not None:
            self._successor.send(signal.SIGTERM)

    def detach(self) -> None:
        """End the launcher, so that the successor becomes a child of PID 1, or of a service manager."""
        if self.pid != self._started.pid:
            self._close_pipes()
            if not self._launcher.ends(within=_LAUNCHER_MAY_TAKE):
                self._launcher.send(signal.SIGKILL)
            self._started.wait()
        self.close()

    def close(self) -> None:
        """Stop watching it, and drop its output."""
        self._started.poll()  # reaps it if it has ended
        self._close_pipes()
        self._output.close()
        for process in (self._launcher, self._successor):
            if process is not None:
                process.close()

    def _close_pipes(self) -> None:
        for descriptor in (self._name, self._release):
            if descriptor >= 0:
                os.close(descriptor)
        self._name = self._release = -1


def command_line() -> list[str]:
    """Return the command line of this process with `--takeover`, to start the program that is on disk now."""
    name = Path(sys.argv[0])
    is_script = name.suffix != ".py" and name.is_file() and os.access(name, os.X_OK)
    # The script names its interpreter, which may be another one after an upgrade.
    how = [str(name), *sys.argv[1:]] if is_script else [sys.executable, *sys.orig_argv[1:]]
    return how if "--takeover" in how else [*how, "--takeover"]


def start(command: list[str]) -> Child:
    """Start a successor with our environment and standard output. Raises `OSError` if the program cannot be started."""
    output = os.fdopen(os.memfd_create("stderr of a successor"), "w+b")  # in memory: a disk may be full
    stderr = os.dup(2)
    (name, names), (releases, release) = os.pipe(), os.pipe()
    os.set_blocking(name, False)
    try:
        started = subprocess.Popen(  # noqa: S603 - our own command line
            command,
            stdin=subprocess.DEVNULL,
            stderr=output,
            pass_fds=(stderr, names, releases),
            env={**os.environ, _STDERR: str(stderr), launcher.ENVIRONMENT: f"{names},{releases}"},
        )
        return Child(started, output, name=name, release=release)
    except BaseException:
        for descriptor in (name, release):
            os.close(descriptor)
        output.close()
        raise
    finally:
        for descriptor in (stderr, names, releases):
            os.close(descriptor)


def restore_stderr() -> None:
    """Write to the real standard error from now on. For a process that was started as a successor."""
    given = os.environ.pop(_STDERR, "")
    if given.isdigit():
        sys.stderr.flush()
        flush(2)
        with suppress(OSError):  # a wrapper around this process may have closed it
            os.dup2(int(given), 2)
            os.close(int(given))
